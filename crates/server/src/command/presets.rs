//! `countersign-server presets`: what is known of each provider, from the code itself. `docs/presets.md` is its output.

use countersign_core::Provider;
use countersign_core::provider::{Case, Field, Preset};

use super::say;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// One preset; all if it is left out.
    name: Option<Provider>,
}

impl Arguments {
    pub(crate) fn run(&self) {
        let shown: Vec<String> = match self.name {
            Some(provider) => vec![described(provider.preset())],
            None => std::iter::once(INTRODUCTION.to_owned())
                .chain(Provider::ALL.into_iter().map(|provider| described(provider.preset())))
                .collect(),
        };
        say(&shown.join("\n\n"));
    }
}

const INTRODUCTION: &str = "# Presets

What the server knows of each CI provider: the output of `countersign-server presets`. A field is written `--set FIELD=VALUE`, and all
must match exactly; any other claim is a JSON Pointer, `--set /claim=VALUE`. Ids are learned from the first run that meets all
conditions, unless they are given with `--pin`. Refused events can be allowed with `--allow-event`.

Lifetimes and exchanges are the defaults of `[[issuers]]`.";

fn described(preset: &Preset) -> String {
    let mut lines = vec![format!("## `{}`: {}\n", preset.name, preset.title)];
    let issuers = preset.issuers.iter().chain(preset.issuer_forms);
    lines.push(row("issuers", &listed(issuers.copied(), "any that is configured")));
    lines.push(row("fields", &listed(preset.fields.iter().map(|field| field.name), "none")));
    lines.extend(preset.fields.iter().filter_map(peculiarity));
    lines.push(row("pins", &listed(preset.pins.iter().map(|pin| pin.claim), "nothing")));
    if let Some(event) = &preset.event {
        let refused = listed(event.refused.iter().copied(), "none");
        lines.push(row("refuses", &format!("{refused} as `{}`: {}", event.claim, event.reason)));
    }
    if !preset.tenant_remedy.is_empty() {
        lines.push(row("must say whose", preset.tenant_remedy));
    }
    let defaults = &preset.defaults;
    let algorithms = defaults.algorithms.iter().map(|algorithm| algorithm.as_str());
    lines.push(row("algorithms", &listed(algorithms, "none")));
    lines.push(row("id tokens", &lifetime(preset)));
    lines.join("\n")
}

/// What is not plain in a field: where it is read from, and whether case counts.
fn peculiarity(field: &Field) -> Option<String> {
    let read = (field.name != field.claim).then(|| format!("is read from `{}`", field.claim));
    let folds = (field.case == Case::AsciiInsensitive).then(|| "ignores case".to_owned());
    let said: Vec<String> = read.into_iter().chain(folds).collect();
    (!said.is_empty()).then(|| format!("  - `{}` {}", field.name, said.join(" and ")))
}

fn lifetime(preset: &Preset) -> String {
    let minutes = preset.defaults.max_lifetime.as_secs() / 60;
    let (number, unit) = if minutes.is_multiple_of(60) { (minutes / 60, "h") } else { (minutes, "min") };
    let exchanges = match preset.defaults.max_exchanges {
        1 => "once".to_owned(),
        times => format!("{times} times"),
    };
    format!("live at most {number} {unit} and are exchanged {exchanges}")
}

fn row(name: &str, value: &str) -> String {
    format!("- {name}: {value}")
}

fn listed<'a>(names: impl Iterator<Item = &'a str>, none: &str) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    if names.is_empty() { none.to_owned() } else { names.join(", ") }
}
