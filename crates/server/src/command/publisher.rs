//! `countersign-server publisher add|list|disable|enable|remove`.

use std::collections::BTreeSet;

use anyhow::Context as _;
use clap::Subcommand;
use countersign_core::publisher::{
    ConditionArgument, PinArgument, PublisherId, PublisherState, RawRules, Revision,
};
use countersign_core::{IssuerUrl, Permission, Provider, Publisher, Resource, Rules};
use countersign_server::clock::{SystemClock, SystemRandomness, fresh_id};
use countersign_server::issuers::choose;
use countersign_server::store::{self, IfMissing, ListedPublisher, PublisherChange, PublisherFilter};

use super::{author, say, written};
use crate::Common;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Trusts the runs that meet the given conditions to have tokens for a resource.
    Add(Add),
    /// Shows the trusted publishers, or those of one resource.
    List(List),
    /// Stops a trusted publisher, and ends its tokens, until it is enabled again.
    Disable(Change),
    /// Enables a trusted publisher again. Tokens that disabling it ended stay dead.
    Enable(Change),
    /// Removes a trusted publisher, and ends its tokens.
    Remove(Change),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// What a token will be for: namespace/name, datasets/namespace/name, a user name, pkg:pypi/name …
    resource: Resource,
    /// The provider: github, gitlab, … or generic; `countersign-server presets` shows them all.
    #[arg(long)]
    provider: Provider,
    /// The issuer, exactly as in `iss`; by default the provider's public one.
    #[arg(long, value_name = "URL")]
    issuer: Option<IssuerUrl>,
    /// A condition: a field of the provider (branch=main) or a JSON Pointer (/runner_environment=github-hosted). Given
    /// twice for one field, either value will do. Write := for a value that is JSON (/pro:=true).
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    conditions: Vec<ConditionArgument>,
    /// An immutable id that the runs must have, instead of the one that the first run teaches.
    #[arg(long = "pin", value_name = "CLAIM=ID")]
    pins: Vec<PinArgument>,
    /// Accepts an event that the provider's preset refuses, such as `workflow_run`.
    #[arg(long = "allow-event", value_name = "EVENT")]
    allowed_events: Vec<String>,
    /// The tokens may read only.
    #[arg(long)]
    read_only: bool,
    /// Prints the publisher as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// The resource; all if it is left out.
    resource: Option<Resource>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Change {
    /// The publisher's id, as `publisher list` shows it.
    id: PublisherId,
    /// Prints what was done as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    common: Common,
}

impl Command {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Add(add) => add.run().await,
            Self::List(list) => list.run().await,
            Self::Disable(change) => change.set_state(PublisherState::Disabled).await,
            Self::Enable(change) => change.set_state(PublisherState::Enabled).await,
            Self::Remove(change) => change.remove().await,
        }
    }
}

impl Add {
    async fn run(self) -> anyhow::Result<()> {
        let config = self.common.load()?;
        let known = config.issuers.iter().map(|issuer| (&issuer.url, issuer.provider));
        let issuer = choose(self.provider, self.issuer.as_ref(), known)?;
        let permission = if self.read_only { Permission::Read } else { self.resource.highest_permission() };
        let rules = Rules::try_from(RawRules {
            issuer,
            provider: self.provider,
            conditions: ConditionArgument::collect(self.conditions),
            pins: PinArgument::collect(self.pins)?,
            allowed_events: BTreeSet::from_iter(self.allowed_events),
        })?;
        let publisher = Publisher {
            id: fresh_id(&SystemClock, &SystemRandomness).parse()?,
            resource: self.resource,
            rules,
            permission,
            state: PublisherState::Enabled,
            revision: Revision(1),
        };
        let add = PublisherChange::Add { publisher: Box::new(publisher.clone()), pending_until: None };
        // A new publisher conflicts with nothing: its id is fresh.
        let _added = store::open(&config.database, IfMissing::Make)
            .await?
            .change_publishers(vec![add], &author(), None)
            .await?;
        if self.json {
            return show_json(&publisher);
        }
        say(&format!("{}\n{}", described(&publisher), line("database", &config.database.to_string())));
        Ok(())
    }
}

