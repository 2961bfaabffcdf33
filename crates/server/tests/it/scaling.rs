//! docs/scaling.md lists every statement that PostgreSQL is sent, and none needs what distributed engines lack.

use std::fmt::Write as _;
use std::path::Path;

/// A statement of the source: the name of its constant, the first sentence of its comment, its text.
struct Statement {
    name: String,
    purpose: String,
    text: String,
}

/// The text of a statement.
pub(crate) fn statement(name: &str) -> String {
    statements().into_iter().find(|statement| statement.name == name).unwrap().text
}

fn statements() -> Vec<Statement> {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut files: Vec<_> =
        store.join("postgres").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.push(store.join("postgres.rs"));
    files.sort();
    files.iter().flat_map(|file| in_file(&std::fs::read_to_string(file).unwrap())).collect()
}

fn in_file(source: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    for (start, _) in source.match_indices("const ") {
        let Some((name, rest)) = source[start + 6..].split_once(": &str =") else { continue };
        if !name.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_') {
            continue;
        }
        let text = rest.split_once('"').unwrap().1;
        let text = text.split_once("\";").unwrap().0.to_owned();
        let line = source[..start].rfind('\n').map_or(0, |end| end + 1);
        let above: Vec<&str> =
            source[..line].lines().rev().take_while(|line| line.starts_with("///")).collect();
        let comment: Vec<&str> =
            above.iter().rev().map(|line| line.trim_start_matches("///").trim()).collect();
        let comment = comment.join(" ");
        let purpose = comment.split_once(". ").map_or(comment.trim_end_matches('.'), |(first, _)| first);
        found.push(Statement { name: name.to_owned(), purpose: purpose.to_owned(), text });
    }
    found
}

/// What goes beyond the SQL that every engine has.
const BEYOND: [(&str, &str); 12] = [
    ("unnest(", "`unnest` of several arrays"),
    ("ON CONFLICT", "`ON CONFLICT`"),
    ("RETURNING", "`RETURNING`"),
    ("FOR SHARE", "`FOR SHARE`"),
    ("FOR UPDATE", "`FOR UPDATE`"),
    ("SKIP LOCKED", "`SKIP LOCKED`"),
    ("WITH gone AS", "a `DELETE` in a `WITH`"),
    (" NULL;\n", "partial indexes on `IS NOT NULL`"),
    ("WITH used AS", "an `INSERT` in a `WITH`"),
    ("WITH advanced AS", "an `UPDATE` in a `WITH`"),
    ("current_setting(", "`current_setting`"),
    ("set_config(", "`set_config`"),
];

fn table(statements: &[Statement]) -> String {
    let mut table = "| statement | what it does | beyond plain SQL |\n|---|---|---|\n".to_owned();
    for Statement { name, purpose, text } in statements {
        let beyond: Vec<&str> =
            BEYOND.iter().filter(|(mark, _)| text.contains(mark)).map(|(_, words)| *words).collect();
        writeln!(table, "| `{name}` | {purpose} | {} |", beyond.join(", ")).unwrap();
    }
    table
}

#[test]
fn every_statement_is_in_the_documentation() {
    let statements = statements();
    assert!(statements.len() > 60 && statements.iter().all(|statement| !statement.purpose.is_empty()));
    let table = table(&statements);
    let page = include_str!("../../../../docs/scaling.md");
    assert!(page.contains(&table), "docs/scaling.md needs this table anew:\n{table}");
}

#[test]
fn no_statement_needs_what_distributed_engines_lack() {
    let lacking = [
        "advisory",
        "listen",
        "notify",
        "nextval",
        "serial",
        "identity",
        "jsonb",
        "lock table",
        "trigger",
        "ctid",
        "xmin",
        "extension",
        "tablespace",
        "merge ",
        "truncate",
        "savepoint",
        "for no key",
        "for key share",
    ];
    for Statement { name, text, .. } in statements() {
        let without_comments: Vec<&str> =
            text.lines().filter(|line| !line.trim().starts_with("--")).collect();
        let text = without_comments.join("\n").to_lowercase();
        for word in lacking {
            assert!(!text.contains(word), "{name} has {word:?}");
        }
    }
}
