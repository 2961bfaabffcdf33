//! Addresses of what publishers name: what people have at hand when a form asks for a repository.

use thiserror::Error;

/// A web or git address, taken apart: `https://github.com/acme/x/tree/main`, `git@github.com:acme/x.git`.
///
/// It only helps to write a publisher and is shown back before anything is saved; no token is ever compared with one.
#[derive(Debug)]
pub struct Address<'a> {
    host: &'a str,
    /// The path below the provider's home.
    pub(super) segments: Vec<&'a str>,
}

/// Why nothing is read from an address.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// User information that is not git's own. The address is not repeated: it may be a secret.
    #[error(
        "the address has a user name or a password in it; write it without, and replace the password: it has been shown"
    )]
    Credentials,
    /// Another site than the issuer's.
    #[error("expected an address of {home}, found one of {host}")]
    Elsewhere {
        /// Where the issuer's repositories are.
        home: String,
        /// Where the address leads.
        host: String,
    },
    /// A host that could be mistaken for another, empty or dot segments, or escapes.
    #[error(
        "expected a plain address such as https://host/owner/name, without escapes, empty parts or letters beyond ASCII in its host"
    )]
    Malformed,
}

impl<'a> Address<'a> {
    /// Takes a text apart if it is an address; `None` if it is none. Query and fragment say nothing about a publisher.
    ///
    /// Nothing is decoded and nothing trimmed, and only the host folds case: what looks like a name and is another one
    /// stays refused by the field that it is for (F1, F7).
    pub(crate) fn parse(text: &'a str, home: Option<&str>) -> Option<Result<Self, AddressError>> {
        let (authority, path) = split(text, home)?;
        Some(read(authority, path, home))
    }

    /// The host, with its port if it has one.
    pub fn host(&self) -> &str {
        self.host
    }
}

const SCHEMES: [&str; 4] = ["https://", "http://", "ssh://", "git://"];

/// The authority and the path of what is an address by its form.
fn split<'a>(text: &'a str, home: Option<&str>) -> Option<(&'a str, &'a str)> {
    let text = text.split(['?', '#']).next().unwrap_or(text);
    if let Some(rest) = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) {
        return Some(rest.split_once('/').unwrap_or((rest, "")));
    }
    if text.starts_with("git@") {
        return text.split_once(':');
    }
    // `gitlab.com/acme/x` would pass for the project `x` of a subgroup.
    let (authority, path) = text.split_once('/')?;
    let is_home = home.is_some_and(|home| first_segment(home).eq_ignore_ascii_case(authority));
    is_home.then_some((authority, path))
}

fn read<'a>(authority: &'a str, path: &'a str, home: Option<&str>) -> Result<Address<'a>, AddressError> {
    let host = match authority.split_once('@') {
        Some(("git", host)) => host,
        Some(_) => return Err(AddressError::Credentials),
        None => authority,
    };
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<&str> = path.split('/').collect();
    let is_segment =
        |segment: &&str| !matches!(*segment, "" | "." | "..") && !segment.contains(['%', '\\', '@']);
    if host.is_empty() || !host.bytes().all(is_host) || !segments.iter().all(is_segment) {
        return Err(AddressError::Malformed);
    }
    let Some(home) = home else { return Ok(Address { host, segments }) };
    let elsewhere = || AddressError::Elsewhere { home: home.to_owned(), host: host.to_owned() };
    if !first_segment(home).eq_ignore_ascii_case(host) {
        return Err(elsewhere());
    }
    let below = home.split('/').skip(1).count();
    let is_below = segments.len() > below && home.split('/').skip(1).eq(segments[..below].iter().copied());
    if is_below { Ok(Address { host, segments: segments[below..].to_vec() }) } else { Err(elsewhere()) }
}

fn first_segment(home: &str) -> &str {
    home.split('/').next().unwrap_or(home)
}

/// `OWNER/NAME` of any page of a repository, or of its clone address.
pub(super) fn repository(address: &Address<'_>) -> Option<String> {
    match address.segments.as_slice() {
        [owner, name, ..] => Some(format!("{owner}/{}", without_git(name))),
        _ => None,
    }
}

/// The branch of `/OWNER/NAME/tree/BRANCH`. Of a longer path nobody can say where the branch ends.
pub(super) fn branch(address: &Address<'_>) -> Option<String> {
    match address.segments.as_slice() {
        [_, _, "tree" | "commits", branch] | [_, _, "src", "branch", branch] => Some((*branch).to_owned()),
        _ => None,
    }
}

/// The tag of `/OWNER/NAME/releases/tag/TAG`.
pub(super) fn tag(address: &Address<'_>) -> Option<String> {
    match address.segments.as_slice() {
        [_, _, "releases" | "src", "tag", tag] => Some((*tag).to_owned()),
        _ => None,
    }
}

/// The file of a page that shows a workflow.
pub(super) fn workflow(address: &Address<'_>) -> Option<String> {
    match address.segments.as_slice() {
        [_, _, .., ".github" | ".forgejo" | ".gitea" | "actions", "workflows", file] => {
            Some((*file).to_owned())
        }
        _ => None,
    }
}

/// A name without the `.git` of a clone address.
pub(super) fn without_git(name: &str) -> &str {
    name.strip_suffix(".git").unwrap_or(name)
}
