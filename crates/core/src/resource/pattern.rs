//! Many resources in one text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Resource;

/// A resource's canonical text in which `*` stands for any characters but `/`, and a last segment `**` for all that
/// follows: `acme/*`, `datasets/acme/*`, `pkg:pypi/acme-*`, `**`.
///
/// Matched segment by segment in linear time; there is nothing to backtrack into for whoever writes patterns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ResourcePattern(String);

/// Not a pattern.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "expected a resource in which * stands for any characters but /, such as acme/* or pkg:pypi/acme-*, or ** for all; found \
     {0:?}"
)]
pub struct ResourcePatternError(String);

impl ResourcePattern {
    /// The pattern of everything.
    pub fn everything() -> Self {
        Self("**".to_owned())
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the resource is meant.
    pub fn matches(&self, resource: &Resource) -> bool {
        self.matches_text(&resource.to_string())
    }

    /// The same for the canonical text of a resource.
    pub fn matches_text(&self, resource: &str) -> bool {
        let mut segments = resource.split('/');
        let mut patterns = self.0.split('/').peekable();
        while let Some(pattern) = patterns.next() {
            if pattern == "**" && patterns.peek().is_none() {
                return segments.next().is_some();
            }
            if !segments.next().is_some_and(|segment| segment_matches(pattern, segment)) {
                return false;
            }
        }
        segments.next().is_none()
    }
}

/// The parts between stars must follow one another; the first begins and the last ends the segment.
fn segment_matches(pattern: &str, segment: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == segment };
    let Some(mut left) = segment.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

impl FromStr for ResourcePattern {
    type Err = ResourcePatternError;

    fn from_str(text: &str) -> Result<Self, ResourcePatternError> {
        let segments: Vec<&str> = text.split('/').collect();
        let is_segment = |(index, segment): (usize, &&str)| {
            !segment.is_empty()
                && (!segment.contains("**") || (*segment == "**" && index + 1 == segments.len()))
        };
        let is_character =
            |character: char| character.is_ascii_alphanumeric() || "-._/:@%+*".contains(character);
        let fits = text.len() <= 300
            && text.chars().all(is_character)
            && segments.len() <= 8
            && segments.iter().enumerate().all(is_segment);
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(ResourcePatternError(text.chars().take(120).collect()))
        }
    }
}

impl TryFrom<String> for ResourcePattern {
    type Error = ResourcePatternError;

    fn try_from(text: String) -> Result<Self, ResourcePatternError> {
        text.parse()
    }
}

impl From<ResourcePattern> for String {
    fn from(pattern: ResourcePattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for ResourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ResourcePattern;

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        let pattern: ResourcePattern = pattern.parse().unwrap();
        for text in matching {
            assert!(pattern.matches(&text.parse().unwrap()), "{pattern} should match {text}");
        }
        for text in others {
            assert!(!pattern.matches(&text.parse().unwrap()), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn f4_a_star_does_not_cross_a_slash() {
        check("acme/*", &["acme/a", "acme/a.b"], &["datasets/acme/a", "acme", "acme2/a", "ACME/a"]);
        check("*", &["julien"], &["acme/a", "datasets/acme/a"]);
        check("acme/model", &["acme/model"], &["acme/model2", "acme/mode"]);
        check("datasets/acme/*", &["datasets/acme/x"], &["acme/x", "datasets/other/x"]);
        check("pkg:pypi/acme-*", &["pkg:pypi/acme-lib"], &["pkg:pypi/acme", "pkg:npm/acme-lib"]);
        check("**", &["acme/a", "datasets/acme/a", "julien", "pkg:pypi/x"], &[]);
        check("acme/**", &["acme/a"], &["acme", "datasets/acme/a"]);
        check("acme/a*b*c", &["acme/abc", "acme/aXbXbXc"], &["acme/abcd", "acme/acb", "acme/ab"]);
    }

    #[test]
    fn f3_f6_what_is_no_pattern() {
        let long = "a".repeat(301);
        for text in ["", "/", "a/", "a//b", "a**", "**/a", "a?", "[a]", "a b", "ä*", "a\n", &long] {
            assert!(text.parse::<ResourcePattern>().is_err(), "{text:?} was accepted");
        }
        // As many stars as there may be, against a text that almost matches: at once.
        let stars: ResourcePattern = format!("{}b", "a*".repeat(100)).parse().unwrap();
        assert!(!stars.matches_text(&"a".repeat(10_000)));
    }
}
