//! The way of an id token through the server.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::access_token::{Actor, AuthorizationDetail};
use countersign_core::json::JsonError;
use countersign_core::time::LEEWAY;
use countersign_core::token_exchange::{Scope, TokenRequest, TokenResponse};
use countersign_core::{
    AccessTokenClaims, Audience, FoldedToken, Grant, IdToken, Permission, PublicUrl, Refusal, Resource,
    UnixTime, VerifiedToken, decide,
};
use countersign_verify::{ParseError, UnverifiedToken, VerificationKey};
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;
use tracing::Instrument as _;
use tracing::field::Empty;

mod error;
mod examination;
mod record;
mod recording;
mod sampler;

pub use error::ExchangeError;
pub use examination::Examination;
pub use recording::Recording;
pub use sampler::Sampler;

use crate::clock::{Clock, Randomness, fresh_id};
use crate::config::Tokens;
use crate::issuers::{Found, Issuer, Issuers};
use crate::limits::Limits;
use crate::metrics::{Ending, Metrics};
use crate::publishers::PublisherCache;
use crate::signing::Signer;
use crate::status::{self, StatusLists};
use crate::store::{Exchange, ExchangeId, IdTokenKey, Store, StoreError, Verdict};
use crate::traces::TARGET;

/// How often a publisher may change under an exchange before the caller is asked to come again.
const ATTEMPTS: usize = 4;

/// Everything an exchange needs.
pub struct TokenExchange {
    /// The issuer of our tokens.
    pub own: PublicUrl,
    /// The registry that our tokens are for.
    pub audience: Audience,
    /// What our tokens are like.
    pub tokens: Tokens,
    /// Whose id tokens are exchanged.
    pub issuers: Issuers,
    /// Who is trusted for what.
    pub publishers: PublisherCache,
    /// What our tokens are signed with.
    pub signer: Signer,
    /// Where they have their places in status lists.
    pub status_lists: StatusLists,
    /// The ledger.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub randomness: Arc<dyn Randomness>,
    /// Which of the refusals that anybody can cause are put on record.
    pub sampler: Sampler,
    /// Whether anything can be put there.
    pub recording: Recording,
    /// How much of it anybody gets.
    pub limits: Limits,
    /// Where it is counted.
    pub metrics: Arc<Metrics>,
}

/// A good token, and a place among those that are worked on.
struct Verified<'a> {
    token: VerifiedToken,
    issuer: Arc<Issuer>,
    _place: SemaphorePermit<'a>,
}

/// The token as it was, to be read again.
fn unfold(token: FoldedToken) -> Result<VerifiedToken, ExchangeError> {
    let unreadable = |problem: JsonError| ParseError::Json { part: "payload", problem: problem.to_string() };
    Ok(token.unfold().map_err(unreadable)?)
}

/// What its uses are counted by.
fn id_token_key(token: &VerifiedToken) -> IdTokenKey {
    IdTokenKey::of(token.issuer(), token.replay_key())
}

impl TokenExchange {
    /// A new id for a request, and for all that comes of it.
    pub fn fresh_id(&self) -> ExchangeId {
        ExchangeId(fresh_id(&*self.clock, &*self.randomness))
    }

    /// Exchanges an id token for an access token, and has the outcome on record before it returns.
    pub async fn exchange(
        &self,
        request: TokenRequest,
        id: &ExchangeId,
    ) -> Result<TokenResponse, ExchangeError> {
        let TokenRequest { subject_token, resource, scope } = request;
        let now = self.clock.now();
        let (started, mut issuer) = (Instant::now(), None);
        let span = tracing::trace_span!(target: TARGET, "exchange", outcome = Empty);
        let exchange = async {
            match self.verify_and_issue(subject_token, &resource, scope, id, now, &mut issuer).await {
                Err(error) => Err(self.put_on_record(error, &resource, issuer.as_deref(), id, now).await),
                token => token,
            }
        };
        let answer = exchange.instrument(span.clone()).await;
        span.record("outcome", answer.as_ref().map_or_else(ExchangeError::code, |_| "issued"));
        self.count(&answer, issuer.as_deref(), started.elapsed());
        answer
    }

    async fn verify_and_issue(
        &self,
        id_token: IdToken,
        resource: &Resource,
        scope: Option<Scope>,
        id: &ExchangeId,
        now: UnixTime,
        noted: &mut Option<Arc<Issuer>>,
    ) -> Result<TokenResponse, ExchangeError> {
        let Verified { token, issuer, _place } = self.verify(&id_token, now, noted).await?;
        drop(id_token);
        self.decide_and_issue(resource, scope, token, &issuer, id).await
    }

