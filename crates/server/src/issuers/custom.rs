//! Issuers that maintainers add while the server runs, where its operator lets them.

use std::num::NonZeroU32;

use countersign_core::{IssuerUrl, Provider, PublicUrl};
use thiserror::Error;

use super::Issuer;
use crate::config::IssuerSettings;

/// What maintainers may add: issuers of these presets, with the preset's defaults, at public addresses only. None unless
/// the operator names presets.
#[derive(Clone, Debug, Default)]
pub struct CustomIssuers {
    /// The presets.
    pub presets: Vec<Provider>,
    /// Exchanges of each: so many at once, and as many a minute; `None` for no limit.
    pub exchanges_per_minute: Option<NonZeroU32>,
}

/// Why an issuer cannot be added.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CustomIssuerError {
    /// Nobody may add issuers.
    #[error("issuers cannot be added here; whoever runs the server may name presets in [custom_issuers]")]
    Disabled,
    /// Not with that preset.
    #[error("expected one of the presets {allowed}, found {found}")]
    Preset {
        /// The presets that may be used.
        allowed: String,
        /// The one that was asked for.
        found: Provider,
    },
    /// The issuer is a known provider's.
    #[error("the issuer {issuer} is {expected}'s: use the preset {expected}")]
    Foreign {
        /// The issuer.
        issuer: IssuerUrl,
        /// Whose it is.
        expected: Provider,
    },
    /// It is not reached over HTTPS.
    #[error("expected an https:// issuer, found {0}; only whoever runs the server can configure another")]
    Scheme(IssuerUrl),
}

impl CustomIssuers {
    /// Whether an issuer may be added.
    pub fn check(&self, url: &IssuerUrl, preset: Provider) -> Result<(), CustomIssuerError> {
        if self.presets.is_empty() {
            return Err(CustomIssuerError::Disabled);
        }
        if !self.presets.contains(&preset) {
            let allowed: Vec<String> = self.presets.iter().map(ToString::to_string).collect();
            return Err(CustomIssuerError::Preset { allowed: allowed.join(", "), found: preset });
        }
        if let Some(expected) = Provider::owning(url).filter(|owner| *owner != preset) {
            return Err(CustomIssuerError::Foreign { issuer: url.clone(), expected });
        }
        if url.as_str().starts_with("https://") {
            Ok(())
        } else {
            Err(CustomIssuerError::Scheme(url.clone()))
        }
    }

    /// Makes one ready to verify with: found out by discovery, at public addresses (threats C3, C4).
    pub(super) fn issuer(
        &self,
        url: &IssuerUrl,
        preset: Provider,
        own: &PublicUrl,
    ) -> Result<Issuer, String> {
        self.check(url, preset).map_err(|error| error.to_string())?;
        let settings = IssuerSettings::of_preset(url.clone(), preset);
        Issuer::new(IssuerSettings { exchanges_per_minute: self.exchanges_per_minute, ..settings }, own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_that_was_added_has_the_budget_that_the_operator_sets() {
        let (url, own) =
            ("https://ci.example.com".parse().unwrap(), "https://trust.example.com".parse().unwrap());
        let budget = |exchanges_per_minute| {
            let custom = CustomIssuers { presets: vec![Provider::Gitlab], exchanges_per_minute };
            custom.issuer(&url, Provider::Gitlab, &own).unwrap().budget
        };
        assert!(budget(NonZeroU32::new(9)).is_some());
        assert!(budget(None).is_none());
    }
}
