//! The pages of `docs/ci`: every job on them is run, with the real programs, as a job of its provider, against a real server
//! with the page's configuration and publishers; and the table of all others is what the code says.
//!
//! They need the program `countersign-server` beside ours, as `cargo xtask test` builds it.

mod definition;
mod machine;
mod page;

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use countersign_client::ambient::ALL;
use countersign_client::{AmbientProvider, AudienceChoice};
use countersign_core::{IssuerUrl, Permission, Provider};
use countersign_server::config::Config;
use countersign_simulator::{Overrides, Pretended, Simulator};
use serde_json::json;

use self::definition::{Declared, Definition};
use self::machine::{Machine, REGISTRY, administer, proxy_to};
use self::page::{Page, Scenario};
use crate::registry::Registry;

const RESOURCE: &str = "acme/awesome-model";
const JENKINS_JOB: &str = "https://jenkins.example.com/job/acme/job/train/";

/// What a run on the branch `dev` says.
fn on_dev(provider: Provider) -> &'static str {
    match provider {
        Provider::Github | Provider::Forgejo | Provider::Depot => "ref=refs/heads/dev",
        Provider::Gitlab => "ref_path=refs/heads/dev",
        Provider::Circleci => "oidc.circleci.com/vcs-ref=refs/heads/dev",
        Provider::Buildkite => "build_branch=dev",
        Provider::Bitbucket => "branchName=dev",
        Provider::AzureDevops => "rpo_ref=refs/heads/dev",
        Provider::Generic => "sub=https://jenkins.example.com/job/acme/job/other/",
        other => panic!("no page is about {other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_snippet_works() {
    let machine = Machine::new();
    for page in Page::all() {
        let jobs: Vec<Definition> = page
            .jobs()
            .into_iter()
            .map(|(language, text)| Definition::read(page.provider, language, text))
            .collect();
        let is_runnable = |job: &Definition| !job.scripts.is_empty();
        assert!(!jobs.is_empty() && jobs.iter().all(is_runnable), "{}: no job to run", page.name);
        for (index, scenario) in page.scenarios().iter().enumerate() {
            let stage = Stage::new(&page, scenario, &machine).await;
            for job in &jobs {
                stage.publishes(job);
            }
            if index == 0 {
                stage.is_refused_on_dev(&jobs[0]);
                stage.needs_what_is_declared(&jobs[0]);
            }
        }
    }
}

/// A page's server, and the machine of its jobs.
struct Stage<'a> {
    page: &'a Page,
    machine: &'a Machine,
    registry: Registry,
    proxy: String,
    /// The issuer as the page has it, and as it is.
    issuer: (String, IssuerUrl),
}

