//! The server that plays all providers.

use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use countersign_core::Provider as Preset;
use countersign_core::issuer::IssuerUrlError;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::aws::Aws;
use crate::azure::Azure;
use crate::azure_devops::AzureDevops;
use crate::bitbucket::Bitbucket;
use crate::bitrise::Bitrise;
use crate::buildkite::Buildkite;
use crate::circleci::CircleCi;
use crate::clock::{Clock, system_clock};
use crate::codefresh::Codefresh;
use crate::depot::Depot;
use crate::env0::Env0;
use crate::fly::Fly;
use crate::forgejo::Forgejo;
use crate::gitea::Gitea;
use crate::github::GitHub;
use crate::gitlab::GitLab;
use crate::google::Google;
use crate::hcp_terraform::HcpTerraform;
use crate::kubernetes::Kubernetes;
use crate::modal::Modal;
use crate::pretended::Pretended;
use crate::provider::{Platform, Provider};
use crate::routes::routes;
use crate::semaphore::Semaphore;
use crate::spacelift::Spacelift;
use crate::spiffe::Spiffe;
use crate::vercel::Vercel;

/// Pretend CI providers on a port of the loopback interface, until dropped.
pub struct Simulator {
    github: Arc<Provider<GitHub>>,
    gitlab: Arc<Provider<GitLab>>,
    all: Vec<Arc<dyn Pretended>>,
    server: JoinHandle<()>,
}

impl Simulator {
    /// Starts on a free port, by the machine's clock. Needs a running tokio runtime.
    pub async fn start() -> Result<Self, StartError> {
        Self::listen(0, system_clock()).await
    }

    /// Starts on a given port (0 for a free one), by a given clock.
    pub async fn listen(port: u16, clock: Clock) -> Result<Self, StartError> {
        let listen = |source| StartError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?;
        let port = listener.local_addr().map_err(listen)?.port();
        let mut cast = Cast { port, clock, router: Router::new(), all: Vec::new() };
        let (github, gitlab) = (cast.add::<GitHub>()?, cast.add::<GitLab>()?);
        cast.add::<CircleCi>()?;
        cast.add::<Buildkite>()?;
        cast.add::<Bitbucket>()?;
        cast.add::<Forgejo>()?;
        cast.add::<Gitea>()?;
        cast.add::<Depot>()?;
        cast.add::<AzureDevops>()?;
        cast.add::<Semaphore>()?;
        cast.add::<Codefresh>()?;
        cast.add::<Spacelift>()?;
        cast.add::<HcpTerraform>()?;
        cast.add::<Env0>()?;
        cast.add::<Bitrise>()?;
        cast.add::<Fly>()?;
        cast.add::<Vercel>()?;
        cast.add::<Modal>()?;
        cast.add::<Kubernetes>()?;
        cast.add::<Aws>()?;
        cast.add::<Azure>()?;
        cast.add::<Google>()?;
        cast.add::<Spiffe>()?;
        let Cast { router, all, .. } = cast;
        // Serving ends only with the task: axum retries whatever fails on the way.
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Ok(Self { github, gitlab, all, server })
    }

    /// All pretend providers.
    pub fn providers(&self) -> impl Iterator<Item = &dyn Pretended> {
        self.all.iter().map(|provider| &**provider)
    }

    /// The pretend provider that plays this one; `None` for `generic`, which is nobody.
    pub fn provider(&self, preset: Preset) -> Option<&dyn Pretended> {
        self.providers().find(|provider| provider.preset() == preset)
    }

    /// The pretend GitHub Actions.
    pub fn github(&self) -> &Provider<GitHub> {
        &self.github
    }

    /// The pretend GitLab.
    pub fn gitlab(&self) -> &Provider<GitLab> {
        &self.gitlab
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Why the simulator does not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The port is taken or not allowed; 0 takes a free one.
    #[error("cannot listen on port {port} of 127.0.0.1; choose another, or 0 for a free one")]
    Listen {
        /// What was asked for.
        port: u16,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The port makes no issuer URL.
    #[error("the address makes no issuer URL")]
    Issuer(#[from] IssuerUrlError),
}

/// The providers that are there so far.
struct Cast {
    port: u16,
    clock: Clock,
    router: Router,
    all: Vec<Arc<dyn Pretended>>,
}

impl Cast {
    fn add<P: Platform>(&mut self) -> Result<Arc<Provider<P>>, IssuerUrlError> {
        let issuer = format!("http://127.0.0.1:{}/{}", self.port, P::PRESET).parse()?;
        let provider = Arc::new(Provider::<P>::new(issuer, self.clock.clone()));
        self.router = std::mem::take(&mut self.router).merge(routes(&provider));
        self.all.push(provider.clone());
        Ok(provider)
    }
}
