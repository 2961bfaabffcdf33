//! What git says of the server that wants a password.

use std::io::{self, BufRead, Read as _};

use countersign_client::{Endpoint, RequestedResource};

use crate::failure::Failure;

/// Far more than git writes.
const MAX_LENGTH: u64 = 64 * 1024;

/// The attributes that matter; git writes `name=value` lines up to an empty one (git-credential(1), "INPUT/OUTPUT FORMAT").
#[derive(Debug, Default)]
pub(super) struct Request {
    protocol: String,
    host: String,
    path: String,
}

impl Request {
    /// Reads the attributes. Of one given twice the last counts, as in git.
    pub(super) fn read(input: &mut dyn BufRead) -> io::Result<Self> {
        let mut request = Self::default();
        for line in input.take(MAX_LENGTH).lines() {
            let line = line?;
            match line.split_once('=') {
                Some(("protocol", value)) => value.clone_into(&mut request.protocol),
                Some(("host", value)) => value.clone_into(&mut request.host),
                Some(("path", value)) => value.clone_into(&mut request.path),
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        Ok(request)
    }

    /// The server's URL.
    pub(super) fn url(&self) -> String {
        format!("{}://{}", self.protocol, self.host)
    }

    /// The resource that was given, else the one that the path names below the endpoint.
    pub(super) fn resource(
        &self,
        given: Option<RequestedResource>,
        endpoint: &Endpoint,
    ) -> Result<RequestedResource, Failure> {
        if let Some(resource) = given {
            return Ok(resource);
        }
        let base = endpoint.as_str().splitn(4, '/').nth(3).unwrap_or_default();
        let path = match self.path.strip_prefix(base) {
            Some(path) if base.is_empty() || path.starts_with('/') => path,
            _ => &self.path,
        };
        let path = path.trim_matches('/');
        // Git LFS asks for its own address, which is below the repository's.
        let path = path.strip_suffix("/info/lfs").unwrap_or(path);
        let path = path.strip_suffix(".git").unwrap_or(path);
        path.parse().map_err(|_| Failure::NoGitResource)
    }
}

#[cfg(test)]
mod tests {
    use super::Request;

    fn check(endpoint: &str, path: &str, expected: &str) {
        let text = format!("protocol=https\nwwwauth[]=Basic\nhost=h\npath={path}\n\npath=later\n");
        let request = Request::read(&mut text.as_bytes()).unwrap();
        assert_eq!(request.url(), "https://h");
        let resource = request.resource(None, &endpoint.parse().unwrap());
        let found = resource.map_or_else(|error| error.to_string(), |resource| resource.to_string());
        assert!(found.starts_with(expected), "{path}: {found}");
    }

    #[test]
    fn the_path_names_the_resource() {
        check("https://h", "acme/model.git", "acme/model");
        check("https://h", "acme/model", "acme/model");
        check("https://h", "datasets/acme/x.git/info/lfs", "datasets/acme/x");
        check("https://h/git", "git/acme/model.git", "acme/model");
        check("https://h/git", "github/model.git", "github/model");
        for path in ["", "/", ".git"] {
            check("https://h", path, "expected --resource");
        }
    }
}