impl<'a> Stage<'a> {
    async fn new(page: &'a Page, scenario: &Scenario, machine: &'a Machine) -> Self {
        let mut issuer = None;
        let registry = Registry::serving(|simulator| {
            let actual = played(page.provider, simulator).issuer().clone();
            let shown = scenario.configuration.clone().unwrap_or_else(|| {
                let [public] = page.provider.preset().issuers else {
                    panic!("{}: the server knows no issuer without configuration", page.name)
                };
                format!(
                    "public_url = \"{REGISTRY}\"\n[[issuers]]\nurl = \"{public}\"\npreset = \"{}\"\n",
                    page.provider
                )
            });
            let config = Config::parse(&shown, Path::new("/etc/countersign/countersign.toml")).unwrap();
            let [configured] = config.issuers.as_slice() else { panic!("{}: one issuer, please", page.name) };
            assert_eq!(configured.provider, page.provider, "{}", page.name);
            let url = configured.url.to_string();
            let configuration = shown.replace(&url, actual.as_str());
            issuer = Some((url, actual));
            format!("{configuration}{}", machine.tls())
        })
        .await;
        let issuer = issuer.unwrap();
        assert!(!scenario.commands.is_empty(), "{}: a server without publisher", page.name);
        for command in &scenario.commands {
            let output = administer(&command.replace(&issuer.0, issuer.1.as_str()), registry.folder.path());
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() && command.contains(RESOURCE),
                "{}: {command}\n{said}",
                page.name
            );
        }
        let proxy = proxy_to(registry.address);
        Self { page, machine, registry, proxy, issuer }
    }

    /// Exit code and standard error of the job.
    fn run(&self, job: &Definition, claim: &str) -> (i32, String) {
        let variables = self.variables(job, claim);
        let mut said = String::new();
        for script in &job.scripts {
            let output = self.machine.run(script, &variables, &self.proxy);
            said += &String::from_utf8(output.stderr).unwrap();
            if !output.status.success() {
                return (output.status.code().unwrap(), said);
            }
        }
        (0, said)
    }

    fn publishes(&self, job: &Definition) {
        let (code, said) = self.run(job, "");
        assert_eq!(code, 0, "{}: {job:?}\n{said}", self.page.name);
        self.registry.verified(&self.machine.used_token(), RESOURCE, Permission::Write);
    }

    /// In the words that the page has.
    fn is_refused_on_dev(&self, job: &Definition) {
        let (code, said) = self.run(job, on_dev(self.page.provider));
        let said = said.replace(self.issuer.1.as_str(), &self.issuer.0);
        assert_eq!(code, 4, "{}: {said}", self.page.name);
        assert_eq!(without_id(&said), without_id(self.page.refusal()), "{}", self.page.name);
    }

    /// Without what the definition declares, the job ends with the provider's remedy.
    fn needs_what_is_declared(&self, job: &Definition) {
        let needs_nothing = [Provider::Circleci, Provider::Buildkite, Provider::Generic];
        assert_eq!(
            job.declared == Declared::Nothing,
            needs_nothing.contains(&self.page.provider),
            "{}: {job:?}",
            self.page.name
        );
        if job.declared == Declared::Nothing {
            return;
        }
        let (code, said) = self.run(&Definition { declared: Declared::Nothing, ..job.clone() }, "");
        // Depot is told from GitHub by its tokens, and here is none.
        let recognised =
            if self.page.provider == Provider::Depot { Provider::Github } else { self.page.provider };
        let remedy =
            AmbientProvider::named(recognised.preset().name).unwrap().remedy(&REGISTRY.parse().unwrap());
        assert!(code == 3 && said.contains(&remedy), "{}: {remedy} is not in {said}", self.page.name);
    }

    /// What the job sees: of its provider, and what its definition sets.
    fn variables(&self, job: &Definition, claim: &str) -> Vec<(String, String)> {
        let (provider, simulator) = (self.page.provider, &self.registry.simulator);
        let played = played(provider, simulator);
        let overrides = overrides(provider, job, claim);
        let mut variables = match &job.declared {
            Declared::IdTokens(tokens) => {
                let tokens: Vec<(&str, &str)> =
                    tokens.iter().map(|(name, audience)| (name.as_str(), audience.as_str())).collect();
                simulator.gitlab().job(&overrides, &tokens)
            }
            Declared::Nothing if provider == Provider::Gitlab => simulator.gitlab().job(&overrides, &[]),
            _ => played.job(&overrides, REGISTRY),
        };
        let id_token = played.mint(&overrides, REGISTRY);
        match (provider, &job.declared) {
            (Provider::Circleci, _) => {
                // The variable has another audience at the real one.
                variables.retain(|(name, _)| name != "CIRCLE_OIDC_TOKEN_V2");
                variables.push(("CIRCLECI_MINTS".to_owned(), id_token));
            }
            (Provider::Generic, _) => {
                let file = self.machine.path("id-token");
                std::fs::write(&file, played.mint(&overrides, REGISTRY)).unwrap();
                variables = vec![
                    ("ID_TOKEN".to_owned(), id_token),
                    ("ID_TOKEN_FILE".to_owned(), file.to_str().unwrap().to_owned()),
                ];
            }
            (_, Declared::Nothing) => {
                variables.retain(|(name, _)| !COMES_WITH_DECLARATION.contains(&name.as_str()));
            }
            _ => {}
        }
        variables.extend(job.variables.iter().cloned());
        variables
    }
}

/// How many runs there were.
static RUNS: AtomicU32 = AtomicU32::new(1);

/// What a job has only if its definition says so.
const COMES_WITH_DECLARATION: [&str; 4] = [
    "ACTIONS_ID_TOKEN_REQUEST_URL",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "SYSTEM_ACCESSTOKEN",
    "BITBUCKET_STEP_OIDC_TOKEN",
];

