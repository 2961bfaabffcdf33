//! What is known of each id token that was used.

use std::collections::HashMap;

use crate::store::IdTokenKey;

/// How often an id token was used, and until when that must be remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) exchanges: u32,
    pub(super) forget_at: i64,
}

/// The id tokens, in sections by the first byte of their keys, which are spread evenly. Each section grows, and is cleared of
/// what was forgotten, by itself, so no exchange waits for all of them.
#[derive(Debug, Default)]
pub(super) struct Table {
    sections: HashMap<u8, HashMap<IdTokenKey, Entry>>,
    /// The section that is looked through next.
    hand: u8,
}

impl Table {
    pub(super) fn get(&self, id_token: &IdTokenKey) -> Option<Entry> {
        self.sections.get(&section(id_token))?.get(id_token).copied()
    }

    /// Puts down what is known of an id token now.
    pub(super) fn put(&mut self, id_token: IdTokenKey, entry: Entry) {
        self.sections.entry(section(&id_token)).or_default().insert(id_token, entry);
    }

    /// Clears one section, another each time, of what was to be forgotten before the horizon: nothing that ends before it is let
    /// in again. After 256 times all is gone that could go.
    pub(super) fn tidy(&mut self, horizon: i64) {
        if let Some(section) = self.sections.get_mut(&self.hand) {
            section.retain(|_, entry| entry.forget_at >= horizon);
            // Half of it may stay empty, so that it does not shrink and grow again and again.
            section.shrink_to(section.len() * 2);
        }
        self.hand = self.hand.wrapping_add(1);
    }
}

fn section(id_token: &IdTokenKey) -> u8 {
    let [first, ..] = id_token.as_bytes();
    *first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(section: u8, number: u32) -> IdTokenKey {
        let mut bytes = [section; 16];
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        IdTokenKey::from_bytes(bytes)
    }

    #[test]
    fn what_is_good_until_the_horizon_stays_and_all_else_goes() {
        let mut table = Table::default();
        let entry = |forget_at| Entry { exchanges: 1, forget_at };
        for section in 0..=255 {
            for number in 0..100 {
                table.put(key(section, number), entry(1_000 + i64::from(number)));
            }
        }
        for horizon in [1_000, 1_050, 1_100] {
            for _ in 0..256 {
                table.tidy(horizon);
            }
            for section in [0, 1, 255] {
                for number in 0..100 {
                    let forget_at = 1_000 + i64::from(number);
                    let expected = (forget_at >= horizon).then(|| entry(forget_at));
                    assert_eq!(table.get(&key(section, number)), expected, "{number} at {horizon}");
                }
            }
        }
        let room: usize = table.sections.values().map(HashMap::capacity).sum();
        assert_eq!(room, 0, "what is empty takes no memory");
    }
}
