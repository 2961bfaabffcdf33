//! What the cryptography alone allows: what no server can exceed, however little it does beside.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::access_token::{Actor, AuthorizationDetail};
use countersign_core::{
    AccessTokenClaims, Algorithm, IdToken, IssuerUrl, Permission, UnixTime, VerifiedToken,
};
use countersign_simulator::system_clock;
use countersign_verify::{IssuerPolicy, KeySet, UnverifiedToken};
use serde_json::json;
use tokio::time::Instant;

use crate::rate::Rate;
use crate::workload::{AUDIENCE, ISSUER, KEYS, RESOURCE, TOKENS};
use crate::{cpu, tell};

const AT_LEAST: Duration = Duration::from_millis(1_200);

/// Verifies the id tokens of a workload and signs an access token for each, over and over for a second, on one thread.
pub(crate) fn measure(folder: &Path) -> anyhow::Result<()> {
    let limit = Limit::load(folder)?;
    let tokens = fs::read_to_string(folder.join(TOKENS))?;
    let tokens: Vec<IdToken> = tokens.lines().map(|line| IdToken::from(line.to_owned())).collect();
    // The first pass fills caches and is not counted.
    limit.pass(&tokens)?;

    let own = std::process::id();
    let (start, cpu_before) = (Instant::now(), cpu::seconds_of(own)?);
    let mut operations = 0;
    while start.elapsed() < AT_LEAST {
        limit.pass(&tokens)?;
        operations += tokens.len();
    }
    let rate = Rate::new(operations, start.elapsed(), cpu::seconds_of(own)? - cpu_before);
    tell(&rate.to_json().to_string());
    Ok(())
}

struct Limit {
    policy: IssuerPolicy,
    keys: KeySet,
    pair: EcdsaKeyPair,
    /// The encoded header with the dot behind it.
    header: String,
    now: UnixTime,
}

impl Limit {
    fn load(folder: &Path) -> anyhow::Result<Self> {
        let algorithms = vec![Algorithm::Rs256];
        let issuer: IssuerUrl = fs::read_to_string(folder.join(ISSUER))?.parse()?;
        let keys = KeySet::parse(&fs::read(folder.join(KEYS))?, &algorithms)?;
        let hour = Duration::from_hours(1);
        let policy = IssuerPolicy::new(issuer, vec![AUDIENCE.parse()?], algorithms, hour, hour)?;
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::generate(algorithm).context("cannot make a signing key")?;
        let kid = "rB0ELzGwA9SHyX-4Tn0Vd4NlYtXC8vrxkPqM1nZ2ahU";
        let header = json!({ "alg": "ES256", "kid": kid, "typ": "at+jwt" }).to_string();
        let header = format!("{}.", URL_SAFE_NO_PAD.encode(header));
        Ok(Self { policy, keys, pair, header, now: system_clock()() })
    }

    fn pass(&self, tokens: &[IdToken]) -> anyhow::Result<()> {
        for token in tokens {
            let verified = self.verify(token)?;
            std::hint::black_box(self.sign(&verified)?);
        }
        Ok(())
    }

    fn verify(&self, token: &IdToken) -> anyhow::Result<VerifiedToken> {
        let unverified = UnverifiedToken::parse(token)?;
        let key = self.keys.find(unverified.key_id(), unverified.algorithm())?;
        Ok(unverified.verify(&key, &self.policy, self.now)?)
    }

    /// The same claims in the same encoding as the server's.
    fn sign(&self, token: &VerifiedToken) -> anyhow::Result<String> {
        let publisher = "publisher:01890000-0000-7000-8000-000000000001".to_owned();
        let claims = AccessTokenClaims {
            iss: AUDIENCE.to_owned(),
            sub: publisher.clone(),
            aud: AUDIENCE.to_owned(),
            exp: self.now + Duration::from_hours(1),
            iat: self.now,
            jti: "01890000-0000-7000-8000-000000000002".to_owned(),
            client_id: publisher,
            authorization_details: vec![AuthorizationDetail::new(RESOURCE.parse()?, Permission::Write)],
            status: None,
            act: Actor { iss: token.issuer().to_string(), sub: token.subject().to_owned() },
        };
        let mut signed = self.header.clone();
        URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&claims)?, &mut signed);
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        signed.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.context("cannot sign")?, &mut signed);
        Ok(signed)
    }
}
