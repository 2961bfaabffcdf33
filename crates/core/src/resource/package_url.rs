//! Package URLs (ECMA-427).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A package without version, qualifiers or subpath, in canonical form: `pkg:type/name` or `pkg:type/namespace/name`.
///
/// The type is lower-cased, as are names where the type's definition says so; `pypi` names are normalised as PEP 503 does
/// (`Acme._Lib` is `acme-lib`). Percent-escapes are accepted for `@` only (npm scopes: `%40acme`), since no other
/// character of a package name needs one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageUrl(String);

/// The text is no Package URL of a package.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "expected a Package URL such as pkg:pypi/name or pkg:npm/%40scope/name, without version, qualifiers or subpath; found {0:?}"
)]
pub struct PackageUrlError(String);

const MAX_LENGTH: usize = 255;

/// Types whose definitions fold namespace and name to lower case.
const LOWER_CASED: [&str; 9] =
    ["alpm", "apk", "bitbucket", "composer", "deb", "github", "npm", "oci", "pypi"];

impl FromStr for PackageUrl {
    type Err = PackageUrlError;

    fn from_str(text: &str) -> Result<Self, PackageUrlError> {
        canonical(text).map(Self).ok_or_else(|| PackageUrlError(text.chars().take(120).collect()))
    }
}

fn canonical(text: &str) -> Option<String> {
    if text.len() > MAX_LENGTH {
        return None;
    }
    let (kind, path) = text.strip_prefix("pkg:")?.split_once('/')?;
    let is_kind = kind.starts_with(|first: char| first.is_ascii_alphabetic())
        && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".+-".contains(&byte));
    if !is_kind {
        return None;
    }
    let kind = kind.to_ascii_lowercase();
    let segments =
        path.split('/').map(|segment| canonical_segment(&kind, segment)).collect::<Option<Vec<_>>>()?;
    Some(format!("pkg:{kind}/{}", segments.join("/")))
}

fn canonical_segment(kind: &str, segment: &str) -> Option<String> {
    let (scope, name) = match segment.strip_prefix("%40") {
        Some(name) => ("%40", name),
        None => ("", segment),
    };
    let is_name = !matches!(name, "" | "." | "..")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+".contains(&byte));
    if !is_name {
        return None;
    }
    let folded = if LOWER_CASED.contains(&kind) { name.to_ascii_lowercase() } else { name.to_owned() };
    let normalised = if kind == "pypi" { pep_503(&folded) } else { folded };
    (!normalised.is_empty()).then(|| format!("{scope}{normalised}"))
}

/// Runs of `-`, `_` and `.` become one `-`.
fn pep_503(name: &str) -> String {
    name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

impl fmt::Display for PackageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::PackageUrl;

    #[test]
    fn canonical_forms() {
        for (text, expected) in [
            ("pkg:pypi/Acme._Lib", "pkg:pypi/acme-lib"),
            ("pkg:PyPI/acme-lib", "pkg:pypi/acme-lib"),
            ("pkg:npm/%40Acme/Widget", "pkg:npm/%40acme/widget"),
            ("pkg:cargo/Serde_json", "pkg:cargo/Serde_json"),
            ("pkg:maven/org.acme/lib", "pkg:maven/org.acme/lib"),
        ] {
            assert_eq!(text.parse::<PackageUrl>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn malformed_package_urls_are_refused() {
        for text in [
            "pkg:",
            "pkg:pypi",
            "pkg:pypi/",
            "pkg:/x",
            "pkg:1a/x",
            "pkg:pypi/a@1.0",
            "pkg:pypi/a?x=1",
            "pkg:pypi/a#s",
            "pkg:npm/@a/b",
            "pkg:npm/%2e%2e/b",
            "pkg:pypi/a//b",
            "pkg:pypi/..",
            "pkg:pypi/a b",
            "pkg:pypi/ä",
            "PKG:pypi/a",
        ] {
            assert!(text.parse::<PackageUrl>().is_err(), "{text:?} was accepted");
        }
        // What normalisation leaves empty is no name either.
        assert!("pkg:pypi/-._".parse::<PackageUrl>().is_err());
    }
}
