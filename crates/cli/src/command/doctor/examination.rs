//! The steps, in order.

use countersign_client::http::{HttpError, Response};
use countersign_client::{
    AmbientProvider, Client, ExchangeError, Identity, IdentityError, LoginError, RequestedResource,
};

use crate::administration::Administration;
use crate::command::doctor::report::{Report, Step};
use crate::command::doctor::{endpoint, fork, identity, issuer};
use crate::command::explain::{Explanation, question};
use crate::failure::{Failure, REFUSED, chain};

const NAME: &str = "exchange";

/// What to do about the exchange.
#[derive(Clone, Copy)]
pub(super) enum Exchange<'a> {
    /// Nothing.
    LeftOut,
    /// Ask what it would come to.
    Explained(&'a RequestedResource),
    /// Make it.
    Made(&'a RequestedResource),
}

/// A job under examination: what it got, and from whom.
pub(super) struct Examination<'a> {
    pub(super) client: &'a Client,
    /// The provider that gave the id token or should have.
    pub(super) provider: Option<&'static AmbientProvider>,
    pub(super) identity: Result<Identity, IdentityError>,
    /// The repository that the pull request comes from, if that is another one.
    pub(super) fork: Option<String>,
    /// What the registry answered about itself.
    pub(super) metadata: Result<Response, HttpError>,
    /// Whether this machine's clock and the registry's differ by more than anybody overlooks.
    pub(super) is_clock_wrong: bool,
}

impl<'a> Examination<'a> {
    /// Asks for an id token, as every command would. `named` is the provider that the person named.
    pub(super) fn of(client: &'a Client, named: Option<&str>) -> Self {
        let surroundings = client.surroundings();
        let identity = client.identify();
        let provider = match (&identity, named) {
            (Ok(identity), _) => identity.provider(),
            (Err(_), Some(name)) => AmbientProvider::named(name),
            (Err(_), None) => AmbientProvider::detected(surroundings),
        };
        let metadata = endpoint::metadata(client);
        let is_clock_wrong = endpoint::is_clock_wrong(client, &metadata);
        Self { client, provider, identity, fork: fork::source(surroundings), metadata, is_clock_wrong }
    }

    /// Looks at everything.
    pub(super) fn report(&self, exchange: Exchange<'_>) -> Report {
        let mut steps = identity::steps(self);
        steps.push(endpoint::clock(self.client, &self.metadata));
        steps.push(issuer::step(self));
        steps.push(endpoint::step(self.client, &self.metadata));
        steps.push(self.exchange(exchange));
        Report(steps)
    }

    fn exchange(&self, exchange: Exchange<'_>) -> Step {
        let identity = self.identity.as_ref();
        match (exchange, identity) {
            (Exchange::LeftOut, _) => Step::skipped(
                NAME,
                "not made: add RESOURCE to ask what it would come to, and --exchange to make it",
            ),
            (_, Err(_)) => Step::skipped(NAME, "there is no id token to exchange"),
            (Exchange::Explained(resource), Ok(identity)) => self.explained(identity, resource),
            (Exchange::Made(resource), Ok(identity)) => self.made(identity, resource),
        }
    }

    /// In dry run, where the registry offers that: nothing is issued or used up.
    fn explained(&self, identity: &Identity, resource: &RequestedResource) -> Step {
        let server = Administration::new(self.client.surroundings(), self.client.endpoint().clone(), None);
        match server.ask::<Explanation>("/explain", &question(identity.token(), resource)) {
            Ok(explanation) if explanation.is_granted() => {
                Step::good(NAME, format!("not made; {}", explanation.message()))
            }
            Ok(explanation) => {
                let detail = format!("not made, and would be refused: {}", explanation.message());
                Step::wrong(NAME, detail, REFUSED, publisher_remedy(resource))
            }
            Err(_) => Step::skipped(
                NAME,
                "not made, since it uses the id token up, and the registry does not say what it would come to; add --exchange \
                 to make it",
            ),
        }
    }

    fn made(&self, identity: &Identity, resource: &RequestedResource) -> Step {
        match self.client.exchange(identity.token(), resource) {
            Ok(answer) => {
                let lifetime =
                    answer.expires_in.map_or_else(String::new, |seconds| format!(" for {seconds} s"));
                Step::good(NAME, format!("an access token for {resource}{lifetime}"))
            }
            Err(error) => {
                let remedy = match &error {
                    ExchangeError::Refused(_) => publisher_remedy(resource),
                    _ => format!("see that {} serves, then try again", self.client.endpoint()),
                };
                let detail = chain(&error);
                Step::wrong(NAME, detail, Failure::from(LoginError::from(error)).code(), remedy)
            }
        }
    }
}

fn publisher_remedy(resource: &RequestedResource) -> String {
    format!(
        "let a publisher of {resource} match what `countersign whoami` shows; if the reason is not shown to you, its owner \
         finds it in the registry's record of exchanges"
    )
}
