//! Access tokens that the processes of one job share, where somebody asks for it.
//!
//! What is kept says when it ends and is sealed with a key that only this job has ([`JobKey`]), so it outlives neither the
//! token nor the job: what is left of it is noise. The files are nobody's business all the same, which `folder` sees to.

mod folder;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use countersign_client::{Client, JobKey, LoginError, RequestedResource, Variables};
use countersign_core::token_exchange::TokenResponse;
use thiserror::Error;

use crate::failure::{Failure, chain};
use crate::process::temporary_folder;
use crate::token_cache::folder::{Folder, FolderError};

/// Whether tokens are shared.
#[derive(Debug, Args)]
pub(crate) struct CacheArguments {
    /// Shares the token with the other processes of this job until it is time for the next [default: not, unless
    /// `COUNTERSIGN_CACHE` is 1]
    #[arg(long)]
    cache: bool,
}

/// The variable that shares tokens in all commands of a job that can.
pub(crate) const VARIABLE: &str = "COUNTERSIGN_CACHE";

impl CacheArguments {
    /// Reads the choice.
    pub(crate) fn read(&self, variables: &Variables) -> Result<TokenCache, Failure> {
        let by_variable = match variables.text(VARIABLE) {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(found) => return Err(Failure::CacheVariable(found.chars().take(80).collect())),
        };
        let user = rustix::process::geteuid();
        let folder = temporary_folder(variables).join(format!("countersign-{}", user.as_raw()));
        Ok(if self.cache || by_variable { TokenCache::In(folder) } else { TokenCache::Off })
    }
}

/// Where tokens are shared.
#[derive(Debug)]
pub(crate) enum TokenCache {
    /// Nowhere.
    Off,
    /// In this folder.
    In(PathBuf),
}

/// Why a token is not shared. It is obtained all the same.
#[derive(Debug, Error)]
enum NotShared {
    /// There is nothing to share it by.
    #[error(
        "nothing tells this job from others: expected the secret of a CI job or an id token, and found a machine's identity or \
         a command's"
    )]
    NoKey,
    /// There is no place for it.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Its file cannot be locked or written.
    #[error("its file cannot be used")]
    File(#[from] io::Error),
}

impl TokenCache {
    /// A token that another process of this job has obtained, or else one that this process obtains, for the others too.
    ///
    /// Of several processes that want the same token at the same time, one obtains it and the others wait. If sharing is not
    /// possible, `notes` says why, and the token is this process' own.
    pub(crate) fn login(
        &self,
        client: &Client,
        resource: &RequestedResource,
        notes: &mut dyn Write,
    ) -> Result<TokenResponse, Failure> {
        let Self::In(path) = self else { return Ok(client.login(resource)?) };
        let key = client.job_key(resource).map_err(LoginError::from)?;
        let clock = &client.surroundings().clock;
        let place = |key: JobKey| Ok((Folder::open(path)?.entry(key.name())?, key));
        let (entry, key) = match key.ok_or(NotShared::NoKey).and_then(place) {
            Ok(found) => found,
            Err(reason) => {
                say(notes, &reason)?;
                return Ok(client.login(resource)?);
            }
        };
        if let Some(answer) = entry.read().and_then(|sealed| key.open(&sealed, clock.now())) {
            return Ok(answer);
        }
        let asked_at = clock.now();
        let answer = client.login(resource)?;
        if let Some(sealed) = key.seal(&answer, asked_at)
            && let Err(error) = entry.replace(&sealed, clock.now())
        {
            say(notes, &NotShared::File(error))?;
        }
        Ok(answer)
    }

    /// Forgets the token that is shared, since whoever used it was refused.
    pub(crate) fn forget(&self, client: &Client, resource: &RequestedResource) -> Result<(), Failure> {
        let Self::In(path) = self else { return Ok(()) };
        let Some(key) = client.job_key(resource).map_err(LoginError::from)? else { return Ok(()) };
        // Where there is no folder, or none that is used, nothing is shared.
        if let Ok(folder) = Folder::open(path) {
            folder.entry(key.name())?.remove();
        }
        Ok(())
    }
}

fn say(notes: &mut dyn Write, reason: &NotShared) -> io::Result<()> {
    writeln!(
        notes,
        "countersign: the token is not shared with other processes of this job: {}",
        chain(reason)
    )
}
