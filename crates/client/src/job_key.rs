//! A key that the processes of one job have, and nobody else.

use std::fmt::{self, Write as _};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, Tag, sign};
use countersign_core::token_exchange::TokenResponse;
use countersign_core::{Audience, UnixTime};
use serde_json::{Value, json};

use crate::ambient::JobMark;
use crate::identity::{Giver, Identity, IdentityError, Supplied};
use crate::lease::margin;
use crate::surroundings::Surroundings;

/// What the processes of one job share a registry's answer under: a name to find it by, and a key to read it with.
///
/// Both come from a secret that only this job has ever had ([`JobMark`]), and from the registry, the audience, the resource
/// and who gave the id token. So what is left behind is nothing to the next job on the same machine, what others have put
/// there is no answer, and no answer is taken for another question.
pub struct JobKey {
    name: String,
    key: Tag,
    mints_again: bool,
}

/// An answer that only this job can read.
#[derive(Debug)]
pub struct SealedAnswer {
    /// What to keep.
    pub bytes: Vec<u8>,
    /// When the token in it ends.
    pub ends_at: UnixTime,
}

/// What the bytes are, which another version would not take for its own.
const FORM: &[u8] = b"countersign answer 1";

impl JobKey {
    /// The key of this job, for an answer that these names tell from others.
    pub(crate) fn find(
        surroundings: &Surroundings,
        giver: &Giver,
        audience: &Audience,
        names: [&str; 3],
    ) -> Result<Option<Self>, IdentityError> {
        let Some(secret) = Secret::of(surroundings, giver, audience)? else { return Ok(None) };
        let [endpoint, audience, resource] = names;
        let key = Key::new(HMAC_SHA256, secret.text.as_bytes());
        let derived = |purpose| sign(&key, &joined(&[purpose, secret.giver, endpoint, audience, resource]));
        let name = derived("name").as_ref().iter().take(16).fold(String::new(), |mut name, byte| {
            // Writing to a text does not fail.
            let _ = write!(name, "{byte:02x}");
            name
        });
        Ok(Some(Self { name, key: derived("key"), mints_again: secret.mints_again }))
    }

    /// What an answer is found by: 32 hexadecimal digits, which tell nothing of the secret.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Seals an answer to a request that was sent at that time; `None` if the server did not say when its token ends.
    pub fn seal(&self, answer: &TokenResponse, asked_at: UnixTime) -> Option<SealedAnswer> {
        let ends_at = asked_at + Duration::from_secs(answer.expires_in?);
        let (from, to) = (asked_at.as_seconds(), ends_at.as_seconds());
        let mut sealed =
            json!({ "from": from, "to": to, "answer": answer.to_json().ok()? }).to_string().into_bytes();
        let nonce = self.cipher()?.seal_in_place_append_tag(Aad::from(FORM), &mut sealed).ok()?;
        Some(SealedAnswer { bytes: [&nonce.as_ref()[..], &sealed].concat(), ends_at })
    }

    /// The answer, with what is left of its lifetime; `None` if this job did not seal it, if it is time for the next one, or
    /// if the clock has been set back since.
    ///
    /// As in memory, a token is replaced before its end unless its id token is the job's only one.
    pub fn open(&self, sealed: &[u8], now: UnixTime) -> Option<TokenResponse> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let text = self.cipher()?.open_in_place(nonce, Aad::from(FORM), &mut sealed).ok()?;
        let record: Value = serde_json::from_slice(text).ok()?;
        let time = |member: &str| record.get(member)?.as_i64().map(UnixTime::from_seconds);
        let (from, to) = (time("from")?, time("to")?);
        let margin = if self.mints_again { margin(to.since(from)) } else { Duration::ZERO };
        if now < from || now + margin >= to {
            return None;
        }
        let mut answer = TokenResponse::from_json(record.get("answer")?.as_str()?.as_bytes()).ok()?;
        answer.expires_in = Some(to.since(now).as_secs());
        Some(answer)
    }

    fn cipher(&self) -> Option<RandomizedNonceKey> {
        RandomizedNonceKey::new(&AES_256_GCM, self.key.as_ref()).ok()
    }
}

/// What only this job has, and who gave it. No `Debug`: nothing prints it.
struct Secret {
    text: String,
    giver: &'static str,
    /// Whether the job can have another id token when it has used one up.
    mints_again: bool,
}

impl Secret {
    fn of(
        surroundings: &Surroundings,
        giver: &Giver,
        audience: &Audience,
    ) -> Result<Option<Self>, IdentityError> {
        let only = |identity: &Identity, giver| {
            Some(Self { text: identity.token().expose().to_owned(), giver, mints_again: false })
        };
        Ok(match giver {
            // What it prints may be another token each time, and what it goes by is its own affair.
            Giver::Caller(Supplied::Command(_)) => None,
            Giver::Caller(supplied) => only(&Identity::brought(surroundings, supplied)?, ""),
            Giver::Provider(provider) => match provider.job_mark() {
                JobMark::IdToken => only(&provider.mint(surroundings, audience)?, provider.name()),
                JobMark::Secret(variable) => surroundings.variables.text(variable).map(|text| Self {
                    text: text.to_owned(),
                    giver: provider.name(),
                    mints_again: true,
                }),
                JobMark::Nothing => None,
            },
        })
    }
}

/// The parts, each after its length: no two lists of parts are joined alike.
fn joined(parts: &[&str]) -> Vec<u8> {
    let part = |part: &&str| [&part.len().to_be_bytes()[..], part.as_bytes()].concat();
    parts.iter().flat_map(part).collect()
}

impl fmt::Debug for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobKey({})", self.name)
    }
}
