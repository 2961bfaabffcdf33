//! Reading the file that publishers are kept in.

use std::io;
use std::path::{Path, PathBuf};

use countersign_client::Files;
use countersign_core::publisher_file::PublisherFile;
use serde_saphyr::{DuplicateKeyPolicy, Error as YamlError, MergeKeyPolicy};
use thiserror::Error;

/// Why a file says nothing.
#[derive(Debug, Error)]
pub(crate) enum PublisherFileError {
    /// It cannot be read.
    #[error("{} could not be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Its name does not say what it is written in.
    #[error("expected a file that ends in .yaml, .yml, .toml or .json, found {}", .0.display())]
    Ending(PathBuf),
    /// What it says cannot be meant.
    #[error("{}:{line}:{column}: {problem}", .path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The character in it, counted from 1.
        column: u64,
        /// What is wrong.
        problem: String,
    },
}

/// Reads it in the language that its ending says.
pub(crate) fn read(path: &Path, files: &dyn Files) -> Result<PublisherFile, PublisherFileError> {
    let parse = match path.extension().and_then(|ending| ending.to_str()) {
        // JSON is YAML, and the errors of the YAML reader are as good.
        Some("yaml" | "yml" | "json") => yaml,
        Some("toml") => toml,
        _ => return Err(PublisherFileError::Ending(path.to_owned())),
    };
    let text =
        files.read(path).map_err(|source| PublisherFileError::Read { path: path.to_owned(), source })?;
    parse(&text).map_err(|Wrong { line, column, problem }| PublisherFileError::Content {
        path: path.to_owned(),
        line,
        column,
        problem,
    })
}

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    line: u64,
    column: u64,
    problem: String,
}

/// YAML 1.2 without what two readers could understand differently: a text that looks like a number is in quotes, `yes` is no
/// boolean, keys are there once, and nothing is merged or included.
fn yaml(text: &str) -> Result<PublisherFile, Wrong> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
        no_schema: true,
        reject_unsupported_tags: true,
        reject_tagged_field_names: true,
        legacy_octal_numbers: false,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let error = error.without_snippet();
        let (line, column) = error.location().map_or((1, 1), |location| (location.line(), location.column()));
        let problem = match error {
            YamlError::DuplicateMappingKey { key, .. } => {
                format!("expected each key once, found {} again", key.as_deref().unwrap_or("one"))
            }
            YamlError::QuotingRequired { value, .. } => format!("expected a text in quotes, found {value}"),
            YamlError::MergeKeyNotAllowed { .. } => "expected no merge key (<<): write it out".to_owned(),
            YamlError::MultipleDocuments { .. } => "expected one document, found another".to_owned(),
            other => one_line(&other.to_string()).replace(&format!(" at line {line}, column {column}"), ""),
        };
        Wrong { line, column, problem }
    })
}

fn toml(text: &str) -> Result<PublisherFile, Wrong> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Wrong { line: line as u64, column: column as u64, problem: one_line(error.message()) }
    })
}

