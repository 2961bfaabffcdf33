//! Where tokens go, and in which form.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use clap::Args;
use countersign_client::{RequestedResource, Variables};
use countersign_core::token_exchange::TokenResponse;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::variable_name::VariableName;

/// The choice of a form: one kind at most.
#[derive(Debug, Args)]
pub(super) struct FormArguments {
    /// Prints the server's whole answer as JSON; for several resources, an object of answers by resource
    #[arg(long, group = "form")]
    json: bool,
    /// Appends to the file in `GITHUB_ENV`: a variable for all later steps of the job; one for each resource
    #[arg(long, group = "form", value_name = "NAME")]
    github_env: Vec<String>,
    /// Appends to the file in `GITHUB_OUTPUT`: an output of this step; one for each resource
    #[arg(long, group = "form", value_name = "NAME")]
    github_output: Vec<String>,
    /// Appends NAME=token to a dotenv file, readable by its owner alone; one for each resource
    #[arg(long, group = "form", num_args = 2, value_names = ["FILE", "NAME"])]
    dotenv: Vec<String>,
}

/// Where tokens go.
pub(super) enum Form {
    /// To standard output, a line each.
    Lines,
    /// To standard output, with all that the server said.
    Json,
    /// To a file that GitHub's runner reads after the step.
    Runner {
        /// The file.
        path: PathBuf,
        /// What the tokens are called.
        names: Vec<VariableName>,
    },
    /// To dotenv files.
    Dotenv(Vec<(PathBuf, VariableName)>),
}

impl FormArguments {
    /// Reads the choice, for that many resources.
    pub(super) fn read(self, resources: usize, variables: &Variables) -> Result<Form, Failure> {
        if self.json {
            return Ok(Form::Json);
        }
        let rows = [
            ("--github-env", "GITHUB_ENV", self.github_env),
            ("--github-output", "GITHUB_OUTPUT", self.github_output),
        ];
        for (option, variable, names) in rows {
            if !names.is_empty() {
                expect_one_each(option, names.len(), resources)?;
                let path = variables.text(variable).ok_or(Failure::NoRunnerFile { option, variable })?.into();
                let names = names.into_iter().map(|name| VariableName::read(option, name));
                return Ok(Form::Runner { path, names: names.collect::<Result<_, _>>()? });
            }
        }
        if self.dotenv.is_empty() {
            return Ok(Form::Lines);
        }
        let option = "--dotenv";
        expect_one_each(option, self.dotenv.len() / 2, resources)?;
        let pairs = self.dotenv.chunks_exact(2).map(|pair| {
            let name = VariableName::read(option, pair[1].clone())?;
            Ok((PathBuf::from(&pair[0]), name))
        });
        Ok(Form::Dotenv(pairs.collect::<Result<_, Failure>>()?))
    }
}

fn expect_one_each(option: &'static str, names: usize, resources: usize) -> Result<(), Failure> {
    if names == resources { Ok(()) } else { Err(Failure::OneEach { option, names, resources }) }
}

impl Form {
    /// Writes the tokens. None has a line end in it: the client takes visible ASCII only, so none can add a line of its own.
    pub(super) fn write(
        &self,
        answers: &[(RequestedResource, TokenResponse)],
        stdout: &mut dyn Write,
        random: fn() -> u64,
    ) -> Result<(), Failure> {
        let tokens = || answers.iter().map(|(_, answer)| answer.access_token.expose());
        match self {
            Self::Lines => {
                for token in tokens() {
                    writeln!(stdout, "{token}")?;
                }
            }
            Self::Json => writeln!(stdout, "{}", json(answers)?)?,
            Self::Runner { path, names } => {
                let delimiter = format!("countersign_{:016x}{:016x}", random(), random());
                let lines = names.iter().zip(tokens());
                let text = lines.map(|(name, token)| format!("{name}<<{delimiter}\n{token}\n{delimiter}\n"));
                // The runner's file and its permissions are the runner's.
                append(path, &text.collect::<String>(), |_| Ok(()))?;
            }
            Self::Dotenv(places) => {
                for ((path, name), token) in places.iter().zip(tokens()) {
                    append(path, &format!("{name}={token}\n"), narrow)?;
                }
            }
        }
        Ok(stdout.flush()?)
    }
}

fn json(answers: &[(RequestedResource, TokenResponse)]) -> Result<String, Failure> {
    if let [(_, answer)] = answers {
        return Ok(answer.to_json()?);
    }
    let mut object = Map::new();
    for (resource, answer) in answers {
        let answer: Value = serde_json::from_str(&answer.to_json()?)?;
        object.insert(resource.as_str().to_owned(), answer);
    }
    Ok(Value::Object(object).to_string())
}

/// Appends in one piece, after `prepare` has seen the file; one that is not there yet is made for its owner alone.
fn append(path: &Path, text: &str, prepare: fn(&File) -> io::Result<()>) -> Result<(), Failure> {
    let write = || {
        let mut file = OpenOptions::new().append(true).create(true).mode(OWNER_ONLY).open(path)?;
        prepare(&file)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|source| Failure::File { path: path.to_owned(), source })
}

/// Takes the file away from everybody else before a token is in it.
fn narrow(file: &File) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(OWNER_ONLY))
}

/// Read and write for the owner.
const OWNER_ONLY: u32 = 0o600;