    /// The way to a good token, for those who buy something with it and for those who only look: neither has a check that
    /// the other lacks. Every step changes the type, so none can be skipped or moved. Notes the issuer as soon as it is
    /// known, for those who count.
    async fn verify(
        &self,
        id_token: &IdToken,
        now: UnixTime,
        noted: &mut Option<Arc<Issuer>>,
    ) -> Result<Verified<'_>, ExchangeError> {
        let unverified = UnverifiedToken::parse(id_token)?;
        let issuer = self.issuer(&unverified)?;
        *noted = Some(Arc::clone(&issuer));
        let span = tracing::trace_span!(target: TARGET, "find key", issuer = %issuer.label);
        let key = self.key(&unverified, &issuer).instrument(span).await?;
        // Not before: exchanges that wait for an issuer's keys would take the places of all others.
        let place = self.limits.begin_exchange().ok_or(ExchangeError::Busy)?;
        let span = tracing::trace_span!(target: TARGET, "verify");
        let token = span.in_scope(|| unverified.verify(&key, &issuer.policy, now))?;
        let tenant = error::tenant(&token, issuer.provider);
        let budget = issuer.budget.as_ref();
        self.limits.admit_verified(&token, &tenant, budget, self.clock.unix_millis())?;
        Ok(Verified { token, issuer, _place: place })
    }

    /// Nothing is asked of anyone for the token of an issuer that is unknown or switched off (invariant 4).
    fn issuer(&self, unverified: &UnverifiedToken<'_>) -> Result<Arc<Issuer>, ExchangeError> {
        match self.issuers.find(unverified.issuer()) {
            Found::Issuer(issuer) => Ok(issuer),
            Found::Disabled => Err(ExchangeError::IssuerDisabled(unverified.issuer().to_owned())),
            Found::Unknown => Err(ExchangeError::unknown_issuer(unverified.issuer())),
        }
    }

    /// The key that the token names, waiting for the issuer if it must be asked; only so many may wait for one issuer.
    async fn key(
        &self,
        token: &UnverifiedToken<'_>,
        issuer: &Issuer,
    ) -> Result<Arc<VerificationKey>, ExchangeError> {
        let _place = issuer.waiting.try_acquire().map_err(|_| ExchangeError::Busy)?;
        Ok(issuer.keys.find(token.key_id(), token.algorithm()).await?)
    }

    /// Decides, signs and records. A grant counts only if the ledger takes it (invariant 1); if the publisher has changed
    /// in between, the decision is made again on what it is now.
    async fn decide_and_issue(
        &self,
        resource: &Resource,
        scope: Option<Scope>,
        mut token: VerifiedToken,
        issuer: &Issuer,
        id: &ExchangeId,
    ) -> Result<TokenResponse, ExchangeError> {
        let now = self.clock.now();
        // The ledger would let nothing in for it either; this costs neither a signature nor a place there.
        if self.store.known_uses_of(&id_token_key(&token), now) >= issuer.max_exchanges {
            return Err(ExchangeError::replayed(&token, issuer));
        }
        let (mut publishers, mut is_current) = self.publishers.remembered(resource, issuer, now).await?;
        for _ in 0..ATTEMPTS {
            let span = tracing::trace_span!(target: TARGET, "decide");
            match span.in_scope(|| decide(resource, &publishers, &token)) {
                Ok(grant) => {
                    let (exchange, answer) = self.sign(grant, scope, &token, issuer, id)?;
                    // Exchanges that wait here are many: none keeps more than it needs.
                    let folded = token.fold();
                    match self.record(exchange).await? {
                        Verdict::Recorded => return Ok(answer),
                        Verdict::Replayed => return Err(ExchangeError::replayed(&unfold(folded)?, issuer)),
                        Verdict::TooLate => return Err(ExchangeError::NothingLeft),
                        Verdict::IssuerDisabled => return Err(ExchangeError::disabled(issuer)),
                        Verdict::PublisherChanged => token = unfold(folded)?,
                    }
                }
                Err(refusal) if is_current => return Err(self.refused(refusal, &token, issuer).await?),
                Err(_) => {}
            }
            publishers = self.publishers.current(resource, issuer, now).await?;
            is_current = true;
        }
        Err(ExchangeError::PublisherKeepsChanging)
    }

    /// A refusal tells a job what its own publishers expect (invariant 10). Id tokens end up in logs, so one that is used up does
    /// not buy that any more.
    async fn refused(
        &self,
        refusal: Refusal,
        token: &VerifiedToken,
        issuer: &Issuer,
    ) -> Result<ExchangeError, StoreError> {
        Ok(if self.is_used_up(token, issuer).await? {
            ExchangeError::replayed(token, issuer)
        } else {
            ExchangeError::refused(refusal, token, issuer)
        })
    }

    /// Whether an id token has bought all that it may.
    async fn is_used_up(&self, token: &VerifiedToken, issuer: &Issuer) -> Result<bool, StoreError> {
        let uses = self.store.uses_of(&id_token_key(token)).await?;
        Ok(uses >= issuer.max_exchanges)
    }

    /// Signs what the grant allows: what is to be recorded, and what is answered once it is.
    fn sign(
        &self,
        grant: Grant,
        scope: Option<Scope>,
        token: &VerifiedToken,
        issuer: &Issuer,
        id: &ExchangeId,
    ) -> Result<(Exchange, TokenResponse), ExchangeError> {
        let grant = grant.narrowed_to(scope.map_or(Permission::Write, Scope::permission));
        // Read again: the issuer's keys and the store may have kept us waiting.
        let now = self.clock.now();
        let lifetime = self.lifetime(token, now)?;
        let status = self.status_lists.next(now, &*self.randomness);
        let mut claims = self.claims(&grant, token, id, now, lifetime);
        claims.status = Some(status::claim(&status, &self.own));
        let span = tracing::trace_span!(target: TARGET, "sign");
        let access_token =
            span.in_scope(|| self.signer.keys().sign(&claims, self.prefix(grant.resource())))?;
        let scope = scope.map(|_| grant.permission());
        let answer = TokenResponse::bearer(access_token, lifetime.as_secs(), scope);
        Ok((record::issued(id, &grant, token, issuer, status, &claims), answer))
    }

    /// Records an exchange, and measures how long that takes.
    async fn record(&self, exchange: Exchange) -> Result<Verdict, StoreError> {
        let _measured = self.metrics.recording();
        let span = tracing::trace_span!(target: TARGET, "record");
        let recorded = self.store.record(exchange).instrument(span).await;
        self.recording.note(&recorded, self.clock.now());
        recorded
    }

    fn count(&self, answer: &Result<TokenResponse, ExchangeError>, issuer: Option<&Issuer>, took: Duration) {
        let (outcome, ending) = match answer {
            Ok(_) => ("issued", Ending::Issued),
            Err(error) if error.is_refusal() => (error.code(), Ending::Refused),
            Err(error) => (error.code(), Ending::Failed),
        };
        if let Err(ExchangeError::TooMany(too_many)) = answer {
            self.metrics.limited(too_many.what);
        }
        self.metrics.exchanged(issuer.map(|issuer| &issuer.label), outcome, ending, took);
    }

    fn lifetime(&self, token: &VerifiedToken, now: UnixTime) -> Result<Duration, ExchangeError> {
        if now >= token.expires_at() + LEEWAY {
            return Err(ExchangeError::NothingLeft);
        }
        if !self.tokens.end_with_id_token {
            return Ok(self.tokens.lifetime);
        }
        let left = token.expires_at().since(now);
        if left.is_zero() { Err(ExchangeError::NothingLeft) } else { Ok(self.tokens.lifetime.min(left)) }
    }

    fn claims(
        &self,
        grant: &Grant,
        token: &VerifiedToken,
        id: &ExchangeId,
        now: UnixTime,
        lifetime: Duration,
    ) -> AccessTokenClaims {
        let publisher = format!("publisher:{}", grant.publisher());
        AccessTokenClaims {
            iss: self.own.to_string(),
            sub: if let Resource::User(_) = grant.resource() {
                grant.resource().to_string()
            } else {
                publisher.clone()
            },
            aud: self.audience.to_string(),
            exp: now + lifetime,
            iat: now,
            jti: id.to_string(),
            client_id: publisher,
            authorization_details: vec![AuthorizationDetail::new(
                grant.resource().clone(),
                grant.permission(),
            )],
            status: None,
            act: Actor { iss: token.issuer().to_string(), sub: token.subject().to_owned() },
        }
    }

    fn prefix(&self, resource: &Resource) -> &str {
        match resource {
            Resource::User(_) => &self.tokens.user_prefix,
            Resource::Repository(_) | Resource::Package(_) => &self.tokens.prefix,
        }
    }

    /// Puts a refusal on record before it is answered, as far as there is room for it (see [`Sampler`]): nobody fills the
    /// disk from outside. All are logged.
    async fn put_on_record(
        &self,
        error: ExchangeError,
        resource: &Resource,
        issuer: Option<&Issuer>,
        id: &ExchangeId,
        now: UnixTime,
    ) -> ExchangeError {
        let admitted = match error.run() {
            Some(run) => {
                let budget = issuer.and_then(|issuer| issuer.budget.as_ref());
                self.sampler.admits(&run.tenant(), budget, now)
            }
            None => error.is_refusal() && self.sampler.admits_anybodys(now),
        };
        let recorded = if admitted {
            self.record(record::refused(id, &error, resource, now)).await.map(drop)
        } else {
            Ok(())
        };
        let error = recorded.err().map_or(error, ExchangeError::Store);
        tracing::info!(%id, %resource, outcome = error.code(), stored = admitted, reason = ?error.for_log(), "exchange refused");
        error
    }
}
