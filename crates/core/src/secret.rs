//! Tokens, which nobody prints by accident.
//!
//! Invariant 9, secrets are unprintable: neither type has `Display` or `Serialize`, `Debug` is redacted, the memory is
//! wiped on drop, and the text comes out through the one method whose name says so.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

macro_rules! token {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(SecretString);

        impl $name {
            /// The token itself: for the wire, never for a log or a message.
            pub fn expose(&self) -> &str {
                self.0.expose_secret()
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(SecretString::from(text))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

token! {
    /// A CI provider's id token: RFC 8693's *subject token*. Nothing about it is believed yet.
    IdToken
}
token! {
    /// An access token that a registry issued in exchange.
    AccessToken
}

token! {
    /// An admin token, with which people administer a server.
    AdminSecret
}

#[cfg(test)]
mod tests {
    use super::{AccessToken, IdToken};

    #[test]
    fn invariant_9_secrets_are_unprintable() {
        let shown = format!(
            "{:?} {:#?}",
            IdToken::from("eyJhbGciOi".to_owned()),
            AccessToken::from("hf_jwt_eyJ".to_owned())
        );
        assert_eq!(shown, "IdToken(redacted) AccessToken(redacted)");
    }
}
