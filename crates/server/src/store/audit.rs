//! The audit log: who changed what, and a chain of hashes over all that is on record.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use countersign_core::UnixTime;
use serde::Serialize;
use serde_json::Value;

use super::ExchangeId;
use crate::admin::ResourcePattern;

mod chain;
mod entry;

pub use chain::{ChainBreak, ChainHead, ChainHeadError, ChainReader, Link, Verified};
pub(super) use entry::Entry;

/// Who changes something, when, and on which request.
#[derive(Clone, Debug)]
pub struct Author {
    /// Who.
    pub actor: Actor,
    /// When.
    pub at: UnixTime,
    /// The request or the call of a command, under which the log has the change.
    pub request: ExchangeId,
}

/// Who can change something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The holder of an admin token, by the token's id.
    AdminToken(String),
    /// A person at the machine, by a local command.
    Command,
    /// The server by itself: a key that was due, a pending publisher whose time was up.
    Server,
    /// A CI job, by an exchange that taught its publisher an id.
    Exchange,
    /// Whoever holds the token that is revoked.
    Holder,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AdminToken(id) => write!(f, "admin_token:{id}"),
            Self::Command => f.write_str("command"),
            Self::Server => f.write_str("server"),
            Self::Exchange => f.write_str("exchange"),
            Self::Holder => f.write_str("holder"),
        }
    }
}

/// One entry of the log: a change of anything but the ledger.
#[derive(Clone, Debug, Serialize)]
pub struct Change {
    /// The request that made it.
    pub request: ExchangeId,
    /// Its number among the changes of that request, from 0.
    pub ordinal: u32,
    /// When.
    pub at: UnixTime,
    /// Who, as [`Actor`] writes it.
    pub actor: String,
    /// What was done: `publisher.added`, `signing_key.revoked` …
    pub action: String,
    /// To what: `publisher:ID`, `token:ID`, `admin_token:ID`, `signing_key:KID`, `issuer:URL`.
    pub target: String,
    /// The resource that it is about, if it is about one.
    pub resource: Option<String>,
    /// What it was like before.
    pub before: Option<Value>,
    /// What it is like since.
    pub after: Option<Value>,
}

/// Which changes to list; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct ChangeFilter {
    /// Those about this resource.
    pub resource: Option<String>,
    /// Those of this target.
    pub target: Option<String>,
    /// Those by this actor.
    pub actor: Option<String>,
    /// Those at that time or later.
    pub since: Option<UnixTime>,
    /// Those before that time.
    pub until: Option<UnixTime>,
    /// Those about resources that one of these patterns means.
    pub within: Option<Vec<ResourcePattern>>,
}

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What is written in one transaction: the link of the chain that holds its rows together with all before them.
///
/// Rows that were written together are hashed in the order of their keys, so that reading them back needs no order of
/// writing. What may change later (whether a token was revoked) is no part of a row's hash: a revocation is an entry of
/// its own.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The chain: each process that writes for itself has one.
    pub chain: i64,
    /// Its number in the chain, from 1.
    pub number: i64,
    /// The hash of the batch before; zeros for the first.
    pub previous: Hash,
    rows: Vec<(String, Hash)>,
    exchanges: u32,
}

impl Batch {
    /// The batch that comes after number `last` with that hash.
    pub fn after(chain: i64, last: i64, hash: Hash) -> Self {
        Self { chain, number: last + 1, previous: hash, rows: Vec::new(), exchanges: 0 }
    }

    /// Adds an exchange.
    pub fn exchange(&mut self, row: &ExchangeRow<'_>) {
        self.rows.push((row.id.to_owned(), row.hash()));
        self.exchanges += 1;
    }

