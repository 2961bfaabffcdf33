//! Conventions that no lint knows.

use std::path::Path;
use std::{fs, str};

use crate::step::{Failure, Result, capture};
use crate::workspace::Workspace;

/// Checks all files under version control.
pub(crate) fn check(workspace: &Workspace) -> Result {
    let mut wrong = Vec::new();
    for name in tracked(workspace)? {
        // A file may be deleted and not yet committed.
        let Ok(bytes) = fs::read(workspace.root.join(&name)) else { continue };
        let Ok(text) = str::from_utf8(&bytes) else { continue };
        wrong.extend(no_path_of_this_machine(&workspace.root, text).map(|why| format!("{name}: {why}")));
        if Path::new(&name).extension().is_some_and(|extension| extension == "rs") {
            wrong.extend(of_source(&name, text).into_iter().map(|why| format!("{name}: {why}")));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::new(wrong.join("\n"))) }
}

fn tracked(workspace: &Workspace) -> Result<Vec<String>> {
    let mut git = std::process::Command::new("git");
    let output = capture(git.current_dir(&workspace.root).args(["ls-files", "-z"]))?;
    if !output.status.success() {
        return Err(Failure::new("expected a git checkout, to know which files are the project's"));
    }
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(names.split_terminator('\0').map(str::to_owned).collect())
}

fn no_path_of_this_machine(root: &Path, text: &str) -> Option<String> {
    let root = root.to_string_lossy();
    // A checkout at `/` or `/src` would be found everywhere.
    let is_telling = root.matches('/').count() > 1;
    (is_telling && text.contains(&*root)).then(|| format!("names {root}, a path of this machine"))
}

fn of_source(name: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(line) = opens_the_proof(name, text) {
        wrong.push(format!(
            "line {line} makes a VerifiedToken; only the signature check in crates/verify/src may, and tests"
        ));
    }
    let file = name.rsplit('/').next().unwrap_or(name);
    if ["utils.rs", "common.rs", "helpers.rs", "types.rs", "mod.rs"].contains(&file) {
        wrong.push("say in the file's name what it holds".to_owned());
    }
    let length = product_lines(text).count();
    if !is_test(name) && length > 500 {
        wrong.push(format!("{length} lines without the tests; 300 are a lot and 500 the end"));
    }
    wrong
}

/// The line where a verified token is made outside the one place that may and outside tests.
fn opens_the_proof(name: &str, text: &str) -> Option<usize> {
    let may = ["crates/verify/src/", "crates/core/src/verified.rs", "xtask/src/ci/conventions.rs"];
    if is_test(name) || may.iter().any(|place| name.starts_with(place)) {
        return None;
    }
    let opens = |line: &str| line.contains("vouched_by_signature") && !line.trim_start().starts_with("//");
    product_lines(text).position(opens).map(|index| index + 1)
}

fn is_test(name: &str) -> bool {
    name.contains("/tests/") || name.ends_with("/tests.rs")
}

/// The lines before the unit tests, which end a file. A test-only item further up hides nothing below it.
fn product_lines(text: &str) -> impl Iterator<Item = &str> {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text).lines()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{no_path_of_this_machine, of_source};

    #[test]
    fn only_the_signature_check_makes_verified_tokens() {
        let call = "fn f() {\n    VerifiedToken::vouched_by_signature(token)\n}\n";
        let tested = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{call}}}\n");
        assert_eq!(of_source("crates/server/src/exchange.rs", call).len(), 1);
        assert!(of_source("crates/server/src/exchange.rs", call)[0].starts_with("line 2 "));
        let below_a_test_item = format!("#[cfg(test)]\nmod tests;\n{call}");
        assert_eq!(of_source("crates/server/src/exchange.rs", &below_a_test_item).len(), 1);
        let named = "let verify = VerifiedToken::vouched_by_signature;";
        assert_eq!(of_source("crates/client/src/lib.rs", named).len(), 1);
        for (name, text) in [
            ("crates/verify/src/id_token.rs", call),
            ("crates/server/src/exchange/tests.rs", call),
            ("crates/server/tests/it/main.rs", call),
            ("crates/core/src/lib.rs", "//! see [`VerifiedToken::vouched_by_signature`]"),
            ("crates/server/src/exchange.rs", tested.as_str()),
        ] {
            assert!(of_source(name, text).is_empty(), "{name}");
        }
    }

    #[test]
    fn files_have_telling_names_and_an_end() {
        assert_eq!(of_source("crates/core/src/utils.rs", "").len(), 1);
        assert_eq!(of_source("crates/core/src/long.rs", &"x\n".repeat(501)).len(), 1);
        assert!(of_source("crates/core/src/long.rs", &"x\n".repeat(500)).is_empty());
        assert!(of_source("crates/core/tests/it/long.rs", &"x\n".repeat(501)).is_empty());
    }

    #[test]
    fn the_checkouts_own_path_is_found() {
        let root = Path::new("/srv/somebody/countersign");
        assert!(no_path_of_this_machine(root, "see /srv/somebody/countersign/README.md").is_some());
        assert!(no_path_of_this_machine(root, "see README.md").is_none());
        assert!(no_path_of_this_machine(Path::new("/src"), "see crates/core/src").is_none());
    }
}
