//! Base64url as JOSE writes it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Decodes base64url strictly (RFC 7515 §2): no padding, no white space, no `+` or `/`, and no bits left over in the last
/// character, so that exactly one text stands for the bytes.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Encodes bytes as the one text that [`decode`] accepts for them.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
