//! The issuer that a new publisher means.

use countersign_core::{IssuerUrl, Provider};
use thiserror::Error;

/// Why it is not clear which issuer is meant.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssuerChoiceError {
    /// The server exchanges no tokens of it under that preset.
    #[error(
        "the server exchanges no {provider} tokens of {found}; whoever runs it adds it to [[issuers]] with preset = \"{provider}\" \
         (there now: {known})"
    )]
    Unknown {
        /// The preset.
        provider: Provider,
        /// The issuer that was named.
        found: IssuerUrl,
        /// Those there are.
        known: String,
    },
    /// The server has none of that preset.
    #[error("no issuer with preset = \"{0}\" is configured; whoever runs the server adds it to [[issuers]]")]
    None(Provider),
    /// It has several.
    #[error("several issuers have that preset; say which one is meant: {0}")]
    Several(String),
}

/// The issuer that was named, or the one there is: it must be one that the server exchanges tokens of, with the same
/// meaning of its claims.
pub fn choose<'a>(
    provider: Provider,
    named: Option<&IssuerUrl>,
    known: impl Iterator<Item = (&'a IssuerUrl, Provider)>,
) -> Result<IssuerUrl, IssuerChoiceError> {
    let known: Vec<&IssuerUrl> =
        known.filter(|(_, preset)| *preset == provider).map(|(url, _)| url).collect();
    let listed = || known.iter().map(|url| url.as_str()).collect::<Vec<_>>().join(", ");
    match (named, known.as_slice()) {
        (Some(named), known) if known.contains(&named) => Ok(named.clone()),
        (Some(named), []) => {
            Err(IssuerChoiceError::Unknown { provider, found: named.clone(), known: "none".to_owned() })
        }
        (Some(named), _) => {
            Err(IssuerChoiceError::Unknown { provider, found: named.clone(), known: listed() })
        }
        (None, [only]) => Ok((*only).clone()),
        (None, []) => Err(IssuerChoiceError::None(provider)),
        (None, _) => Err(IssuerChoiceError::Several(listed())),
    }
}
