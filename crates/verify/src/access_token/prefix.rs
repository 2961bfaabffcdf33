//! The prefix by which secret scanners recognise access tokens, such as `hf_jwt_`.

const MAX_PREFIX_LENGTH: usize = 32;

/// How every JOSE header begins: base64url of `{"`.
const JWT_START: &str = "eyJ";

/// Takes off a prefix of the form `[a-z][a-z0-9_]*_`, at most 32 bytes long, or none; the rest begins with `eyJ`.
///
/// The prefix is for scanners and says nothing about trust: it is outside of the signature.
pub(super) fn strip(token: &str) -> Option<&str> {
    let (prefix, _) = token.split_once(JWT_START)?;
    is_prefix(prefix).then(|| &token[prefix.len()..])
}

fn is_prefix(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.is_empty()
        || (text.len() <= MAX_PREFIX_LENGTH
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.ends_with('_')
            && text.bytes().all(allowed))
}

#[cfg(test)]
mod tests {
    use super::strip;

    #[test]
    fn only_a_scannable_prefix_may_precede_the_token() {
        let long = format!("{}_eyJ", "a".repeat(32));
        for (token, rest) in [
            ("eyJhbGci.x.y", Some("eyJhbGci.x.y")),
            ("hf_jwt_eyJhbGci.x.eyJ", Some("eyJhbGci.x.eyJ")),
            ("a1_eyJ", Some("eyJ")),
            ("_eyJ", None),
            ("1_eyJ", None),
            ("HF_eyJ", None),
            ("hfeyJ", None),
            ("hf-eyJ", None),
            ("Bearer eyJ", None),
            ("hf_ eyJ", None),
            ("é_eyJ", None),
            ("hf_oauth_0123456789", None),
            ("", None),
            (long.as_str(), None),
        ] {
            assert_eq!(strip(token), rest, "{token}");
        }
    }
}
