//! What a token is for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

mod package_url;
mod pattern;

pub use package_url::{PackageUrl, PackageUrlError};
pub use pattern::{ResourcePattern, ResourcePatternError};

use crate::access_token::Permission;
use crate::public_url::PublicUrl;

/// The one thing that a token gives access to, in canonical form.
///
/// Names are case-sensitive, except where a package ecosystem says otherwise (see [`PackageUrl`]).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Resource {
    /// `acme/model`, `datasets/acme/x`, `spaces/acme/x`, `kernels/acme/x`, `buckets/acme/x`.
    Repository(Repository),
    /// A bare user name.
    User(Name),
    /// `pkg:pypi/acme-lib`.
    Package(PackageUrl),
}

/// A repository of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    kind: RepositoryKind,
    namespace: Name,
    name: Name,
}

/// The kinds of repository that a hub keeps, each under its own path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RepositoryKind {
    /// `namespace/name`: the kind without a path of its own.
    Model,
    /// `datasets/namespace/name`.
    Dataset,
    /// `spaces/namespace/name`.
    Space,
    /// `kernels/namespace/name`.
    Kernel,
    /// `buckets/namespace/name`.
    Bucket,
}

impl RepositoryKind {
    const WITH_PATH: [Self; 4] = [Self::Dataset, Self::Space, Self::Kernel, Self::Bucket];

    const fn path(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
            Self::Space => "spaces",
            Self::Kernel => "kernels",
            Self::Bucket => "buckets",
        }
    }
}

/// A user, organization or repository name: 1 to 96 of `A-Z a-z 0-9 - . _`, beginning and ending with a letter, a digit
/// or `_`, without `--` or `..`, and not the path of a repository kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

/// Why a text names no resource.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResourceError {
    /// None of the known forms.
    #[error(
        "expected a resource such as namespace/name, datasets/namespace/name (or spaces, kernels, buckets), a user name, \
         or a Package URL such as pkg:pypi/name; found {0:?}"
    )]
    Form(String),
    /// A part of it is not a name.
    #[error(
        "expected a name of 1 to 96 characters A-Z a-z 0-9 - . _ that begins and ends with a letter, digit or _, without \
         -- or .., and is not a reserved path; found {0:?}"
    )]
    Name(String),
    /// A URI of another host.
    #[error("this server issues tokens for {own} only; the resource {found:?} is elsewhere")]
    ForeignUri {
        /// The public URL of this server.
        own: String,
        /// The URI that was asked for.
        found: String,
    },
    /// Begins with `pkg:` but is no Package URL.
    #[error(transparent)]
    PackageUrl(#[from] PackageUrlError),
}

impl Resource {
    /// Reads what a client sent: a short form, a Package URL, or an absolute URI (RFC 8707 §2) under `own`.
    pub fn from_request(text: &str, own: &PublicUrl) -> Result<Self, ResourceError> {
        if !text.contains("://") {
            return text.parse();
        }
        let foreign = || ResourceError::ForeignUri { own: own.to_string(), found: shorten(text) };
        text.strip_prefix(own.as_str()).and_then(|rest| rest.strip_prefix('/')).ok_or_else(foreign)?.parse()
    }

    /// The most that a token for this kind of resource may do: a user's tokens only read.
    pub fn highest_permission(&self) -> Permission {
        match self {
            Self::User(_) => Permission::Read,
            Self::Repository(_) | Self::Package(_) => Permission::Write,
        }
    }
}

impl FromStr for Resource {
    type Err = ResourceError;

    fn from_str(text: &str) -> Result<Self, ResourceError> {
        if text.starts_with("pkg:") {
            return Ok(Self::Package(text.parse()?));
        }
        let form = || ResourceError::Form(shorten(text));
        let segments: Vec<&str> = text.split('/').collect();
        match segments.as_slice() {
            [""] => Err(form()),
            [user] => Ok(Self::User(Name::new(user)?)),
            [namespace, name] => Self::repository(RepositoryKind::Model, namespace, name),
            [path, namespace, name] => {
                let kind = RepositoryKind::WITH_PATH.into_iter().find(|kind| kind.path() == *path);
                Self::repository(kind.ok_or_else(form)?, namespace, name)
            }
            _ => Err(form()),
        }
    }
}

impl Resource {
    fn repository(kind: RepositoryKind, namespace: &str, name: &str) -> Result<Self, ResourceError> {
        Ok(Self::Repository(Repository { kind, namespace: Name::new(namespace)?, name: Name::new(name)? }))
    }
}

impl Name {
    fn new(text: &str) -> Result<Self, ResourceError> {
        let bytes = text.as_bytes();
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let fits = bytes.len() <= 96
            && edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
            && !text.contains("--")
            && !text.contains("..")
            && !is_reserved(text);
        if fits { Ok(Self(text.to_owned())) } else { Err(ResourceError::Name(shorten(text))) }
    }
}

/// `datasets/x` must not read as a model of a user called `datasets`.
fn is_reserved(text: &str) -> bool {
    text.eq_ignore_ascii_case(RepositoryKind::Model.path())
        || RepositoryKind::WITH_PATH.into_iter().any(|kind| text.eq_ignore_ascii_case(kind.path()))
}

fn shorten(text: &str) -> String {
    text.chars().take(120).collect()
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repository(Repository { kind: RepositoryKind::Model, namespace, name }) => {
                write!(f, "{}/{}", namespace.0, name.0)
            }
            Self::Repository(Repository { kind, namespace, name }) => {
                write!(f, "{}/{}/{}", kind.path(), namespace.0, name.0)
            }
            Self::User(name) => f.write_str(&name.0),
            Self::Package(package) => package.fmt(f),
        }
    }
}

impl Serialize for Resource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TryFrom<String> for Resource {
    type Error = ResourceError;

    fn try_from(text: String) -> Result<Self, ResourceError> {
        text.parse()
    }
}

impl From<Resource> for String {
    fn from(resource: Resource) -> Self {
        resource.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{PublicUrl, Resource};

    #[test]
    fn every_form_reads_and_writes_back() {
        for text in [
            "acme/model",
            "datasets/acme/x",
            "spaces/a/b.c",
            "kernels/a/b",
            "buckets/a_b/c-d",
            "julien",
            "pkg:pypi/acme-lib",
        ] {
            assert_eq!(text.parse::<Resource>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn malformed_resources_are_refused() {
        let long = "a".repeat(97);
        for text in [
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "a/b/c",
            "models/a/b",
            "datasets/a",
            "datasets",
            "Datasets/a",
            "a/b/c/d",
            "a b",
            "a/..",
            "../a",
            "a/.b",
            "a/b-",
            "a/b--c",
            "a\0",
            "ä",
            "a/b\n",
            "a?b",
            "a%2Fb",
            "pkg:",
            long.as_str(),
        ] {
            assert!(text.parse::<Resource>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn uris_of_our_own_host_are_short_forms() {
        let own: PublicUrl = "https://hub.example.com".parse().unwrap();
        let read = |text: &str| Resource::from_request(text, &own).map(|resource| resource.to_string());
        assert_eq!(read("https://hub.example.com/datasets/acme/x").unwrap(), "datasets/acme/x");
        assert_eq!(read("acme/x").unwrap(), "acme/x");
        for text in [
            "https://hub.example.com.evil/acme/x",
            "https://hub.example.comacme/x",
            "http://hub.example.com/acme/x",
            "https://hub.example.com/",
            "https://hub.example.com/acme/x?y",
        ] {
            assert!(read(text).is_err(), "{text} was accepted");
        }
    }
}
