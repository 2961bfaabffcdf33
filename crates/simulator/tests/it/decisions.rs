//! What a server decides on the runs that are played: the usual one is let in, and one claim changed is enough to be refused.

use std::collections::BTreeMap;

use countersign_core::proposal::{Proposal, Unproposable, propose};
use countersign_core::publisher::{Publisher, PublisherState, RawRules, Revision};
use countersign_core::{
    Claims, Permission, Provider, ReplayKey, Resource, Rules, Scalar, Statement, UnixTime, VerifiedToken,
    decide,
};
use countersign_simulator::{Overrides, Pretended, Simulator};
use serde_json::{Value, json};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// One thing that is wrong with a run of each provider.
const WRONG: [(Provider, &str); 23] = [
    (Provider::Github, "repository=evil/train"),
    (Provider::Gitlab, "project_path=evil/train"),
    (Provider::Circleci, "oidc.circleci.com/ssh-rerun:=true"),
    (Provider::Buildkite, "organization_slug=evil"),
    (Provider::Bitbucket, "repositoryUuid={00000000-0000-4000-8000-000000000009}"),
    (Provider::Forgejo, "workflow=evil.yml"),
    (Provider::Gitea, "ref=refs/heads/evil"),
    (Provider::Depot, "org_id=org_evil"),
    (Provider::AzureDevops, "rpo_ref=refs/pull/7/merge"),
    (Provider::Semaphore, "job_type=debug_job"),
    (Provider::Codefresh, "account_name=evil"),
    (Provider::Spacelift, "runType=PROPOSED"),
    (Provider::HcpTerraform, "terraform_run_phase=plan"),
    (Provider::Env0, "environmentName=test"),
    (Provider::Bitrise, "app_slug=evil"),
    (Provider::Fly, "app_name=evil"),
    (Provider::Vercel, "environment=preview"),
    (Provider::Modal, "workspace_id=ac-evil"),
    (Provider::Kubernetes, "namespace=evil"),
    (Provider::Aws, r#"https://sts.amazonaws.com/:={"aws_account":"210987654321"}"#),
    (Provider::Azure, "oid=00000000-0000-4000-8000-000000000009"),
    (Provider::Google, "email_verified:=false"),
    (Provider::Spiffe, "sub=spiffe://evil.example.com/publisher"),
];

fn token(played: &dyn Pretended, overrides: &str) -> VerifiedToken {
    let claims = Claims::new(played.claims_of(&overrides.parse::<Overrides>().unwrap(), NOW));
    let issuer = played.issuer().clone();
    VerifiedToken::vouched_by_signature(issuer, "-".to_owned(), NOW, ReplayKey::from_jti("1"), claims)
}

/// A publisher whose conditions are all that the preset's fields say of the usual run.
fn publisher(played: &dyn Pretended, resource: &Resource) -> Publisher {
    let (provider, usual) = (played.preset(), token(played, ""));
    let fields = provider.preset().fields.iter();
    let told = fields
        .filter_map(|field| Some((field.name.to_owned(), field.value_in(usual.statement())?.into_owned())));
    let mut told: BTreeMap<String, String> = told.collect();
    if provider == Provider::Bitrise {
        told.insert("/app_slug".to_owned(), "train".to_owned());
    }
    let conditions = told.into_iter().map(|(name, value)| (name, vec![Scalar::Text(value)]));
    let rules = RawRules {
        issuer: played.issuer().clone(),
        provider,
        conditions: conditions.collect(),
        pins: [].into(),
        allowed_events: [].into(),
    };
    of_rules(rules.try_into().unwrap(), resource)
}

fn of_rules(rules: Rules, resource: &Resource) -> Publisher {
    Publisher {
        id: "01890000-0000-7000-8000-000000000001".parse().unwrap(),
        resource: resource.clone(),
        rules,
        permission: Permission::Write,
        state: PublisherState::Enabled,
        revision: Revision(1),
    }
}

#[tokio::test]
async fn the_usual_run_is_let_in_and_one_wrong_claim_is_enough() {
    let simulator = Simulator::start().await.unwrap();
    assert!(simulator.providers().map(Pretended::preset).eq(WRONG.map(|(provider, _)| provider)));
    let resource: Resource = "acme/model".parse().unwrap();
    for (provider, wrong) in WRONG {
        let played = simulator.provider(provider).unwrap();
        let mut publisher = publisher(played, &resource);
        let grant = decide(&resource, std::slice::from_ref(&publisher), &token(played, ""));
        let grant = grant.unwrap_or_else(|refusal| panic!("{provider}: {}", refusal.for_owner()));
        // What the first run has taught, later ones are held to.
        if let Some(learned) = grant.learned() {
            publisher.rules = learned.clone();
        }
        assert!(publisher.rules.pins().all(|(_, id)| id.is_some()), "{provider}");
        decide(&resource, std::slice::from_ref(&publisher), &token(played, "")).unwrap();
        assert!(decide(&resource, &[publisher], &token(played, wrong)).is_err(), "{provider}: {wrong}");
    }
}

/// What the ledger keeps of a run.
fn recorded(token: &VerifiedToken, provider: Provider) -> Statement {
    let kept = provider.preset().recorded(token.claims());
    let kept = kept.map(|(name, value)| (name.to_owned(), value.clone()));
    Statement::new(token.issuer().clone(), Claims::new(kept.collect()))
}

#[tokio::test]
async fn what_is_proposed_lets_the_same_run_in_and_no_other() {
    let simulator = Simulator::start().await.unwrap();
    let resource: Resource = "acme/model".parse().unwrap();
    for (provider, wrong) in WRONG {
        let played = simulator.provider(provider).unwrap();
        let usual = token(played, "");
        let proposals = [usual.statement().clone(), recorded(&usual, provider)].map(|statement| {
            let proposal = propose(provider, &statement, provider.preset().defaults.max_exchanges);
            proposal.map(|Proposal { rules, .. }| of_rules(rules, &resource))
        });
        for proposal in proposals {
            let publisher = match proposal {
                Err(Unproposable::NothingKnown(_)) if provider == Provider::Bitrise => continue,
                proposal => proposal.unwrap_or_else(|error| panic!("{provider}: {error}")),
            };
            let publishers = std::slice::from_ref(&publisher);
            let grant = decide(&resource, publishers, &usual);
            let grant = grant.unwrap_or_else(|refusal| panic!("{provider}: {}", refusal.for_owner()));
            assert!(grant.learned().is_none(), "{provider}: every id is given");
            // From the role's ARN alone the account is not seen.
            let is_seen = provider != Provider::Aws || publisher.rules.has_field("account");
            assert!(!is_seen || decide(&resource, publishers, &token(played, wrong)).is_err(), "{provider}");
        }
    }
}

/// Without this, a fork's branch could be proposed from a record that does not show that it was a fork's.
#[tokio::test]
async fn a_record_keeps_all_that_a_preset_reads() {
    let simulator = Simulator::start().await.unwrap();
    // The claim that has the account of AWS holds tags of persons too, so it is not kept; the role's ARN names the account.
    for played in simulator.providers().filter(|played| played.preset() != Provider::Aws) {
        let provider = played.preset();
        let preset = provider.preset();
        let usual = token(played, "");
        let rules = publisher(played, &"acme/model".parse().unwrap()).rules;
        let read = |statement: &Statement| {
            let fields = preset.fields.iter().map(|field| field.value_in(statement).map(Into::into));
            let ids = preset.pins.iter().map(|pin| pin.value_in(statement).map(Into::into));
            let event = preset.event.iter().map(|event| statement.claims().text(event.claim).map(Into::into));
            let read: Vec<Option<String>> = fields.chain(ids).chain(event).collect();
            (read, (preset.guard)(statement, &rules).is_some())
        };
        let unrecorded = preset.known_claims.iter().filter(|claim| !preset.recorded_claims.contains(claim));
        for claim in unrecorded.chain(&["x"]) {
            let mut claims = usual.claims().as_map().clone();
            for value in [json!("x"), json!(true), Value::Null] {
                claims.insert((*claim).to_owned(), value);
                let changed = Statement::new(usual.issuer().clone(), Claims::new(claims.clone()));
                assert_eq!(read(&changed), read(usual.statement()), "{provider} reads {claim}");
            }
        }
        assert_eq!(read(&recorded(&usual, provider)), read(usual.statement()), "{provider}");
    }
}
