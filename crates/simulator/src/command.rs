//! The command line, and the lines on standard input, which read like it.

use anyhow::{Context, anyhow, bail};
use clap::{Args, Parser, Subcommand};
use countersign_core::Provider as Preset;
use countersign_simulator::{GitHub, GitLab, Overrides, Pretended, Provider, Simulator};

/// Plays GitHub Actions, GitLab CI and the other providers on 127.0.0.1 and starts a job there.
///
/// Prints `ISSUER=URL` and the environment variables of the job, one NAME=value a line, then an empty line, and serves until
/// its standard input closes. Each line that comes there starts one more job and is answered in the same way, for example
/// `github repository=acme/other ref=refs/tags/v1`; a line that cannot be understood is answered with ERROR=why.
#[derive(Parser)]
#[command(name = "countersign-simulator", version, verbatim_doc_comment)]
pub(crate) struct Command {
    /// Listen on this port instead of a free one.
    #[arg(long, default_value_t = 0, hide_default_value = true, global = true)]
    pub(crate) port: u16,
    /// The first job.
    #[command(subcommand)]
    pub(crate) job: Job,
}

/// A job of one provider.
#[derive(Subcommand)]
pub(crate) enum Job {
    /// A job at GitHub Actions, with its endpoint that mints id tokens.
    Github(GitHubJob),
    /// A job at GitLab CI, with its id token in a variable.
    Gitlab(GitLabJob),
    /// A job at another provider: its name (circleci, buildkite …), claims, and `--audience` where its jobs declare one.
    #[command(external_subcommand)]
    Other(Vec<String>),
}

/// What every job may say.
#[derive(Args)]
pub(crate) struct Run {
    /// Claims that differ from the usual run of acme/train on main: NAME=TEXT, such as repository=acme/other, or NAME:=JSON.
    #[arg(value_name = "CLAIM")]
    claims: Vec<String>,
    /// The same, for those who like options.
    #[arg(long = "claim", value_name = "CLAIM")]
    more_claims: Vec<String>,
    /// Print an id token for this audience, as `ID_TOKEN`, instead of the job's variables.
    #[arg(long, value_name = "AUDIENCE")]
    mint: Option<String>,
}

/// A job at GitHub Actions.
#[derive(Args)]
pub(crate) struct GitHubJob {
    #[command(flatten)]
    run: Run,
    /// Write `sub` with ids, as in repositories made since July 2026: repo:acme@65/train@74:…
    #[arg(long)]
    immutable_subject: bool,
}

/// A job at GitLab CI.
#[derive(Args)]
pub(crate) struct GitLabJob {
    #[command(flatten)]
    run: Run,
    /// What the id token in the variable is for: `aud` in the job's `id_tokens`.
    #[arg(long, value_name = "URL", required_unless_present = "mint")]
    audience: Option<String>,
    /// The variable that `id_tokens` names.
    #[arg(long, value_name = "NAME", default_value = "HF_OIDC_ID_TOKEN")]
    variable: String,
}

/// A job at any other provider.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct OtherJob {
    /// Its name, as in `--provider`.
    provider: Preset,
    #[command(flatten)]
    run: Run,
    /// What its id token is for, where the job cannot choose that when it mints.
    #[arg(long, value_name = "URL", default_value = "https://huggingface.co")]
    audience: String,
}

/// A line of standard input is a command line without the program's name.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Line {
    #[command(subcommand)]
    job: Job,
}

impl Job {
    /// Reads a line of standard input, split at white space.
    pub(crate) fn from_line(line: &str) -> anyhow::Result<Self> {
        if line.trim().is_empty() {
            bail!(
                "expected github or gitlab and what differs, such as `github ref=refs/tags/v1`; found an empty line"
            );
        }
        Line::try_parse_from(line.split_whitespace())
            .map(|line| line.job)
            .map_err(|error| in_one_line(&error))
    }

    /// Starts it: the issuer and the variables of the job.
    pub(crate) fn start(&self, simulator: &Simulator) -> anyhow::Result<Vec<(String, String)>> {
        match self {
            Self::Github(job) => job.start(simulator.github()),
            Self::Gitlab(job) => job.start(simulator.gitlab()),
            Self::Other(words) => {
                OtherJob::try_parse_from(words).map_err(|error| in_one_line(&error))?.start(simulator)
            }
        }
    }
}

/// The first paragraph of clap's message says what is wrong; the rest is about usage and would take more lines.
fn in_one_line(error: &clap::Error) -> anyhow::Error {
    let text = error.to_string();
    let paragraph: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    anyhow!("{}", paragraph.join(" ").trim_start_matches("error: "))
}

impl OtherJob {
    fn start(&self, simulator: &Simulator) -> anyhow::Result<Vec<(String, String)>> {
        let provider = simulator.provider(self.provider).with_context(|| {
            let played: Vec<&str> =
                simulator.providers().map(|played| played.preset().preset().name).collect();
            format!("nobody plays {}; expected one of {}", self.provider, played.join(", "))
        })?;
        let overrides = self.run.overrides()?;
        let minted = self.run.minted(provider, &overrides);
        Ok(answer(provider, minted.unwrap_or_else(|| provider.job(&overrides, &self.audience))))
    }
}

impl GitHubJob {
    fn start(&self, github: &Provider<GitHub>) -> anyhow::Result<Vec<(String, String)>> {
        let usual = self.run.overrides()?;
        let overrides = if self.immutable_subject { usual.with_immutable_subject() } else { usual };
        Ok(answer(github, self.run.minted(github, &overrides).unwrap_or_else(|| github.job(&overrides))))
    }
}

impl GitLabJob {
    fn start(&self, gitlab: &Provider<GitLab>) -> anyhow::Result<Vec<(String, String)>> {
        let overrides = self.run.overrides()?;
        if let Some(minted) = self.run.minted(gitlab, &overrides) {
            return Ok(answer(gitlab, minted));
        }
        let audience = self.audience.as_deref().context("expected --audience URL")?;
        Ok(answer(gitlab, gitlab.job(&overrides, &[(&self.variable, audience)])))
    }
}

impl Run {
    fn overrides(&self) -> anyhow::Result<Overrides> {
        Ok(Overrides::parse(self.claims.iter().chain(&self.more_claims).map(String::as_str))?)
    }

    /// The answer to `--mint`, if that was asked.
    fn minted(&self, provider: &dyn Pretended, overrides: &Overrides) -> Option<Vec<(String, String)>> {
        let audience = self.mint.as_deref()?;
        Some(vec![("ID_TOKEN".to_owned(), provider.mint(overrides, audience))])
    }
}

fn answer(provider: &dyn Pretended, variables: Vec<(String, String)>) -> Vec<(String, String)> {
    let issuer = ("ISSUER".to_owned(), provider.issuer().as_str().to_owned());
    [issuer].into_iter().chain(variables).collect()
}
