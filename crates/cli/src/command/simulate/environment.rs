//! The variables of jobs: which there are, and how a shell reads them.

/// Whether a CI or cloud provider sets variables that are called like this one: another provider's job must not see it.
///
/// By families rather than one by one: providers add to them. A test holds this to what the pretended jobs set.
pub(super) fn is_of_a_job(name: &str) -> bool {
    NAMES.contains(&name)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

const NAMES: [&str; 7] = [
    "CI",
    "TF_BUILD",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "GCE_METADATA_HOST",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SERVICE_ACCOUNT_NAME",
];
const PREFIXES: [&str; 30] = [
    "ACTIONS_",
    "BITBUCKET_",
    "BITRISE_",
    "BUILDKITE",
    "CF_",
    "CIRCLE",
    "CI_",
    "CLOUD_RUN_",
    "CODEFRESH_",
    "DEPOT_",
    "ENV0_",
    "FLY_",
    "FORGEJO_",
    "GITEA_",
    "GITHUB_",
    "GITLAB_",
    "HF_OIDC_ID_TOKEN",
    "IDENTITY_",
    "K_",
    "KUBERNETES_",
    "MODAL_",
    "MSI_",
    "RUNNER_",
    "SEMAPHORE",
    "SPACELIFT_",
    "SPIFFE_",
    "SYSTEM_",
    "TFC_",
    "TF_VAR_spacelift_",
    "VERCEL",
];
/// Id tokens that a job declares, under whatever name.
const SUFFIXES: [&str; 2] = ["_ID_TOKEN", "_OIDC_TOKEN"];

/// Lines for a POSIX shell, whatever is in the values.
pub(super) fn exported(variables: &[(String, String)]) -> String {
    let lines =
        variables.iter().map(|(name, value)| format!("export {name}='{}'", value.replace('\'', "'\\''")));
    lines.collect::<Vec<_>>().join("\n")
}
