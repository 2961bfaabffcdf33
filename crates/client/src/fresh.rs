//! One token that is replaced before it ends, for as long as somebody needs it.

use std::fmt;
use std::time::Duration;

use countersign_core::AccessToken;

use crate::client::{Client, LoginError};
use crate::exchange::ExchangeError;
use crate::lease::Lease;
use crate::resource::RequestedResource;

/// The wait after the first failed renewal; it doubles.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The shortest wait before any attempt: a server that gives tokens without lifetime is not to be asked without pause.
const SHORTEST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait between attempts.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// An access token for one resource, with the times at which to ask for the next.
///
/// It starts no thread and waits for nothing: the caller waits for [`FreshToken::due_in`], however it waits for the rest
/// of its work, and then calls [`FreshToken::renew`]. The held token stays what it is until a new one has come.
pub struct FreshToken {
    client: Client,
    resource: RequestedResource,
    random: u64,
    lease: Lease,
    /// On the monotonic clock; `None` when there will be no other.
    due_at: Option<Duration>,
    failures: u32,
}

impl FreshToken {
    /// Obtains the first token.
    ///
    /// `random` moves every renewal forward by up to a tenth of its margin: a hundred jobs that began together shall not
    /// come back together.
    pub fn obtain(client: Client, resource: RequestedResource, random: u64) -> Result<Self, LoginError> {
        let lease = Lease::obtain(&client, &resource)?;
        let mut fresh = Self { client, resource, random, lease, due_at: None, failures: 0 };
        fresh.schedule();
        Ok(fresh)
    }

    /// The latest token.
    pub const fn token(&self) -> &AccessToken {
        &self.lease.token
    }

    /// How long the latest token is good from now on; zero when it has ended.
    pub fn left(&self) -> Duration {
        self.lease.ends_at.saturating_sub(self.now())
    }

    /// How long to wait before the next renewal: 5 minutes before the end, or half the lifetime of a token that has no
    /// more than that. `None` if no other token can be had.
    pub fn due_in(&self) -> Option<Duration> {
        self.due_at.map(|due_at| due_at.saturating_sub(self.now()))
    }

    /// Obtains the next token now.
    ///
    /// After a failure the next attempt is due after a wait that doubles, up to a minute, or when the server asks for it.
    /// It never gives up while another id token can be had: a command that outlives an outage shall find a token after it.
    /// Where the id token was handed to the job once, a refusal of it is the end.
    pub fn renew(&mut self) -> Result<&AccessToken, LoginError> {
        match Lease::obtain(&self.client, &self.resource) {
            Ok(lease) => {
                self.lease = lease;
                self.failures = 0;
                self.schedule();
                Ok(&self.lease.token)
            }
            Err(error) => {
                self.postpone();
                if is_final(&error) && self.lease.is_last {
                    self.due_at = None;
                }
                if let Some(asked) = retry_after(&error) {
                    self.due_at = self.due_at.map(|due_at| due_at.max(self.now().saturating_add(asked)));
                }
                Err(error)
            }
        }
    }

    /// Counts a renewal as failed after all, because its token could not be put where it belongs.
    pub fn postpone(&mut self) {
        let first = (self.lease.margin / 8).clamp(SHORTEST_WAIT, FIRST_WAIT);
        let doubled = first.saturating_mul(1 << self.failures.min(16));
        self.due_at = Some(self.now().saturating_add(doubled.min(LONGEST_WAIT)));
        self.failures = self.failures.saturating_add(1);
    }

    fn schedule(&mut self) {
        let thousandths = u32::try_from(self.random % 1000).unwrap_or(0);
        let early = self.lease.margin + self.lease.margin / 10 * thousandths / 1000;
        let due_at = self.lease.ends_at.saturating_sub(early);
        self.due_at = Some(due_at.max(self.now().saturating_add(SHORTEST_WAIT)));
    }

    fn now(&self) -> Duration {
        self.client.surroundings().clock.monotonic()
    }
}

impl fmt::Debug for FreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FreshToken({})", self.resource.as_str())
    }
}

/// Whether the same id token will fail again: the registry refuses it, or it is seen here that it has ended.
fn is_final(error: &LoginError) -> bool {
    matches!(error, LoginError::Identity(_) | LoginError::Exchange(ExchangeError::Refused(_)))
}

fn retry_after(error: &LoginError) -> Option<Duration> {
    match error {
        LoginError::Exchange(ExchangeError::Unavailable { retry_after, .. }) => *retry_after,
        _ => None,
    }
}
