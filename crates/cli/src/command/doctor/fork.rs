//! Pull requests from forks: the most frequent reason why a job that is set up well gets no id token.

use std::path::Path;

use countersign_client::Surroundings;
use serde_json::Value;

/// The repository that a pull request comes from, if it is not the one that it goes to. A hint: no provider promises it.
pub(super) fn source(surroundings: &Surroundings) -> Option<String> {
    let variables = &surroundings.variables;
    let own = |name: &str| variables.text(name).map(str::to_owned);
    if let (Some(from), Some(to)) =
        (own("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH"), own("CI_MERGE_REQUEST_PROJECT_PATH"))
    {
        return (from != to).then_some(from);
    }
    if variables.is_exactly("SYSTEM_PULLREQUEST_ISFORK", "True") {
        return own("SYSTEM_PULLREQUEST_SOURCEREPOSITORYURI").or(Some("another repository".to_owned()));
    }
    // CircleCI sets it for pull requests from forks only.
    if let (Some(user), Some(name)) = (own("CIRCLE_PR_USERNAME"), own("CIRCLE_PR_REPONAME")) {
        return Some(format!("{user}/{name}"));
    }
    in_event(&surroundings.files.read(Path::new(variables.text("GITHUB_EVENT_PATH")?)).ok()?)
}

/// The webhook that GitHub, Forgejo and Gitea leave in a file.
fn in_event(text: &str) -> Option<String> {
    let event: Value = serde_json::from_str(text).ok()?;
    let repository = |side: &str| event.pointer(&format!("/pull_request/{side}/repo/full_name"))?.as_str();
    let (from, to) = (repository("head")?, repository("base")?);
    (from != to).then(|| from.to_owned())
}

#[cfg(test)]
mod tests {
    use super::in_event;

    #[test]
    fn another_repository_is_a_fork() {
        let event = |from: &str, to: &str| {
            format!(
                r#"{{"pull_request":{{"head":{{"repo":{{"full_name":"{from}"}}}},"base":{{"repo":{{"full_name":"{to}"}}}}}}}}"#
            )
        };
        assert_eq!(in_event(&event("octo/train", "acme/train")).as_deref(), Some("octo/train"));
        assert_eq!(in_event(&event("acme/train", "acme/train")), None);
        for text in ["", "{}", "[]", r#"{"pull_request":{"head":{"repo":null}}}"#] {
            assert_eq!(in_event(text), None, "{text}");
        }
    }
}
