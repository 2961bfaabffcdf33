//! The running jobs that may mint id tokens over HTTP.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use crate::overrides::Overrides;
use crate::random;

/// Jobs by the id in their mint URL.
#[derive(Default)]
pub(crate) struct Jobs(RwLock<HashMap<String, Job>>);

struct Job {
    credential: String,
    overrides: Overrides,
}

/// What a job is told so that it can mint.
pub(crate) struct Started {
    /// Its id in URLs.
    pub(crate) id: String,
    /// What it has to show.
    pub(crate) credential: String,
}

impl Jobs {
    /// Starts a job whose run differs so from the usual one.
    pub(crate) fn start(&self, overrides: &Overrides) -> Started {
        let started = Started { id: random::text(), credential: random::text() };
        let job = Job { credential: started.credential.clone(), overrides: overrides.clone() };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(started.id.clone(), job);
        started
    }

    /// How the run of that job differs, whoever asks.
    pub(crate) fn overrides(&self, id: &str) -> Option<Overrides> {
        let jobs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Some(jobs.get(id)?.overrides.clone())
    }

    /// How the run of that job differs, if this is its credential.
    pub(crate) fn authorized(&self, id: &str, credential: Option<&str>) -> Option<Overrides> {
        let jobs = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let job = jobs.get(id).filter(|job| credential == Some(job.credential.as_str()))?;
        Some(job.overrides.clone())
    }
}
