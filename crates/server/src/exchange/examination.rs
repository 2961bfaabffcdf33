//! Looking at an id token as an exchange would, without buying anything with it.

use std::sync::Arc;

use countersign_core::{IdToken, Publisher, Resource, VerifiedToken};

use super::{ExchangeError, TokenExchange, Verified};
use crate::issuers::Issuer;
use crate::store::{MOST_OF_A_RESOURCE, Page, PublisherFilter};

/// A good id token, and the publishers that have to decide about it.
pub struct Examination {
    /// The token.
    pub token: VerifiedToken,
    /// Its issuer.
    pub issuer: Arc<Issuer>,
    /// Whether it has bought all that it may.
    pub is_used_up: bool,
    /// All publishers of the resource that are in force for anybody, those for other issuers included.
    pub publishers: Vec<Publisher>,
}

impl Examination {
    /// What an exchange comes to whose id token is used up.
    pub fn replayed(&self) -> ExchangeError {
        ExchangeError::replayed(&self.token, &self.issuer)
    }
}

impl TokenExchange {
    /// Verifies an id token as an exchange would. Nothing is issued, used up or put on record.
    pub async fn examine(
        &self,
        id_token: &IdToken,
        resource: &Resource,
    ) -> Result<Examination, ExchangeError> {
        let now = self.clock.now();
        let Verified { token, issuer, _place } = self.verify(id_token, now, &mut None).await?;
        let is_used_up = self.is_used_up(&token, &issuer).await?;
        let filter = PublisherFilter { resource: Some(resource.clone()), ..PublisherFilter::default() };
        let part = self.store.publishers(&filter, &Page::first(MOST_OF_A_RESOURCE)).await?;
        let in_time =
            part.entries.into_iter().filter(|one| one.pending_until.is_none_or(|until| until > now));
        let readable = in_time.filter_map(|listed| listed.publisher.ok());
        // As in an exchange: those of another preset were checked against other meanings of the issuer's claims.
        let fitting = readable.filter(|publisher| {
            publisher.rules.issuer() != issuer.policy.issuer()
                || publisher.rules.provider() == issuer.provider
        });
        let publishers = fitting.collect();
        Ok(Examination { token, issuer, is_used_up, publishers })
    }
}