/// Who plays the provider: where it is nobody in particular, anybody.
fn played(provider: Provider, simulator: &Simulator) -> &dyn Pretended {
    let played = if provider == Provider::Generic { Provider::Github } else { provider };
    simulator.provider(played).unwrap()
}

/// What the run's claims say because of the definition, and what is different.
fn overrides(provider: Provider, job: &Definition, claim: &str) -> Overrides {
    let mut overrides: Overrides = claim.parse().unwrap();
    if let Some(environment) = &job.environment {
        overrides = overrides.set("environment", environment.as_str());
    }
    let file = format!("{}.yml", job.name);
    let run = RUNS.fetch_add(1, Ordering::Relaxed).to_string();
    match (provider, &job.declared) {
        (Provider::Github, _) => {
            let branch = if claim.is_empty() { "main" } else { "dev" };
            let workflow = format!("acme/train/.github/workflows/{file}@refs/heads/{branch}");
            overrides.set("workflow_ref", workflow.as_str()).set("job_workflow_ref", workflow)
        }
        // Without a `jti`, two tokens of one second are one; but these are two runs.
        (Provider::Forgejo, _) => overrides.set("workflow", file).set("run_id", run),
        (Provider::Depot, _) => overrides.set("run_id", run),
        (Provider::Bitbucket, Declared::Audiences(audiences)) => {
            let workspace = "ari:cloud:bitbucket::workspace/45fd71af-0000-4000-8000-0000aef9ae13";
            let all: Vec<&str> =
                [workspace].into_iter().chain(audiences.iter().map(String::as_str)).collect();
            overrides.set("aud", json!(all))
        }
        (Provider::Generic, _) if claim.is_empty() => overrides.set("sub", JENKINS_JOB),
        _ => overrides,
    }
}

/// The text without the id of the request, which is another each time.
fn without_id(text: &str) -> String {
    match text.trim().rsplit_once("request id ") {
        Some((before, _)) => format!("{before}request id …)"),
        None => text.to_owned(),
    }
}

#[test]
fn every_provider_has_a_page_or_a_row() {
    let pages = Page::all();
    let others = pages.iter().find(|page| page.name == "others").unwrap();
    let has_page = |provider: Provider| pages.iter().any(|page| page.name == provider.preset().name);
    for provider in Provider::ALL {
        let has_row = ALL.iter().any(|ambient| ambient.name() == provider.preset().name);
        assert!(has_page(provider) || has_row, "{provider}");
    }
    let rows =
        ALL.iter().filter(|ambient| !has_page(ambient.name().parse().unwrap())).map(|ambient| row(ambient));
    let expected: Vec<String> = HEAD.map(str::to_owned).into_iter().chain(rows).collect();
    let table: Vec<&str> = others.text.lines().filter(|line| line.starts_with('|')).collect();
    assert!(table == expected, "docs/ci/others.md: expected this table:\n{}", expected.join("\n"));
}

const HEAD: [&str; 2] = [
    "| provider | recognised by | what to do | audience | token | fields | pins |",
    "|---|---|---|---|---|---|---|",
];

/// What the code says of a provider.
fn row(ambient: &AmbientProvider) -> String {
    let provider: Provider = ambient.name().parse().unwrap();
    let preset = provider.preset();
    let audience = match ambient.audience_choice() {
        AudienceChoice::Asked => "asked".to_owned(),
        AudienceChoice::Declared => "declared".to_owned(),
        AudienceChoice::Fixed(always) if always.contains(' ') => format!("always {always}"),
        AudienceChoice::Fixed(always) => format!("always `{always}`"),
    };
    let listed =
        |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let fields = match preset.fields.iter().map(|field| field.name).collect::<Vec<_>>() {
        names if names.is_empty() => "none".to_owned(),
        names => listed(names),
    };
    let pins = match preset.pins.iter().map(|pin| pin.claim).collect::<Vec<_>>() {
        names if names.is_empty() => "nothing".to_owned(),
        names => listed(names),
    };
    let exchanges = match preset.defaults.max_exchanges {
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    format!(
        "| {}: `{}` | {} | {} | {audience} | {} h, {exchanges} | {fields} | {pins} |",
        preset.title,
        preset.name,
        ambient.sign(),
        ambient.remedy(&REGISTRY.parse().unwrap()),
        preset.defaults.max_lifetime.as_secs() / 3600,
    )
}
