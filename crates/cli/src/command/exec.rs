//! `countersign exec`: a command with a token that stays fresh for as long as it runs.

mod renewal;

use std::ffi::OsString;
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use clap::Args;
use countersign_client::{Client, FreshToken, RequestedResource};
use countersign_core::AccessToken;

use crate::child;
use crate::command::exec::renewal::Renewal;
use crate::failure::Failure;
use crate::job::JobArguments;
use crate::masking::mask;
use crate::process::{Process, temporary_folder};
use crate::token_file::TokenFile;
use crate::variable_name::VariableName;

const HELP: &str = "\
Examples:
  countersign exec acme/awesome-model -- hf upload acme/awesome-model .
  countersign exec acme/awesome-model --file-only -- python train.py
  countersign exec pkg:pypi/acme-lib --env TWINE_PASSWORD -- twine upload dist/*
  countersign exec acme/model -- sh -c 'curl -H \"Authorization: Bearer $(cat $HF_TOKEN_PATH)\" …'

The token is in the variable HF_TOKEN, and in a file whose path is in HF_TOKEN_PATH. A variable never changes while a
command runs; the file is replaced five minutes before its token ends (at half of a lifetime that is no longer than ten
minutes). So a command that may run for longer than one token lives has to read the file. The Hugging Face libraries
do, unless a variable holds a token: with --file-only none does. HF_OIDC_RESOURCE and HUGGING_FACE_HUB_TOKEN, which would
send them elsewhere, are taken away from the command.

A renewal that fails is said on standard error and tried again; it never ends the command. SIGINT, SIGTERM and SIGHUP
are passed on. When the command ends, the file is removed, and the token revoked where the registry offers that.

Exit code: the command's own, or 128 and the number of the signal that ended it; 127 if there is no such command, 126
if it cannot be run. If it was not started because there was no token: 2 to 5, as in `countersign --help`.";

/// The variable that the Hub's libraries read a token from.
const TOKEN: &str = "HF_TOKEN";
/// What would send the Hub's libraries elsewhere than to the token that they are given here.
const MISLEADING: [&str; 3] = ["HF_OIDC_RESOURCE", TOKEN, "HUGGING_FACE_HUB_TOKEN"];

/// `countersign exec`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// What the token is for: namespace/name, datasets/namespace/name, a user name, pkg:pypi/name …
    resource: RequestedResource,
    // Names are read later: clap would repeat a token that was put there by mistake.
    /// A variable for the token; may be given several times [default: `HF_TOKEN`]
    #[arg(long, value_name = "NAME")]
    env: Vec<String>,
    /// Puts the token into the file only: for a command that outlives one token
    #[arg(long, conflicts_with = "env")]
    file_only: bool,
    /// A variable for the path of the file; may be given several times [default: `HF_TOKEN_PATH`]
    #[arg(long, value_name = "NAME")]
    token_file_env: Vec<String>,
    /// Where and who.
    #[command(flatten)]
    job: JobArguments,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Obtains a token, runs the command, and keeps the token fresh beside it.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let Some((program, rest)) = arguments.command.split_first() else {
        return Err(Failure::NoCommand);
    };
    let mut token_names = read_names("--env", arguments.env, TOKEN)?;
    if arguments.file_only {
        token_names.clear();
    }
    let path_names = read_names("--token-file-env", arguments.token_file_env, "HF_TOKEN_PATH")?;
    let variables = process.surroundings.variables.clone();
    let client = Client::new(process.surroundings, arguments.job.settings()?)?;
    let fresh = FreshToken::obtain(client.clone(), arguments.resource, (process.random)())?;
    mask(client.surroundings(), fresh.token(), &mut process.stderr)?;
    let file = TokenFile::create(temporary_folder(&variables), fresh.token()).map_err(Failure::TokenFile)?;

    process.progress.end();
    let mut command = Command::new(program);
    command.args(rest);
    for name in MISLEADING {
        command.env_remove(name);
    }
    command.envs(token_names.iter().map(|name| (name.as_str(), fresh.token().expose())));
    command.envs(path_names.iter().map(|name| (name.as_str(), file.path())));

    let file = Arc::new(Mutex::new(Some(file)));
    // Dropped at the end, which the renewal notices while it waits.
    let (_running, ended) = mpsc::channel();
    let renewal = Renewal {
        fresh,
        file: Arc::clone(&file),
        ended,
        surroundings: client.surroundings().clone(),
        notes: process.stderr,
    };
    // Never joined: it may be in the middle of a request, and the command's end is the end.
    thread::spawn(move || renewal.run());
    let outcome = child::run(&mut command);
    // Taken away under the lock: a renewal that comes too late finds no file to write to.
    let file = file.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(token) = file.map(TokenFile::remove) {
        revoke(client, token);
    }
    Ok(outcome?)
}

/// Ends the token where the registry offers that. It ends by itself soon: no failure is worth a word, and no slow registry
/// worth a wait.
fn revoke(client: Client, token: AccessToken) {
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        let _ = client.revoke(&token);
        let _ = done.send(());
    });
    let _ = finished.recv_timeout(PATIENCE);
}

/// How long a command's end is held up by the revocation at most.
const PATIENCE: Duration = Duration::from_secs(3);

fn read_names(option: &'static str, given: Vec<String>, usual: &str) -> Result<Vec<VariableName>, Failure> {
    let given = if given.is_empty() { vec![usual.to_owned()] } else { given };
    given.into_iter().map(|name| VariableName::read(option, name)).collect()
}
