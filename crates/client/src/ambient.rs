//! The CI providers that a job may run on, and how each gives it an id token.
//!
//! A provider is one file here with one [`AmbientProvider`], and one entry in [`ALL`].

mod error;
mod obstacle;

mod declared;
mod printed;
mod token_service;

mod aws;
mod azure;
mod azure_devops;
mod bitbucket;
mod bitrise;
mod buildkite;
mod circleci;
mod codefresh;
mod depot;
mod env0;
mod fly;
mod forgejo;
mod gitea;
mod github;
mod gitlab;
mod google;
mod hcp_terraform;
mod kubernetes;
mod modal;
mod semaphore;
mod spacelift;
mod spiffe;
mod vercel;

use countersign_core::time::LEEWAY;
use countersign_core::{Audience, IdToken, Provider};

pub use error::MintError;
use obstacle::Obstacle;

use crate::identity::{Identity, Source};
use crate::surroundings::Surroundings;
use crate::unverified::UnverifiedClaims;

/// All of them, in the order of detection: the first that recognises the job has it.
///
/// Those that set another's variables too come before it. Machines come last: a job's runner may stand on any cloud, and
/// the job is who acts, not its machine.
pub const ALL: &[&AmbientProvider] = &[
    // Continuous integration.
    &forgejo::PROVIDER,
    &gitea::PROVIDER,
    &github::PROVIDER,
    &depot::PROVIDER,
    &gitlab::PROVIDER,
    &circleci::PROVIDER,
    &buildkite::PROVIDER,
    &bitbucket::PROVIDER,
    &azure_devops::PROVIDER,
    &semaphore::PROVIDER,
    &codefresh::PROVIDER,
    &spacelift::PROVIDER,
    &hcp_terraform::PROVIDER,
    &env0::PROVIDER,
    &bitrise::PROVIDER,
    // App platforms.
    &fly::PROVIDER,
    &vercel::PROVIDER,
    &modal::PROVIDER,
    // Clouds.
    &kubernetes::PROVIDER,
    &aws::PROVIDER,
    &azure::PROVIDER,
    &spiffe::PROVIDER,
    &google::PROVIDER,
];

/// Stands for the audience in a snippet, quotes included: as JSON has them, which YAML, HCL and shells read too.
const AUDIENCE: &str = "{audience}";

/// A CI provider, as seen from inside a job.
#[derive(Debug)]
pub struct AmbientProvider {
    /// Whose claims its tokens carry: name and title come from there.
    provider: Provider,
    /// What it is recognised by, in words.
    sign: &'static str,
    /// Who says what a token is for.
    audience: AudienceChoice,
    /// What tells the job from all others.
    job: JobMark,
    /// What is unusual about its tokens, for whoever looks at one.
    remark: Option<&'static str>,
    /// What to add to a job so that it gets a token for the audience.
    remedy: fn(&Audience) -> String,
    /// The same as the lines to add, with [`AUDIENCE`] where the audience belongs.
    snippet: &'static str,
    /// Whether the job runs on it.
    detect: fn(&Surroundings) -> bool,
    /// Has it mint (or finds) an id token for the audience. The token is checked in [`AmbientProvider::mint`].
    mint: fn(&Surroundings, &Audience) -> Minted,
}

/// Who says what an id token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudienceChoice {
    /// Whoever asks for the token: us.
    Asked,
    /// The job's definition, or the settings of the provider.
    Declared,
    /// The provider, and it is always this. Every service that accepts it accepts tokens that were shown to others, so a
    /// registry has to be told to, and so have we.
    Fixed(&'static str),
}

/// What no other job has, ever: by it the processes of one job recognise each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobMark {
    /// The id token, which lies in the job from its start.
    IdToken,
    /// The secret in this variable, such as the credential for the token service.
    Secret(&'static str),
    /// Nothing: the identity is a machine's, where no job ends.
    Nothing,
}

/// A token as the provider gave it, before any check, and where it is from.
type Minted = Result<(IdToken, Source), Obstacle>;

