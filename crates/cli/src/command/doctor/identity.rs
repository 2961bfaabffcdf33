//! From the provider to the audience: why the job has no good id token, if it has none.

use countersign_client::{AudienceChoice, IdentityError, MintError, UnverifiedClaims};
use countersign_core::time::LEEWAY;

use crate::command::doctor::examination::Examination;
use crate::command::doctor::report::{Change, Step};
use crate::failure::{NO_IDENTITY, USAGE, chain};

/// The steps that this file looks at; one that fails leaves those after it without anything to look at.
const ORDER: [&str; 5] = ["provider", "variables", "permission", "token", "audience"];
/// After which of them the pull request is looked at.
const FORK_AFTER: &str = "permission";

/// All of them, with the pull request among them.
pub(super) fn steps(examination: &Examination<'_>) -> Vec<Step> {
    let wrong = wrong_step(examination);
    let mut steps = Vec::new();
    let mut failed = false;
    for name in ORDER {
        let step = match &wrong {
            Some((at, detail, change, code)) if *at == name => {
                failed = true;
                Step::wrong(name, detail, *code, change.clone())
            }
            _ if failed => Step::skipped(name, "there is nothing to look at"),
            _ => Step::good(name, good(examination, name)),
        };
        steps.push(step);
        if name == FORK_AFTER {
            steps.push(pull_request(examination));
        }
    }
    steps
}

type Wrong = (&'static str, String, Change, u8);

fn wrong_step(examination: &Examination<'_>) -> Option<Wrong> {
    match &examination.identity {
        Err(error) => {
            let step = failed_step(error);
            let code = if matches!(error, IdentityError::Unsupported { .. }) { USAGE } else { NO_IDENTITY };
            Some((step, without_remedy(examination, chain(error)), change(examination, step), code))
        }
        Ok(identity) => {
            let (step, detail) = match identity.claims() {
                Err(error) => ("token", chain(&error)),
                Ok(claims) => wrong_claim(examination, &claims)?,
            };
            Some((step, detail, change(examination, step), NO_IDENTITY))
        }
    }
}

/// The provider's message without the change that it ends with: that stands at the end of the report.
fn without_remedy(examination: &Examination<'_>, detail: String) -> String {
    let ending = examination.provider.map(|provider| provider.remedy(examination.client.audience()));
    let shorter =
        ending.and_then(|ending| Some(detail.strip_suffix(&ending)?.trim_end_matches("; ").to_owned()));
    shorter.unwrap_or(detail)
}

fn failed_step(error: &IdentityError) -> &'static str {
    match error {
        IdentityError::NoProvider | IdentityError::Unsupported { .. } => "provider",
        IdentityError::Mint(MintError::Audience { .. }) => "audience",
        IdentityError::Mint(
            MintError::Unreadable { .. } | MintError::Expired { .. } | MintError::NoExpiry { .. },
        ) => "token",
        IdentityError::Mint(MintError::NotSetUp { .. })
        | IdentityError::Unset { .. }
        | IdentityError::File { .. } => "variables",
        _ => "permission",
    }
}

/// What is wrong with a supplied token: one that a provider gave has been checked when it came.
fn wrong_claim(examination: &Examination<'_>, claims: &UnverifiedClaims) -> Option<(&'static str, String)> {
    let now = examination.client.surroundings().clock.now();
    match claims.expires_at() {
        None => {
            return Some(("token", "it never ends (no claim \"exp\"), so no registry takes it".to_owned()));
        }
        Some(end) if end + LEEWAY <= now => {
            return Some(("token", format!("it ended {} s ago", now.since(end).as_secs())));
        }
        Some(_) => {}
    }
    let (wanted, found) = (examination.client.audience(), claims.audiences());
    let is_ours = found.contains(&wanted.as_str());
    (!is_ours).then(|| {
        ("audience", format!("the id token is for {:?}, expected one for \"{wanted}\"", found.join(", ")))
    })
}

/// The one change, in the provider's own words and as the lines to add where it has some.
fn change(examination: &Examination<'_>, step: &str) -> Change {
    let audience = examination.client.audience();
    if examination.fork.is_some() && matches!(step, "variables" | "permission") {
        return Change::from(
            "let this job run for the repository's own branches and tags only: a pull request from a fork gets no id \
             token, and must not"
                .to_owned(),
        );
    }
    match (step, examination.provider) {
        ("variables" | "permission", Some(provider)) => {
            Change { words: provider.remedy(audience), snippet: Some(provider.snippet(audience)) }
        }
        ("audience", Some(provider)) => match (provider.audience_choice(), &examination.identity) {
            (AudienceChoice::Declared, _) => {
                Change { words: provider.remedy(audience), snippet: Some(provider.snippet(audience)) }
            }
            (AudienceChoice::Fixed(_), Err(IdentityError::Mint(MintError::Audience { found, .. }))) => Change {
                words: format!(
                    "{} mints for nobody else: if the registry accepts its tokens, say with --audience what they are for",
                    provider.title()
                ),
                snippet: Some(format!("countersign doctor --audience {found}")),
            },
            _ => another_audience(examination),
        },
        ("audience", None) => another_audience(examination),
        ("provider", _) => Change::from(
            "run this in a job of a supported provider, or name the variable that holds an id token with --id-token-env"
                .to_owned(),
        ),
        _ if examination.is_clock_wrong => {
            Change::from("set this machine's clock: it is wrong, so that good id tokens look expired".to_owned())
        }
        _ => Change::from("start the job again, so that it gets a new id token".to_owned()),
    }
}

fn another_audience(examination: &Examination<'_>) -> Change {
    let audience = examination.client.audience();
    Change::from(format!("have the id token minted for {audience}, or say with --audience what it is for"))
}

fn good(examination: &Examination<'_>, step: &str) -> String {
    let client = examination.client;
    let provider = examination.provider;
    let identity = examination.identity.as_ref().ok();
    match step {
        "provider" => provider.map_or_else(
            || "none asked: the id token is supplied".to_owned(),
            |provider| {
                format!("{} ({}), recognised by {}", provider.title(), provider.name(), provider.sign())
            },
        ),
        "variables" => "those that the id token needs are set".to_owned(),
        "permission" => identity.map_or_else(
            || "an id token was given".to_owned(),
            |identity| format!("an id token came from {}", identity.source()),
        ),
        "token" => identity
            .and_then(|identity| identity.claims().ok())
            .map_or_else(|| "a JWT that has not ended".to_owned(), |claims| shape(&claims, examination)),
        _ => client.audience().to_string(),
    }
}

fn shape(claims: &UnverifiedClaims, examination: &Examination<'_>) -> String {
    let text =
        |name: &str| claims.claims().value(name).and_then(|value| value.as_str()).unwrap_or("?").to_owned();
    let now = examination.client.surroundings().clock.now();
    let left = claims.expires_at().map_or(0, |end| end.since(now).as_secs());
    format!("unverified: issuer {}, subject {}, ends in {left} s", text("iss"), text("sub"))
}

fn pull_request(examination: &Examination<'_>) -> Step {
    const NAME: &str = "pull request";
    match &examination.fork {
        Some(fork) => Step::remark(
            NAME,
            format!("it comes from {fork}, a fork, which gets no id token at most providers"),
        ),
        None => Step::good(NAME, "from no fork, as far as the variables say"),
    }
}
