//! What is known of each id token that was used.

use std::collections::HashMap;

use crate::store::IdTokenKey;

/// Parts of the table. Each grows, and is cleared of what was forgotten, by itself, so no exchange waits for all of it.
const PARTS: usize = 256;
/// Entries that a part may have before it is looked through for the first time.
const FEW: usize = 64;

/// How often an id token was used, and until when that must be remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) exchanges: u32,
    pub(super) forget_at: i64,
}

/// All id tokens that are good, and at most a quarter more.
#[derive(Debug)]
pub(super) struct Table(Vec<Part>);

#[derive(Clone, Debug, Default)]
struct Part {
    used: HashMap<IdTokenKey, Used>,
    /// With so many entries it is looked through.
    full: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self(vec![Part { used: HashMap::new(), full: FEW }; PARTS])
    }
}

impl Table {
    pub(super) fn get(&self, id_token: &IdTokenKey) -> Option<Used> {
        self.0.get(place(id_token))?.used.get(id_token).copied()
    }

    /// Puts down what is known of an id token now. What was to be forgotten before the horizon may leave: nothing that ends
    /// before it is let in again.
    pub(super) fn put(&mut self, id_token: IdTokenKey, used: Used, horizon: i64) {
        let Some(part) = self.0.get_mut(place(&id_token)) else { return };
        if part.used.len() >= part.full {
            part.used.retain(|_, used| used.forget_at >= horizon);
            part.full = FEW.max(part.used.len() + part.used.len() / 4);
        }
        part.used.insert(id_token, used);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|part| part.used.len()).sum()
    }
}

/// Keys are spread evenly.
fn place(id_token: &IdTokenKey) -> usize {
    let [first, ..] = id_token.as_bytes();
    usize::from(*first) % PARTS
}
