//! A page of `docs/ci`, taken apart.

use std::fs;

use countersign_core::Provider;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ci");

pub(super) struct Page {
    pub(super) name: String,
    /// The provider whose job and publisher it shows.
    pub(super) provider: Provider,
    pub(super) text: String,
}

/// A server as a part of the page has it: its configuration, if it shows one, and the commands that are run there.
#[derive(Default)]
pub(super) struct Scenario {
    pub(super) configuration: Option<String>,
    pub(super) commands: Vec<String>,
}

impl Page {
    pub(super) fn all() -> Vec<Self> {
        let files = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
        let mut pages: Vec<Self> = files
            .map(|path| {
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                let provider = match name.as_str() {
                    "others" => Provider::AzureDevops,
                    own => own.parse().unwrap(),
                };
                Self { name, provider, text: fs::read_to_string(path).unwrap() }
            })
            .collect();
        pages.sort_by(|left, right| left.name.cmp(&right.name));
        pages
    }

    /// Language and text of every code block.
    fn blocks(&self) -> Vec<(&str, &str)> {
        let parts: Vec<&str> = self.text.split("```").collect();
        assert!(parts.len() % 2 == 1, "{}: a code block has no end", self.name);
        parts.iter().skip(1).step_by(2).map(|block| block.split_once('\n').unwrap()).collect()
    }

    /// The jobs: definitions in YAML, or bare scripts.
    pub(super) fn jobs(&self) -> Vec<(&str, &str)> {
        self.blocks().into_iter().filter(|(language, _)| ["yaml", "job"].contains(language)).collect()
    }

    pub(super) fn scenarios(&self) -> Vec<Scenario> {
        let mut scenarios = vec![Scenario::default()];
        for (language, text) in self.blocks() {
            let last = scenarios.last_mut().unwrap();
            match language {
                "toml" if last.configuration.is_none() && last.commands.is_empty() => {
                    last.configuration = Some(text.to_owned());
                }
                "toml" => {
                    scenarios.push(Scenario { configuration: Some(text.to_owned()), commands: Vec::new() });
                }
                "sh" => last.commands.push(text.to_owned()),
                "yaml" | "job" | "text" => {}
                other => panic!("{}: a block of {other:?}, which nobody runs", self.name),
            }
        }
        scenarios
    }

    /// What a job prints on the branch `dev`.
    pub(super) fn refusal(&self) -> &str {
        let texts: Vec<&str> =
            self.blocks().iter().filter(|(language, _)| *language == "text").map(|(_, text)| *text).collect();
        assert_eq!(texts.len(), 1, "{}: expected one block of what a refused job prints", self.name);
        texts[0]
    }
}