    /// Adds a change.
    pub fn change(&mut self, row: &ChangeRow<'_>) {
        self.rows.push((format!("{}/{}", row.request, row.ordinal), row.hash()));
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows it has, of both kinds.
    pub fn rows(&self) -> i64 {
        i64::try_from(self.rows.len()).unwrap_or(i64::MAX)
    }

    /// The first and the last id of its rows; an exchange's own, or the request's of a change.
    pub fn span(&self) -> Option<(&str, &str)> {
        let ids = || self.rows.iter().map(|(key, _)| key.split('/').next().unwrap_or(key));
        Some((ids().min()?, ids().max()?))
    }

    /// The hash of the whole.
    pub fn hash(&self) -> Hash {
        let mut rows: Vec<&(String, Hash)> = self.rows.iter().collect();
        rows.sort();
        let mut hasher = Fields::of("countersign batch 1");
        hasher.number(self.chain).number(self.number).bytes(&self.previous);
        for (_, hash) in rows {
            hasher.bytes(hash);
        }
        hasher.finish()
    }
}

/// The columns of an exchange that never change.
#[derive(Debug)]
pub struct ExchangeRow<'a> {
    /// Its id.
    pub id: &'a str,
    /// When, in Unix seconds.
    pub at: i64,
    /// What came of it.
    pub outcome: &'a str,
    /// The resource.
    pub resource: Option<&'a str>,
    /// The issuer.
    pub issuer: Option<&'a str>,
    /// The subject.
    pub subject: Option<&'a str>,
    /// The publisher.
    pub publisher: Option<&'a str>,
    /// When the token ends.
    pub expires_at: Option<i64>,
    /// The token's status list and its index there.
    pub status: Option<(&'a str, u32)>,
    /// Claims and decision, as the JSON text that is stored.
    pub detail: &'a str,
}

impl ExchangeRow<'_> {
    fn hash(&self) -> Hash {
        let mut hasher = Fields::of("countersign exchange 1");
        hasher.text(self.id).number(self.at).text(self.outcome);
        hasher.optional(self.resource).optional(self.issuer).optional(self.subject).optional(self.publisher);
        hasher.optional_number(self.expires_at).optional(self.status.map(|(list, _)| list));
        hasher.optional_number(self.status.map(|(_, index)| i64::from(index))).text(self.detail);
        hasher.finish()
    }
}

/// The columns of a change.
#[derive(Debug)]
pub struct ChangeRow<'a> {
    /// The request.
    pub request: &'a str,
    /// Its number in the request.
    pub ordinal: u32,
    /// When, in Unix seconds.
    pub at: i64,
    /// Who.
    pub actor: &'a str,
    /// What.
    pub action: &'a str,
    /// To what.
    pub target: &'a str,
    /// The resource.
    pub resource: Option<&'a str>,
    /// Before, as the JSON text that is stored.
    pub before: Option<&'a str>,
    /// After, likewise.
    pub after: Option<&'a str>,
}

impl ChangeRow<'_> {
    fn hash(&self) -> Hash {
        let mut hasher = Fields::of("countersign change 1");
        hasher.text(self.request).number(i64::from(self.ordinal)).number(self.at);
        hasher.text(self.actor).text(self.action).text(self.target);
        hasher.optional(self.resource).optional(self.before).optional(self.after);
        hasher.finish()
    }
}

/// Hashes fields so that no two rows of different content give the same bytes: each with its length before it.
struct Fields(Context);

impl Fields {
    fn of(kind: &str) -> Self {
        let mut fields = Self(Context::new(&SHA256));
        fields.text(kind);
        fields
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    fn number(&mut self, number: i64) -> &mut Self {
        self.bytes(&number.to_be_bytes())
    }

    /// `None` has a length that no text has.
    fn optional(&mut self, text: Option<&str>) -> &mut Self {
        if let Some(text) = text {
            return self.text(text);
        }
        self.0.update(&u64::MAX.to_be_bytes());
        self
    }

    fn optional_number(&mut self, number: Option<i64>) -> &mut Self {
        let bytes = number.map(i64::to_be_bytes);
        match &bytes {
            Some(bytes) => self.bytes(bytes),
            None => self.optional(None),
        }
    }

    fn finish(self) -> Hash {
        let mut hash = [0; 32];
        hash.copy_from_slice(self.0.finish().as_ref());
        hash
    }
}