fn one_line(text: &str) -> String {
    text.lines().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use countersign_core::publisher_file::PublisherFile;

    use super::{Wrong, toml, yaml};

    #[track_caller]
    fn check(read: Result<PublisherFile, Wrong>, line: u64, column: u64, problem: &str) {
        let wrong = read.unwrap_err();
        assert_eq!((wrong.line, wrong.column), (line, column), "{wrong:?}");
        assert!(wrong.problem.starts_with(problem) && !wrong.problem.contains('\n'), "{wrong:?}");
    }

    /// An entry that is good, and then these lines of the same entry.
    fn entry(lines: &str) -> String {
        format!("publishers:\n  - resource: acme/model\n    provider: github\n{lines}")
    }

    #[test]
    fn yaml_toml_and_json_say_the_same() {
        let of_yaml = yaml(&entry(
            "    conditions:\n      repository: acme/train\n      branch: [main, 'no']\n      /pro: true\n      /n: 12\n    pins: {repository_id: '74'}\n",
        ));
        let of_toml = toml(
            "[[publishers]]\nresource = 'acme/model'\nprovider = 'github'\npins.repository_id = '74'\n\
             conditions = { repository = 'acme/train', branch = ['main', 'no'], '/pro' = true, '/n' = 12 }\n",
        );
        let of_json = yaml(
            r#"{"publishers":[{"resource":"acme/model","provider":"github","pins":{"repository_id":"74"},
                "conditions":{"repository":"acme/train","branch":["main","no"],"/pro":true,"/n":12}}]}"#,
        );
        assert_eq!(of_yaml, of_toml);
        assert_eq!(of_toml, of_json);
        assert_eq!(of_yaml.unwrap().entries().len(), 1);
    }

    #[test]
    fn what_is_wrong_in_yaml_is_shown_where_it_is() {
        let conditions = "    conditions: {repository: acme/train}\n";
        for (text, line, column, problem) in [
            (entry("    brunch: x\n"), 4, 5, "unknown field `brunch`, expected one of resource, provider"),
            (entry("    provider: gitlab\n"), 4, 5, "expected each key once, found provider again"),
            (
                entry("    conditions: {branch: 1.10}\n"),
                4,
                18,
                "invalid type: floating point `1.1`, expected a text",
            ),
            (
                entry("    conditions: {repository: acme/*}\n"),
                2,
                5,
                "expected OWNER/NAME with the exact names",
            ),
            (
                entry(&format!("{conditions}    pins: {{repository_id: 74}}\n")),
                5,
                27,
                "expected a text in quotes, found 74",
            ),
            (entry("    <<: {state: disabled}\n"), 4, 5, "expected no merge key (<<)"),
            (entry("    state: !off disabled\n"), 4, 17, "unsupported tag"),
            (entry("    state: off\n"), 4, 12, "unknown variant `off`"),
            ("publishers:\n  - resource: a b\n".to_owned(), 2, 15, "expected a name of 1 to 96 characters"),
            (
                "publishers: []\n---\npublishers: []\n".to_owned(),
                3,
                1,
                "expected one document, found another",
            ),
            ("publishers: [\n".to_owned(), 1, 13, "unclosed bracket"),
            (String::new(), 1, 1, "unexpected end of input"),
        ] {
            check(yaml(&text), line, column, problem);
        }
    }

    #[test]
    fn booleans_of_old_yaml_are_texts() {
        let file =
            yaml(&entry("    conditions: {repository: acme/train, /x: no, /y: 0123, /z: 1_000}\n")).unwrap();
        let values =
            file.entries()[0].rules.conditions().iter().map(|condition| condition.values()[0].to_string());
        assert_eq!(values.collect::<Vec<_>>(), ["no", "0123", "1_000", "acme/train"]);
    }

    #[test]
    fn a_bomb_of_references_does_not_go_off() {
        let nine = |level: usize| vec![format!("*a{level}"); 9].join(", ");
        let levels = (1..40).map(|level| format!("x{level}: &a{level} [{}]\n", nine(level - 1)));
        let text: String = ["manages: &a0 [x]\n".to_owned()].into_iter().chain(levels).collect();
        assert!(yaml(&text).is_err());
    }

    #[test]
    fn what_is_wrong_in_toml_is_shown_where_it_is() {
        let entry =
            |lines: &str| format!("[[publishers]]\nresource = 'acme/model'\nprovider = 'github'\n{lines}");
        for (text, line, column, problem) in [
            (entry("brunch = 1\n"), 4, 1, "unknown field `brunch`"),
            (entry("provider = 'gitlab'\n"), 4, 1, "duplicate key"),
            (
                entry("conditions = { branch = 1.1 }\n"),
                4,
                25,
                "invalid type: floating point `1.1`, expected a text",
            ),
            (
                entry("[publishers.conditions]\nrepository = 'acme/*'\n"),
                1,
                1,
                "expected OWNER/NAME with the exact names",
            ),
            (entry("state = \n"), 4, 9, ""),
            ("'ä' = { a = 1.1.1 }".to_owned(), 1, 16, "invalid float"),
        ] {
            check(toml(&text), line, column, problem);
        }
    }
}