impl AmbientProvider {
    /// The provider that this job runs on.
    pub fn detected(surroundings: &Surroundings) -> Option<&'static Self> {
        ALL.iter().copied().find(|provider| (provider.detect)(surroundings))
    }

    /// The provider of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|provider| provider.name() == name)
    }

    /// The name on command lines.
    pub fn name(&self) -> &'static str {
        self.provider.preset().name
    }

    /// The name in sentences.
    pub fn title(&self) -> &'static str {
        self.provider.preset().title
    }

    /// What it is recognised by, such as `GITHUB_ACTIONS=true`.
    pub const fn sign(&self) -> &'static str {
        self.sign
    }

    /// Who says what its tokens are for.
    pub const fn audience_choice(&self) -> AudienceChoice {
        self.audience
    }

    /// What tells one of its jobs from all others.
    pub const fn job_mark(&self) -> JobMark {
        self.job
    }

    /// What is unusual about its tokens, such as how long they live.
    pub const fn remark(&self) -> Option<&'static str> {
        self.remark
    }

    /// What to add to a job so that it gets a token for the audience.
    pub fn remedy(&self, audience: &Audience) -> String {
        (self.remedy)(audience)
    }

    /// The lines to add to a job, or to the settings of its provider, so that it gets a token for the audience. Names in
    /// capitals are for whoever adds them to replace.
    pub fn snippet(&self, audience: &Audience) -> String {
        self.snippet.replace(AUDIENCE, &serde_json::Value::from(audience.as_str()).to_string())
    }

    /// Has an id token minted for the audience.
    ///
    /// What the registry would refuse for certain is refused here, before anything is sent to it: a token that is no
    /// JWT, that is for somebody else, or that has expired.
    pub fn mint(
        &'static self,
        surroundings: &Surroundings,
        audience: &Audience,
    ) -> Result<Identity, MintError> {
        let title = self.title();
        let (token, source) = (self.mint)(surroundings, audience)
            .map_err(|obstacle| obstacle.at(title, self.remedy(audience)))?;
        let claims =
            UnverifiedClaims::read(&token).map_err(|source| MintError::Unreadable { title, source })?;
        self.check_audience(&claims, audience)?;
        let now = surroundings.clock.now();
        match claims.expires_at() {
            None => Err(MintError::NoExpiry { title }),
            Some(end) if end + LEEWAY <= now => {
                Err(MintError::Expired { title, seconds: now.since(end).as_secs() })
            }
            Some(_) => Ok(Identity::minted(token, source, self.labelled_by(&claims))),
        }
    }

    /// A token for somebody else is never sent, not even where its provider has no other: whoever gets it could use it
    /// there. That a registry accepts it anyway is for the caller to say, by naming its audience.
    fn check_audience(&self, claims: &UnverifiedClaims, audience: &Audience) -> Result<(), MintError> {
        if claims.audiences().contains(&audience.as_str()) {
            return Ok(());
        }
        let (title, found) = (self.title(), claims.audiences().join(", "));
        let remedy = match self.audience {
            AudienceChoice::Asked => String::new(),
            AudienceChoice::Declared => format!("; {}", self.remedy(audience)),
            AudienceChoice::Fixed(always) => format!(
                "; its tokens are always for {always}: if the registry accepts them, give --audience {found}"
            ),
        };
        Err(MintError::Audience { title, expected: audience.clone(), found, remedy })
    }

    /// Several providers share one contract in the job: where the token's issuer belongs to one, it is that one's.
    fn labelled_by(&'static self, claims: &UnverifiedClaims) -> &'static Self {
        let owner = claims.issuer().and_then(|issuer| Provider::owning(&issuer));
        ALL.iter().copied().find(|provider| Some(provider.provider) == owner).unwrap_or(self)
    }
}

/// The names of all providers, for messages.
pub(crate) fn supported() -> String {
    ALL.iter().map(|provider| provider.name()).collect::<Vec<_>>().join(", ")
}
