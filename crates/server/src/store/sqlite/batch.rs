//! What a batch of exchanges does to the database, in one transaction.

use std::collections::HashMap;

use countersign_core::publisher::PublisherId;
use countersign_core::{IssuerUrl, UnixTime};
use rusqlite::{CachedStatement, Transaction, params};

use super::journal::{CHAIN, Journal};
use super::publishers::InForce;
use super::replay::{Added, Attempt, LastUse, ReplayMemory, Uses};
use super::{issuers, publishers};
use crate::store::audit::ExchangeRow;
use crate::store::{Actor, Author, Exchange, Issuance, Outcome, StatusEntry, StoreError, Verdict};

const INSERTION: &str = "
    INSERT INTO exchanges (id, at, outcome, resource, issuer, subject, publisher, expires_at, status_list, status_index, detail, chain,
        batch)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

/// The exchanges of one transaction. What several of them rest on is looked up once: nobody else changes it meanwhile.
pub(super) struct Batch<'a> {
    transaction: &'a Transaction<'a>,
    journal: Journal,
    insertion: CachedStatement<'a>,
    replay: &'a ReplayMemory,
    /// Nothing before the first exchange that comes to a token: refusals need not know what was used.
    id_tokens: Option<Uses<'a>>,
    publishers: HashMap<PublisherId, Option<InForce>>,
    disabled: HashMap<IssuerUrl, bool>,
    /// The last use of each publisher, and how many there were.
    uses: HashMap<PublisherId, (UnixTime, i64)>,
}

impl<'a> Batch<'a> {
    /// Begins in a transaction that holds the write lock.
    pub(super) fn begin(
        transaction: &'a Transaction<'a>,
        replay: &'a ReplayMemory,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            transaction,
            journal: Journal::open(transaction)?,
            insertion: transaction.prepare_cached(INSERTION)?,
            replay,
            id_tokens: None,
            publishers: HashMap::new(),
            disabled: HashMap::new(),
            uses: HashMap::new(),
        })
    }

    /// Records one exchange.
    ///
    /// Invariant 2: the use of the id token and the record of the exchange are written by one transaction, and none can be added
    /// without all that were before it (`replay.rs`). Invariant 3: nothing of a refusal touches them.
    pub(super) fn record(&mut self, exchange: &Exchange) -> Result<Verdict, StoreError> {
        let issuance = match &exchange.outcome {
            Outcome::Refused(code) => {
                self.insert(exchange, code, None)?;
                return Ok(Verdict::Recorded);
            }
            Outcome::Issued(issuance) => issuance,
        };
        let present = self.publisher(&issuance.publisher)?.filter(|present| {
            present.revision == issuance.revision
                && present.pending_until.is_none_or(|until| until > exchange.at.as_seconds())
        });
        let Some(present) = present else { return Ok(Verdict::PublisherChanged) };
        if self.is_disabled(&issuance.issuer)? {
            return Ok(Verdict::IssuerDisabled);
        }
        match self.id_tokens()?.add(issuance)? {
            Attempt::Counted => {}
            Attempt::NoneLeft => return Ok(Verdict::Replayed),
            Attempt::Forgotten => return Ok(Verdict::TooLate),
        }
        if issuance.learned.is_some() || present.pending_until.is_some() {
            self.change_publisher(exchange, issuance)?;
        }
        let (last, count) = self.uses.entry(issuance.publisher.clone()).or_insert((exchange.at, 0));
        *last = (*last).max(exchange.at);
        *count += 1;
        self.insert(exchange, "issued", Some(issuance))?;
        Ok(Verdict::Recorded)
    }

    /// Writes what the exchanges come to together, and says what was the last use of an id token, and what there is to put down
    /// of all of them once the caller has committed.
    pub(super) fn finish(self) -> Result<Option<(LastUse, Added)>, StoreError> {
        for (publisher, (last, count)) in &self.uses {
            publishers::count_uses(self.transaction, publisher, *last, *count)?;
        }
        self.journal.seal(self.transaction)?;
        let at = self.uses.values().map(|(last, _)| *last).max();
        Ok(at.zip(self.id_tokens).map(|(at, id_tokens)| {
            let last = LastUse { at, number: id_tokens.last() };
            (last, id_tokens.added())
        }))
    }

    fn id_tokens(&mut self) -> Result<&mut Uses<'a>, StoreError> {
        let uses = match self.id_tokens.take() {
            Some(uses) => uses,
            None => self.replay.begin(self.transaction)?,
        };
        Ok(self.id_tokens.insert(uses))
    }

    fn publisher(&mut self, id: &PublisherId) -> Result<Option<InForce>, StoreError> {
        if let Some(known) = self.publishers.get(id) {
            return Ok(*known);
        }
        let present = publishers::in_force(self.transaction, id)?;
        self.publishers.insert(id.clone(), present);
        Ok(present)
    }

    fn is_disabled(&mut self, issuer: &IssuerUrl) -> Result<bool, StoreError> {
        if let Some(known) = self.disabled.get(issuer) {
            return Ok(*known);
        }
        let is_disabled = issuers::is_disabled(self.transaction, issuer)?;
        self.disabled.insert(issuer.clone(), is_disabled);
        Ok(is_disabled)
    }

    /// What the exchange does to its publisher, which is as it was decided on.
    fn change_publisher(&mut self, exchange: &Exchange, issuance: &Issuance) -> Result<(), StoreError> {
        let author = Author { actor: Actor::Exchange, at: exchange.at, request: exchange.id.clone() };
        let (transaction, journal, id) = (self.transaction, &mut self.journal, &issuance.publisher);
        if let Some(rules) = &issuance.learned
            && !publishers::learn(transaction, journal, &author, id, issuance.revision, rules)?
        {
            // The revision was compared before, inside this very transaction.
            return Err(StoreError::unreadable("a publisher changed inside a transaction"));
        }
        // One that is not pending stays as it is.
        publishers::confirm(transaction, journal, &author, id)?;
        // Others of that name may be gone, too.
        self.publishers.clear();
        Ok(())
    }

    fn insert(
        &mut self,
        exchange: &Exchange,
        outcome: &str,
        issuance: Option<&Issuance>,
    ) -> Result<(), StoreError> {
        let resource = exchange.resource.as_ref().map(ToString::to_string);
        let status = issuance.and_then(|issuance| issuance.status.as_ref());
        let row = ExchangeRow {
            id: &exchange.id.0,
            at: exchange.at.as_seconds(),
            outcome,
            resource: resource.as_deref(),
            issuer: exchange.issuer.as_deref(),
            subject: exchange.subject.as_deref(),
            publisher: issuance.map(|issuance| issuance.publisher.as_str()),
            expires_at: issuance.map(|issuance| issuance.expires_at.as_seconds()),
            status: status.map(|StatusEntry { list, index }| (list.as_str(), *index)),
            detail: &exchange.detail,
        };
        self.insertion.execute(params![
            row.id,
            row.at,
            row.outcome,
            row.resource,
            row.issuer,
            row.subject,
            row.publisher,
            row.expires_at,
            row.status.map(|(list, _)| list),
            row.status.map(|(_, index)| index),
            row.detail,
            CHAIN,
            self.journal.number(),
        ])?;
        self.journal.exchange(&row);
        Ok(())
    }
}
