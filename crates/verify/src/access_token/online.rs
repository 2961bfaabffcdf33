//! Access tokens whose server can be asked for its keys and for what it has revoked.

use std::sync::Arc;

use countersign_core::{AccessToken, Audience, IssuerUrl, Permission, Resource, UnixTime};

use super::{ALGORITHMS, AccessTokenError, AccessTokenVerifier, AuthorizedAccess, open};
use crate::fetch::Fetch;
use crate::issuer_keys::IssuerKeys;
use crate::issuer_keys::discovery::DiscoverySettings;
use crate::status_list::follow::{StatusLists, StatusSettings};

/// What a verifier fetches from the server: keys, and the status lists that tokens name.
#[derive(Debug)]
pub struct Online {
    keys: Arc<IssuerKeys>,
    lists: Arc<StatusLists>,
}

impl AccessTokenVerifier<Online> {
    /// Verifies tokens as [`AccessTokenVerifier::offline`] does, with the keys that the server publishes, and refuses those
    /// that it has revoked, as far as its status lists tell: within their `ttl`, seconds by default.
    pub fn discovered(
        issuer: IssuerUrl,
        audience: Audience,
        fetch: Arc<dyn Fetch>,
        settings: DiscoverySettings,
    ) -> Self {
        let algorithms = ALGORITHMS.to_vec();
        let keys = Arc::new(IssuerKeys::discovered(issuer.clone(), algorithms, Arc::clone(&fetch), settings));
        let status = StatusSettings::default();
        let lists = StatusLists::new(issuer.clone(), &ALGORITHMS, Arc::clone(&keys), fetch, status);
        Self { issuer, audience, keys: Online { keys, lists: Arc::new(lists) } }
    }

    /// The same with other settings for the status lists.
    #[must_use]
    pub fn with_status_lists(self, settings: StatusSettings) -> Self {
        let lists = Arc::new(self.keys.lists.with(settings));
        Self { keys: Online { lists, ..self.keys }, ..self }
    }

    /// Verifies a token and the permission to do one thing to one resource, fetching what is not known yet.
    ///
    /// The status comes last: a token that is refused anyway causes no request for a list.
    pub async fn verify(
        &self,
        token: &AccessToken,
        resource: &Resource,
        permission: Permission,
        now: UnixTime,
    ) -> Result<AuthorizedAccess, AccessTokenError> {
        let envelope = open(token)?;
        let key = self.keys.keys.find(envelope.key_id(), envelope.algorithm()).await?;
        let access = self.authorize(envelope, &key, now)?.permit(resource, permission)?;
        if let Some(status) = &access.claims.status {
            self.keys.lists.check(&status.status_list, now).await?;
        }
        Ok(access)
    }
}
