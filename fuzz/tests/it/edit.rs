//! Valid examples, edited a little: what gets past the first check and may fool the second.

/// A choice of the example, and what to do to it: the kind of each edit, where, and with what.
pub(crate) type Edits = (u8, Vec<(u8, u16, u8)>);

/// More than this, and nothing of the example is left.
const AT_MOST: usize = 4;

/// What parsers give a meaning to, and what looks like something else.
const PIECES: &[&str] = &[
    "@",
    "?",
    "#",
    "%",
    "%2F",
    "%40",
    "/",
    "//",
    "/../",
    "\\",
    ".",
    "..",
    ":",
    ":443",
    "*",
    "~",
    "~1",
    "-",
    "--",
    "_",
    "+",
    "=",
    "&",
    "\0",
    "\n",
    "\r\n",
    "\t",
    " ",
    "\u{a0}",
    "\"",
    "'",
    "{",
    "}",
    "[",
    "]",
    ",",
    "a",
    "A",
    "Z",
    "0",
    "9",
    "e9",
    "-1",
    "ß",
    "İ",
    "\u{212a}",
    "а",
    "\u{202e}",
    "\u{301}",
    "😀",
    "xn--",
    "http://",
    "https://",
    "refs/heads/",
    "refs/tags/",
    "@refs/heads/main",
    "/.github/workflows/",
    "publish.yml",
    "//.gitlab-ci.yml",
    "acme/train",
    "null",
    "true",
    "pkg:",
    "eyJ",
    "a.a",
    "\u{feff}",
];

/// The chosen example after the edits. Without edits it is the example.
pub(crate) fn edited(examples: &[&str], edits: &Edits) -> String {
    let (which, edits) = edits;
    let mut text: Vec<char> = examples[usize::from(*which) % examples.len()].chars().collect();
    for (kind, at, what) in edits.iter().take(AT_MOST) {
        let at = usize::from(*at) % (text.len() + 1);
        let piece = PIECES[usize::from(*what) % PIECES.len()].chars();
        let end = text.len().min(at + usize::from(*what % 8));
        match kind % 6 {
            0 => drop(text.splice(at..at, piece)),
            1 => drop(text.splice(at..text.len().min(at + 1), piece)),
            2 => drop(text.drain(at..end)),
            3 => text.truncate(at),
            4 => text.extend_from_within(at..end),
            _ => text[at..end].iter_mut().for_each(|character| {
                let lower = character.is_ascii_lowercase();
                *character =
                    if lower { character.to_ascii_uppercase() } else { character.to_ascii_lowercase() };
            }),
        }
    }
    text.into_iter().collect()
}
