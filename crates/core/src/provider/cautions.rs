//! What a publisher's owner should be warned of at a provider.

/// Facts about a provider that weaken a publisher, or that would strengthen it.
#[derive(Debug)]
pub struct Cautions {
    /// Issuers of which any customer of the provider has tokens.
    pub shared_issuers: &'static [&'static str],
    /// Whether all its tokens have one audience, so that whoever is shown one can show it to others.
    pub has_fixed_audience: bool,
    /// The claim, and its value where the job ran on the provider's own machines rather than on a customer's.
    pub hosted: Option<(&'static str, &'static str)>,
    /// Claims that, by JSON Pointer, do what a condition on a guarded field does.
    pub guarding_claims: &'static [&'static str],
    /// The claim that names a workflow which others may call.
    pub called_workflow: Option<&'static str>,
}

impl Cautions {
    /// Nothing of the kind is known.
    pub(super) const NONE: Self = Self {
        shared_issuers: &[],
        has_fixed_audience: false,
        hosted: None,
        guarding_claims: &[],
        called_workflow: None,
    };

    pub(super) const fn shared_issuers(self, shared_issuers: &'static [&'static str]) -> Self {
        Self { shared_issuers, ..self }
    }

    pub(super) const fn fixed_audience(self) -> Self {
        Self { has_fixed_audience: true, ..self }
    }

    pub(super) const fn hosted(self, claim: &'static str, value: &'static str) -> Self {
        Self { hosted: Some((claim, value)), ..self }
    }

    pub(super) const fn guarding_claims(self, guarding_claims: &'static [&'static str]) -> Self {
        Self { guarding_claims, ..self }
    }

    pub(super) const fn called_workflow(self, claim: &'static str) -> Self {
        Self { called_workflow: Some(claim), ..self }
    }
}
