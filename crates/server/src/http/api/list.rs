//! Lists in parts, as callers see them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::problem::Problem;
use crate::http::App;
use crate::store::Page;

/// A list of the API.
///
/// Where a part ends is a row's key, and the row can be somebody else's: a search that has looked at enough ends wherever it
/// is. So callers get the key encrypted (threat K1: what they may not see does not exist for them), for this list only.
#[derive(Clone, Copy, Debug)]
pub(super) enum List {
    Publishers,
    Exchanges,
    Tokens,
    Changes,
}

impl List {
    /// Makes a page of what the list takes.
    pub(super) fn page(self, app: &App, after: Option<&str>, limit: Option<u32>) -> Result<Page, Problem> {
        let limit = limit.unwrap_or(100);
        if !(1..=1000).contains(&limit) {
            return Err(Problem::malformed(format!("limit: expected 1 to 1000, found {limit}")));
        }
        let open = |cursor: &str| {
            let sealed = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let key = app.cursors.open(&sealed, self.context()).ok()?;
            String::from_utf8(key.to_vec()).ok()
        };
        let problem = || Problem::malformed("after: expected the `next` of a part of this list, unchanged");
        let after = after.map(|cursor| open(cursor).ok_or_else(problem)).transpose()?;
        Ok(Page { after, limit })
    }

    /// What the caller asks for the next part with.
    pub(super) fn next(self, app: &App, key: Option<String>) -> Result<Option<String>, Problem> {
        let seal = |key: String| {
            let sealed = app.cursors.seal(key.as_bytes(), self.context(), &*app.exchange.randomness);
            sealed.map(|sealed| URL_SAFE_NO_PAD.encode(sealed)).map_err(|_| Problem::unavailable())
        };
        key.map(seal).transpose()
    }

    const fn context(self) -> &'static [u8] {
        match self {
            Self::Publishers => b"publishers",
            Self::Exchanges => b"exchanges",
            Self::Tokens => b"tokens",
            Self::Changes => b"changes",
        }
    }
}
