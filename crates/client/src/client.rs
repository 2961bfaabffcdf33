//! A job at a registry.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use countersign_core::token_exchange::TokenResponse;
use countersign_core::{Audience, IdToken};
use thiserror::Error;

use crate::endpoint::{Endpoint, EndpointError};
use crate::exchange::{ExchangeError, exchange};
use crate::identity::{Giver, Identity, IdentityError, Supplied};
use crate::job_key::JobKey;
use crate::resource::RequestedResource;
use crate::surroundings::Surroundings;

/// What the caller decides; everything has a default from the environment.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The registry; otherwise `HF_ENDPOINT`, else the Hub.
    pub endpoint: Option<Endpoint>,
    /// What id tokens are minted for; otherwise the endpoint.
    pub audience: Option<Audience>,
    /// An id token that is there already; otherwise `HF_OIDC_ID_TOKEN`, else one is minted.
    pub supplied: Option<Supplied>,
    /// The name of the provider; otherwise it is detected. Ignored where an id token is there already.
    pub provider: Option<String>,
}

/// What the tokens of providers count time in.
const TICK: Duration = Duration::from_secs(1);

/// A job that shows its identity to one registry. Keeps no token: see [`crate::TokenCache`].
#[derive(Clone)]
pub struct Client {
    surroundings: Surroundings,
    endpoint: Endpoint,
    audience: Audience,
    supplied: Option<Supplied>,
    provider: Option<String>,
    /// The hash of the id token that was exchanged last.
    exchanged: Arc<Mutex<Option<Vec<u8>>>>,
}

impl Client {
    /// Completes the settings from the environment.
    pub fn new(surroundings: Surroundings, settings: Settings) -> Result<Self, SetupError> {
        let Settings { endpoint, audience, supplied, provider } = settings;
        let endpoint = match endpoint {
            Some(endpoint) => endpoint,
            None => Endpoint::from_variables(&surroundings.variables).map_err(SetupError)?,
        };
        let audience = audience.unwrap_or_else(|| endpoint.audience().clone());
        Ok(Self { surroundings, endpoint, audience, supplied, provider, exchanged: Arc::default() })
    }

    /// Finds or mints the job's id token.
    pub fn identify(&self) -> Result<Identity, IdentityError> {
        Identity::find(&self.surroundings, self.supplied.as_ref(), self.provider.as_deref(), &self.audience)
    }

    /// What this job's processes share answers for this resource under; `None` where nothing tells it from other jobs.
    ///
    /// Nothing is minted for it: a key is to spare its holder that.
    pub fn job_key(&self, resource: &RequestedResource) -> Result<Option<JobKey>, IdentityError> {
        let (surroundings, audience) = (&self.surroundings, &self.audience);
        let giver = Giver::find(surroundings, self.supplied.as_ref(), self.provider.as_deref())?;
        let names = [self.endpoint.as_str(), audience.as_str(), resource.as_str()];
        JobKey::find(surroundings, &giver, audience, names)
    }

    /// Exchanges an id token.
    pub fn exchange(
        &self,
        token: &IdToken,
        resource: &RequestedResource,
    ) -> Result<TokenResponse, ExchangeError> {
        let response = exchange(&self.surroundings, &self.endpoint, token, resource)?;
        *self.exchanged.lock().unwrap_or_else(PoisonError::into_inner) = Some(hash(token));
        Ok(response)
    }

    /// Identifies the job and exchanges its id token. Stores nothing: what becomes of the answer is the caller's decision.
    ///
    /// Providers without `jti` mint the same id token again within one second, and a server that has exchanged it refuses
    /// it. So a refusal of the token that was exchanged before is followed by one that is minted a second later.
    pub fn login(&self, resource: &RequestedResource) -> Result<TokenResponse, LoginError> {
        let identity = self.identify()?;
        match self.exchange(identity.token(), resource) {
            Err(ExchangeError::Refused(_)) if self.is_minted_twice(&identity) => {
                self.surroundings.clock.sleep(TICK);
                Ok(self.exchange(self.identify()?.token(), resource)?)
            }
            outcome => Ok(outcome?),
        }
    }

    fn is_minted_twice(&self, identity: &Identity) -> bool {
        let exchanged = self.exchanged.lock().unwrap_or_else(PoisonError::into_inner);
        identity.source().mints_again() && *exchanged == Some(hash(identity.token()))
    }

    /// The registry.
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What id tokens are minted for.
    pub const fn audience(&self) -> &Audience {
        &self.audience
    }

    /// Where this runs.
    pub const fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }
}

fn hash(token: &IdToken) -> Vec<u8> {
    digest(&SHA256, token.expose().as_bytes()).as_ref().to_vec()
}

/// `HF_ENDPOINT` holds no address.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the variable {} is no address of a registry", Endpoint::VARIABLE)]
pub struct SetupError(#[source] EndpointError);

/// Why a login gave no access token.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoginError {
    /// The job has no identity to show.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The registry gave nothing for it.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
}
