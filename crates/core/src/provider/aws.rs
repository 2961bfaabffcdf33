//! AWS: roles of an account, with an issuer for each account (`GetWebIdentityToken`).
//!
//! What is in `request_tags` the caller chose, so no condition may read it. `sub` is a role's ARN: a name within the
//! account, which whoever owns the account can give again.
//!
//! Source: AWS IAM User Guide, "Outbound identity federation"; STS API, `GetWebIdentityToken`.

use std::borrow::Cow;
use std::time::Duration;

use super::{Cautions, Defaults, Field, Preset};
use crate::algorithm::Algorithm;
use crate::statement::Statement;

pub(super) const PRESET: Preset = Preset {
    name: "aws",
    title: "AWS",
    issuers: &[],
    issuer_forms: &["https://*.tokens.sts.global.api.aws"],
    fields: &[Field::new("account", CLAIM, parse_account)
        .shorthand(without_dashes)
        .single()
        .id()
        .read_by(account)],
    pins: &[],
    event: None,
    guard: |_, _| None,
    names_tenant: |_| true,
    tenant_remedy: "set account=ID",
    unfit_claims: &[("/https:~1~1sts.amazonaws.com~1/request_tags", "whoever asks for the token chooses it")],
    cautions: Cautions::NONE,
    home: |_| None,
    proposed_claims: &["sub"],
    known_claims: &["aud", "exp", "https://sts.amazonaws.com/", "iat", "iss", "jti", "nbf", "sub"],
    recorded_claims: &["jti", "sub"],
    defaults: Defaults::new(&[Algorithm::Rs256, Algorithm::Es384], Duration::from_hours(1), 1),
};

const CLAIM: &str = "https://sts.amazonaws.com/";

fn parse_account(text: &str) -> Result<String, &'static str> {
    let fits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { Ok(text.to_owned()) } else { Err("the 12 digits of an AWS account") }
}

fn account<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    statement.claims().value(claim)?.get("aws_account")?.as_str().map(Cow::Borrowed)
}

/// The console shows `1234-5678-9012`.
fn without_dashes(text: &str) -> Option<String> {
    (text.len() == 14).then(|| text.replace('-', ""))
}
