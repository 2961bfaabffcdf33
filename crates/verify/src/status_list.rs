//! Token Status Lists (draft-ietf-oauth-status-list-21): which of a server's tokens were revoked, one bit each.

use std::fmt;

use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};
use serde_json::{Value, json};
use thiserror::Error;

use crate::base64url;

#[cfg(feature = "fetch")]
pub(crate) mod follow;
#[cfg(feature = "fetch")]
pub(crate) mod published;

/// The bits of a list (§4): the lowest bit of the first byte is the first token's, and a set bit means revoked.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusList {
    bytes: Vec<u8>,
}

/// Why a `status_list` cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatusListContentError {
    /// A member is missing or of the wrong type.
    #[error("expected a `status_list` with `bits` and `lst`, found one without a usable `{0}`")]
    Member(&'static str),
    /// Statuses of several bits, which none of our servers have.
    #[error("expected a status list of 1 bit for each token, found {0}")]
    Bits(String),
    /// `lst` is not base64url of zlib data.
    #[error("expected the `lst` of a status list in base64url and zlib")]
    Encoding,
    /// It would decompress to more than a list may have: a bomb, or a list of another kind.
    #[error("expected a status list of at most {} entries, found more", StatusList::MAX_ENTRIES)]
    TooLong,
}

impl StatusList {
    /// The most entries of a list that is read. 32 KiB, whatever its compressed form pretends.
    pub const MAX_ENTRIES: u32 = 1 << 18;

    /// A list of `entries` tokens (rounded up to whole bytes), of which those in `revoked` are; what lies beyond the end is
    /// passed over.
    pub fn new(entries: u32, revoked: impl IntoIterator<Item = u32>) -> Self {
        let mut bytes = vec![0; entries.div_ceil(8) as usize];
        for index in revoked {
            if let Some(byte) = bytes.get_mut(index as usize / 8) {
                *byte |= 1 << (index % 8);
            }
        }
        Self { bytes }
    }

    /// How many tokens it has a bit for.
    pub fn len(&self) -> usize {
        self.bytes.len() * 8
    }

    /// Whether it has no bit at all.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether the token at `index` was revoked; `None` if the list has no such index, and so says nothing about it.
    pub fn is_revoked(&self, index: u32) -> Option<bool> {
        let byte = self.bytes.get(index as usize / 8)?;
        Some(byte >> (index % 8) & 1 == 1)
    }

    /// Writes the claim `status_list` (§4.2).
    pub fn to_claim(&self) -> Value {
        json!({ "bits": 1, "lst": base64url::encode(compress_to_vec_zlib(&self.bytes, COMPRESSION)) })
    }

    /// Reads the claim `status_list`. No more is ever decompressed than [`StatusList::MAX_ENTRIES`] need.
    pub fn from_claim(claim: &Value) -> Result<Self, StatusListContentError> {
        match claim.get("bits") {
            Some(Value::Number(bits)) if bits.as_u64() == Some(1) => {}
            Some(Value::Number(bits)) => return Err(StatusListContentError::Bits(bits.to_string())),
            _ => return Err(StatusListContentError::Member("bits")),
        }
        let Some(list) = claim.get("lst").and_then(Value::as_str) else {
            return Err(StatusListContentError::Member("lst"));
        };
        let compressed = base64url::decode(list).ok_or(StatusListContentError::Encoding)?;
        let bytes = decompress_to_vec_zlib_with_limit(&compressed, Self::MAX_ENTRIES as usize / 8);
        bytes.map(|bytes| Self { bytes }).map_err(|failure| match failure.status {
            TINFLStatus::HasMoreOutput => StatusListContentError::TooLong,
            _ => StatusListContentError::Encoding,
        })
    }
}

/// zlib's best: a list is signed a few times a minute, and read by every registry.
const COMPRESSION: u8 = 9;

impl fmt::Debug for StatusList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revoked: u32 = self.bytes.iter().map(|byte| byte.count_ones()).sum();
        f.debug_struct("StatusList").field("entries", &self.len()).field("revoked", &revoked).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{StatusList, StatusListContentError, base64url, compress_to_vec_zlib};

    #[test]
    fn the_drafts_examples_are_read() {
        // §4.2: the bytes 0xB9 0xA3.
        let list = StatusList::from_claim(&json!({"bits": 1, "lst": "eNrbuRgAAhcBXQ"})).unwrap();
        let revoked: Vec<u32> = (0..16).filter(|index| list.is_revoked(*index).unwrap()).collect();
        assert_eq!(revoked, [0, 3, 4, 5, 7, 8, 9, 13, 15]);
        assert_eq!(list, StatusList::new(16, revoked));
        assert_eq!((list.len(), list.is_revoked(16), list.is_revoked(u32::MAX)), (16, None, None));
    }

    #[test]
    fn what_is_written_is_read() {
        for revoked in
            [vec![], vec![0], vec![65_535], (0..65_536).collect(), (0..65_536).step_by(7).collect()]
        {
            let list = StatusList::new(65_536, revoked.iter().copied());
            let read = StatusList::from_claim(&list.to_claim()).unwrap();
            assert_eq!(read, list);
            assert!(revoked.iter().all(|index| read.is_revoked(*index) == Some(true)));
        }
        assert_eq!(StatusList::new(9, [20, 16, 8]).len(), 16, "whole bytes; what lies beyond is passed over");
        assert_eq!(StatusList::new(9, [8]).is_revoked(8), Some(true));
        assert!(StatusList::new(0, []).is_empty());
    }

    #[track_caller]
    fn check(claim: &Value, expected: &StatusListContentError) {
        assert_eq!(StatusList::from_claim(claim).unwrap_err(), *expected, "{claim}");
    }

    #[test]
    fn b13_hostile_lists_are_refused() {
        use StatusListContentError::{Bits, Encoding, Member, TooLong};

        let packed = |length: usize| base64url::encode(compress_to_vec_zlib(&vec![0; length], 9));
        let most = StatusList::MAX_ENTRIES as usize / 8;
        let lst = |text: &str| json!({"bits": 1, "lst": text});
        assert_eq!(StatusList::from_claim(&lst(&packed(most))).unwrap().len(), most * 8);
        check(&lst(&packed(most + 1)), &TooLong);
        // 100 MB in 100 KB.
        check(&lst(&packed(100_000_000)), &TooLong);
        for text in
            ["", "AAAA", "eNrbuRgAAhcBXQ=", "eNrbuRgAAhcBX", "eNrbuRgAAhcBXg", "25\u{e9}", "eNrb uRgAAhcBXQ"]
        {
            check(&lst(text), &Encoding);
        }
        for (bits, expected) in [
            (json!(2), Bits("2".to_owned())),
            (json!(0), Bits("0".to_owned())),
            (json!(-1), Bits("-1".to_owned())),
            (json!(1.0), Bits("1.0".to_owned())),
            (json!("1"), Member("bits")),
            (Value::Null, Member("bits")),
        ] {
            check(&json!({"bits": bits, "lst": "eNrbuRgAAhcBXQ"}), &expected);
        }
        check(&json!({"bits": 1}), &Member("lst"));
        check(&json!({"bits": 1, "lst": 7}), &Member("lst"));
        check(&json!([]), &Member("bits"));
        check(&Value::Null, &Member("bits"));
    }
}
