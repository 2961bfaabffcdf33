//! Gitea Actions: GitHub's contract on every Gitea instance.
//!
//! Gitea has announced id tokens with GitHub's `permissions: id-token: write` and not released them yet: what will be in
//! them is taken from Forgejo, with which it shares its Actions, and which claims are known is left open.

use super::{Preset, forgejo};

pub(super) const PRESET: Preset = Preset {
    name: "gitea",
    title: "Gitea Actions",
    // Nothing tells its issuers from others, so none belongs to it.
    issuer_forms: &[],
    known_claims: &[],
    ..forgejo::PRESET
};
