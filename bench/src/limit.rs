//! What the cryptography alone allows: what no server can exceed, however little it does beside.

use std::fs;
use std::path::Path;
use std::time::Duration;

use countersign_core::access_token::{Actor, AuthorizationDetail, Status, StatusReference};
use countersign_core::{
    AccessTokenClaims, Algorithm, IdToken, IssuerUrl, Permission, Resource, UnixTime, VerifiedToken,
};
use countersign_simulator::system_clock;
use countersign_verify::{IssuerPolicy, KeySet, UnverifiedToken};
use tokio::time::Instant;

use crate::es256::SigningKey;
use crate::rate::Rate;
use crate::workload::{AUDIENCE, ISSUER, KEYS, RESOURCE, TOKENS};
use crate::{process, tell};

const AT_LEAST: Duration = Duration::from_millis(1_200);

/// Verifies the id tokens of a workload and signs an access token for each, over and over for a second, on one thread.
pub(crate) fn measure(folder: &Path) -> anyhow::Result<()> {
    let cryptography = Cryptography::load(folder)?;
    let resource: Resource = RESOURCE.parse()?;
    let tokens = fs::read_to_string(folder.join(TOKENS))?;
    let tokens: Vec<IdToken> = tokens.lines().map(|line| IdToken::from(line.to_owned())).collect();
    let pass = || {
        tokens.iter().try_for_each(|token| {
            let verified = cryptography.verify(token)?;
            std::hint::black_box(cryptography.sign(&verified, &resource, Permission::Write)?);
            anyhow::Ok(())
        })
    };
    // The first pass fills caches and is not counted.
    pass()?;

    let (start, cpu_before) = (Instant::now(), process::seconds_of_this_thread()?);
    let mut operations = 0;
    while start.elapsed() < AT_LEAST {
        pass()?;
        operations += tokens.len();
    }
    let rate = Rate::new(operations, start.elapsed(), process::seconds_of_this_thread()? - cpu_before);
    tell(&rate.to_json().to_string());
    Ok(())
}

/// What an exchange cannot do without, and nothing else: from an id token to a verified one, and from a permission to a signed
/// access token.
pub(crate) struct Cryptography {
    policy: IssuerPolicy,
    keys: KeySet,
    key: SigningKey,
    header: String,
    now: UnixTime,
}

impl Cryptography {
    /// Reads the issuer that a workload has left in a folder.
    pub(crate) fn load(folder: &Path) -> anyhow::Result<Self> {
        let algorithms = vec![Algorithm::Rs256];
        let issuer: IssuerUrl = fs::read_to_string(folder.join(ISSUER))?.parse()?;
        let keys = KeySet::parse(&fs::read(folder.join(KEYS))?, &algorithms)?;
        let hour = Duration::from_hours(1);
        let policy = IssuerPolicy::new(issuer, vec![AUDIENCE.parse()?], algorithms, hour, hour)?;
        let (key, header) = (SigningKey::generate()?, SigningKey::header("at+jwt"));
        Ok(Self { policy, keys, key, header, now: system_clock()() })
    }

    /// The issuer.
    pub(crate) fn issuer(&self) -> &IssuerUrl {
        self.policy.issuer()
    }

    /// Parses and verifies an id token, as of when this was loaded.
    pub(crate) fn verify(&self, token: &IdToken) -> anyhow::Result<VerifiedToken> {
        let unverified = UnverifiedToken::parse(token)?;
        let key = self.keys.find(unverified.key_id(), unverified.algorithm())?;
        Ok(unverified.verify(&key, &self.policy, self.now)?)
    }

    /// The same claims in the same encoding as the server's.
    pub(crate) fn sign(
        &self,
        token: &VerifiedToken,
        resource: &Resource,
        permission: Permission,
    ) -> anyhow::Result<String> {
        let publisher = "publisher:01890000-0000-7000-8000-000000000001".to_owned();
        let list = StatusReference { idx: 524_287, uri: format!("{AUDIENCE}/status/AAAAAAAAAAAAAAAAAAAAAA") };
        let claims = AccessTokenClaims {
            iss: AUDIENCE.to_owned(),
            sub: publisher.clone(),
            aud: AUDIENCE.to_owned(),
            exp: self.now + Duration::from_hours(1),
            iat: self.now,
            jti: "01890000-0000-7000-8000-000000000002".to_owned(),
            client_id: publisher,
            authorization_details: vec![AuthorizationDetail::new(resource.clone(), permission)],
            status: Some(Status { status_list: list }),
            act: Actor { iss: token.issuer().to_string(), sub: token.subject().to_owned() },
        };
        let mut signed = self.header.clone();
        self.key.sign_claims(&mut signed, &claims)?;
        Ok(signed)
    }
}
