//! Issuers that a provider has beside its public ones: one for each customer, region or installation.

use crate::issuer::IssuerUrl;

/// Whether an issuer has a form such as `https://oidc.circleci.com/org/*`.
///
/// Each `*` stands for one or more characters of one label or path segment, never for a `/`: no form can reach beyond the
/// host that it names. A form without `*` is that one issuer. Forms only say whose preset an issuer needs; which issuers
/// are trusted is configuration.
pub(super) fn has_form(issuer: &IssuerUrl, form: &str) -> bool {
    fits(form, issuer.as_str())
}

fn fits(form: &str, text: &str) -> bool {
    let Some((head, rest)) = form.split_once('*') else { return form == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    let segment = text.find('/').unwrap_or(text.len());
    (1..=segment).any(|end| text.get(end..).is_some_and(|text| fits(rest, text)))
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stays_in_its_segment() {
        let form = "https://token.actions.*.ghe.com";
        assert!(fits(form, "https://token.actions.octo.ghe.com"));
        for text in [
            "https://token.actions..ghe.com",
            "https://token.actions.octo.ghe.com/octo",
            "https://token.actions.octo.ghe.com.evil.com",
            "https://token.actions.evil.com/.ghe.com",
            "https://evil.com/token.actions.octo.ghe.com",
        ] {
            assert!(!fits(form, text), "{text}");
        }
        assert!(fits("https://a/*/b/*/c", "https://a/1/b/2/c"));
        assert!(!fits("https://a/*/b/*/c", "https://a/1/b/2/3/c"));
        assert!(fits("https://a", "https://a") && !fits("https://a", "https://a/"));
        assert!(fits("https://a/*", "https://a/b") && !fits("https://a/*", "https://a/"));
    }
}
