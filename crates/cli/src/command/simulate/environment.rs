//! The variables of jobs: which there are, and how a shell reads them.

/// Whether a CI or cloud provider sets a variable of this name: another provider's job must not see it.
pub(super) fn is_of_a_job(name: &str) -> bool {
    NAMES.contains(&name)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

const NAMES: [&str; 5] =
    ["CI", "TF_BUILD", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "GOOGLE_APPLICATION_CREDENTIALS"];
const PREFIXES: [&str; 28] = [
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
    "HF_OIDC_",
    "IDENTITY_",
    "K_",
    "KUBERNETES_",
    "MODAL_",
    "MSI_",
    "RUNNER_",
    "SEMAPHORE",
    "SPACELIFT_",
    "SPIFFE_",
    "TFC_",
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
