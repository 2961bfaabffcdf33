//! The steps, in order.

use countersign_client::http::{HttpError, Response};
use countersign_client::{
    AmbientProvider, Client, ExchangeError, Identity, IdentityError, LoginError, RequestedResource,
};

use crate::command::doctor::report::{Report, Step};
use crate::command::doctor::{endpoint, fork, identity, issuer};
use crate::failure::{Failure, chain};

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

    /// Looks at everything; makes the exchange if there is a resource to make it for.
    pub(super) fn report(&self, resource: Option<&RequestedResource>) -> Report {
        let mut steps = identity::steps(self);
        steps.push(endpoint::clock(self.client, &self.metadata));
        steps.push(issuer::step(self));
        steps.push(endpoint::step(self.client, &self.metadata));
        steps.push(self.exchange(resource));
        Report(steps)
    }

    fn exchange(&self, resource: Option<&RequestedResource>) -> Step {
        const NAME: &str = "exchange";
        let Some(resource) = resource else {
            return Step::skipped(
                NAME,
                "not made: it uses the id token up; add RESOURCE --exchange to make it",
            );
        };
        let Ok(identity) = &self.identity else {
            return Step::skipped(NAME, "there is no id token to exchange");
        };
        match self.client.exchange(identity.token(), resource) {
            Ok(answer) => {
                let lifetime =
                    answer.expires_in.map_or_else(String::new, |seconds| format!(" for {seconds} s"));
                Step::good(NAME, format!("an access token for {resource}{lifetime}"))
            }
            Err(error) => {
                let remedy = match &error {
                    ExchangeError::Refused(_) => format!(
                        "let a publisher of {resource} match what `countersign whoami` shows; if the reason is not shown to \
                         you, its owner finds it in the registry's record of exchanges"
                    ),
                    _ => format!("see that {} serves, then try again", self.client.endpoint()),
                };
                let detail = chain(&error);
                Step::wrong(NAME, detail, Failure::from(LoginError::from(error)).code(), remedy)
            }
        }
    }
}
