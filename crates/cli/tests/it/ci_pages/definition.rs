//! What a job's definition says, as its provider reads it.

use countersign_core::Provider;
use serde_json::Value;

/// What of a definition matters to the job.
#[derive(Clone, Debug)]
pub(super) struct Definition {
    /// Its name: the name of its workflow's file, where it has one.
    pub(super) name: String,
    pub(super) declared: Declared,
    pub(super) environment: Option<String>,
    pub(super) variables: Vec<(String, String)>,
    pub(super) scripts: Vec<String>,
}

/// What makes the provider mint.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Declared {
    /// Nothing is there, or nothing has to be.
    Nothing,
    /// A permission.
    Permission,
    /// Variables, each with its audience.
    IdTokens(Vec<(String, String)>),
    /// Audiences of the one token.
    Audiences(Vec<String>),
}

impl Definition {
    pub(super) fn read(provider: Provider, language: &str, text: &str) -> Self {
        if language == "job" {
            let scripts = vec![text.to_owned()];
            let (declared, environment) = (Declared::Nothing, None);
            return Self { name: "job".to_owned(), declared, environment, variables: Vec::new(), scripts };
        }
        let yaml: Value = serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        match provider {
            Provider::Github | Provider::Depot => {
                workflow(&yaml, |job| job["permissions"]["id-token"] == "write")
            }
            Provider::Forgejo => workflow(&yaml, |job| job["enable-openid-connect"] == true),
            Provider::Gitlab => gitlab(&yaml),
            Provider::Circleci => circleci(&yaml),
            Provider::Buildkite => buildkite(&yaml),
            Provider::Bitbucket => bitbucket(&yaml),
            Provider::AzureDevops => azure_devops(&yaml),
            other => panic!("nobody reads definitions of {other}"),
        }
    }
}

fn workflow(yaml: &Value, may_mint: fn(&Value) -> bool) -> Definition {
    let (name, job) = only(&yaml["jobs"]);
    Definition {
        name: name.to_owned(),
        declared: if may_mint(job) { Declared::Permission } else { Declared::Nothing },
        environment: job["environment"].as_str().map(str::to_owned),
        variables: texts(&job["env"]),
        scripts: list(&job["steps"]).iter().filter_map(|step| lines(&step["run"])).collect(),
    }
}

fn gitlab(yaml: &Value) -> Definition {
    let (name, job) = only(yaml);
    let tokens = job["id_tokens"].as_object().map(|tokens| {
        tokens.iter().map(|(name, token)| (name.clone(), token["aud"].as_str().unwrap().to_owned())).collect()
    });
    Definition {
        name: name.to_owned(),
        declared: tokens.map_or(Declared::Nothing, Declared::IdTokens),
        environment: None,
        variables: texts(&job["variables"]),
        scripts: lines(&job["script"]).into_iter().collect(),
    }
}

fn circleci(yaml: &Value) -> Definition {
    let (name, job) = only(&yaml["jobs"]);
    let run = |step: &Value| lines(&step["run"]).or_else(|| lines(&step["run"]["command"]));
    Definition {
        name: name.to_owned(),
        declared: Declared::Nothing,
        environment: None,
        variables: texts(&job["environment"]),
        scripts: list(&job["steps"]).iter().filter_map(run).collect(),
    }
}

fn buildkite(yaml: &Value) -> Definition {
    let [step] = list(&yaml["steps"]) else { panic!("expected one step") };
    Definition {
        name: step["key"].as_str().unwrap().to_owned(),
        declared: Declared::Nothing,
        environment: None,
        variables: texts(&step["env"]),
        scripts: lines(&step["commands"]).or_else(|| lines(&step["command"])).into_iter().collect(),
    }
}

fn bitbucket(yaml: &Value) -> Definition {
    let [step] = list(&yaml["pipelines"]["branches"]["main"]) else { panic!("expected one step") };
    let step = &step["step"];
    let audiences = step["oidc"]["audiences"]
        .as_array()
        .map(|audiences| audiences.iter().map(|audience| audience.as_str().unwrap().to_owned()).collect());
    Definition {
        name: step["name"].as_str().unwrap().to_owned(),
        declared: audiences.map_or(Declared::Nothing, Declared::Audiences),
        environment: None,
        variables: Vec::new(),
        scripts: lines(&step["script"]).into_iter().collect(),
    }
}

fn azure_devops(yaml: &Value) -> Definition {
    let [step] = list(&yaml["steps"]) else { panic!("expected one step") };
    let (mapped, variables): (Vec<_>, Vec<_>) =
        texts(&step["env"]).into_iter().partition(|(name, _)| name == "SYSTEM_ACCESSTOKEN");
    let is_mapped = mapped.iter().any(|(_, value)| value == "$(System.AccessToken)");
    Definition {
        name: "step".to_owned(),
        declared: if is_mapped { Declared::Permission } else { Declared::Nothing },
        environment: None,
        variables,
        scripts: lines(&step["script"]).into_iter().collect(),
    }
}

/// The one member.
fn only(value: &Value) -> (&str, &Value) {
    let members: Vec<_> = value.as_object().unwrap().iter().collect();
    let [(name, member)] = members[..] else { panic!("expected one job: {value}") };
    (name, member)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn texts(value: &Value) -> Vec<(String, String)> {
    let members = value.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

/// A script: a text, or a list of lines.
fn lines(value: &Value) -> Option<String> {
    let lines = || value.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<&str>>>();
    value.as_str().map(str::to_owned).or_else(|| Some(lines()?.join("\n")))
}