impl List {
    async fn run(self) -> anyhow::Result<()> {
        let store = store::open(&self.common.load()?.database, IfMissing::Refuse).await?;
        let filter = PublisherFilter { resource: self.resource, ..PublisherFilter::default() };
        let mut publishers = Vec::new();
        let fetch = async |page: &_| store.publishers(&filter, page).await;
        store::go_through(u64::MAX, fetch, |listed| publishers.push(listed)).await?;
        if self.json {
            return show_json(&publishers);
        }
        if publishers.is_empty() {
            say("no trusted publishers");
        }
        for listed in &publishers {
            say(&with_history(listed));
        }
        Ok(())
    }
}

impl Change {
    async fn set_state(self, state: PublisherState) -> anyhow::Result<()> {
        let store = store::open(&self.common.load()?.database, IfMissing::Refuse).await?;
        let change = PublisherChange::SetState { id: self.id.clone(), expected: None, state };
        let changed = store.change_publishers(vec![change], &author(), None).await?;
        let done = if state == PublisherState::Enabled { "enabled" } else { "disabled" };
        self.report(changed.ok().and_then(|changed| Some(changed.first()?.resource())), done)
    }

    async fn remove(self) -> anyhow::Result<()> {
        let store = store::open(&self.common.load()?.database, IfMissing::Refuse).await?;
        let resource = store.publisher(&self.id).await?.map(|publisher| publisher.resource());
        let change = PublisherChange::Remove { id: self.id.clone(), expected: None };
        let removed = store.change_publishers(vec![change], &author(), None).await?;
        self.report(removed.ok().and(resource), "removed")
    }

    fn report(&self, resource: Option<String>, done: &str) -> anyhow::Result<()> {
        let resource = resource.with_context(|| {
            format!("there is no publisher {}; `publisher list` shows those there are", self.id)
        })?;
        if self.json {
            return show_json(&serde_json::json!({ "id": self.id, "resource": resource, "change": done }));
        }
        say(&format!("{done} the trusted publisher {} of {resource}", self.id));
        Ok(())
    }
}

fn show_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(value)?);
    Ok(())
}

fn with_history(listed: &ListedPublisher) -> String {
    let used = match listed.last_used_at {
        Some(at) => format!("{} exchanges, the last {}", listed.exchanges, written(at)),
        None => "never used".to_owned(),
    };
    let shown = match &listed.publisher {
        Ok(publisher) => described(publisher),
        Err(unreadable) => format!(
            "trusted publisher {} of {}\n{}",
            unreadable.id,
            unreadable.resource,
            line(
                "unreadable",
                &format!("{}; it trusts nobody: remove it and add it again", unreadable.problem)
            )
        ),
    };
    format!("{shown}\n  added        {}\n  used         {used}\n", written(listed.created_at))
}

/// What was understood, line by line.
fn described(publisher: &Publisher) -> String {
    let rules = &publisher.rules;
    let preset = rules.provider().preset();
    let mut lines = vec![
        format!("trusted publisher {} of {}", publisher.id, publisher.resource),
        line("provider", &format!("{}, {}", preset.title, rules.issuer())),
    ];
    for condition in rules.conditions() {
        let values: Vec<String> = condition.values().iter().map(ToString::to_string).collect();
        lines.push(line(&condition.selector().to_string(), &values.join(" or ")));
    }
    for (claim, id) in rules.pins() {
        lines.push(match id {
            Some(id) => line("pinned", &format!("{claim} = {id}")),
            None => line("will pin", &format!("{claim}, at the first exchange")),
        });
    }
    if let Some(event) = &preset.event {
        let refused: Vec<&str> =
            event.refused.iter().copied().filter(|name| !rules.allows_event(name)).collect();
        if !refused.is_empty() {
            lines.push(line("refuses", &format!("{} {}", event.claim, refused.join(", "))));
        }
        let allowed: Vec<&str> =
            event.refused.iter().copied().filter(|name| rules.allows_event(name)).collect();
        if !allowed.is_empty() {
            lines
                .push(line("accepts", &format!("{} {} ({})", event.claim, allowed.join(", "), event.reason)));
        }
    }
    lines.push(line("may", publisher.permission.as_str()));
    if publisher.state == PublisherState::Disabled {
        lines.push(line("state", "disabled"));
    }
    lines.join("\n")
}

fn line(name: &str, value: &str) -> String {
    format!("  {name:<12} {value}")
}
