//! One token that is replaced for as long as it is needed.

use std::time::Duration;

use countersign_client::FreshToken;
use serde_json::{Value, json};

use crate::fake::{Job, chain, no_connection};

const RESOURCE: &str = "acme/model";

fn obtain(job: &Job, random: u64) -> FreshToken {
    FreshToken::obtain(job.client(), RESOURCE.parse().unwrap(), random).unwrap()
}

fn due(fresh: &FreshToken) -> Option<u128> {
    fresh.due_in().map(|wait| wait.as_millis())
}

#[test]
fn a_renewal_is_due_before_the_end() {
    let rows: [(Value, u64, u128); 7] = [
        (json!(3600), 0, 3_300_000),
        (json!(null), 0, 3_300_000),
        (json!(3600), 500, 3_285_000),
        (json!(3600), 999, 3_270_030),
        (json!(300), 0, 150_000),
        (json!(4), 0, 2_000),
        (json!(0), 0, 500),
    ];
    for (expires_in, random, expected) in rows {
        let job = Job::github().mints().issues("first", expires_in.clone());
        assert_eq!(due(&obtain(&job, random)), Some(expected), "{expires_in} {random}");
    }
}

#[test]
fn a_supplied_id_token_is_exchanged_again_before_the_end_too() {
    let job = Job::default().with("HF_OIDC_ID_TOKEN", "a.b.c").issues("first", 3600).issues("second", 3600);
    let mut fresh = obtain(&job, 0);
    assert_eq!(due(&fresh), Some(3_300_000));
    assert_eq!(fresh.renew().unwrap().expose(), "second");
}

#[test]
fn a_failed_renewal_keeps_the_token_and_is_tried_again_after_longer_and_longer_waits() {
    let job = Job::github().mints().issues("first", 3600);
    let mut fresh = obtain(&job, 0);
    job.pass(Duration::from_mins(55));
    for expected in [5_000, 10_000, 20_000, 40_000, 60_000, 60_000] {
        let job = job.clone().mints().answers(400, r#"{"error":"invalid_grant"}"#);
        let error = fresh.renew().unwrap_err();
        assert!(chain(&error).contains("invalid_grant"));
        assert_eq!(due(&fresh), Some(expected));
        assert_eq!((fresh.token().expose(), fresh.left()), ("first", Duration::from_mins(5)));
        drop(job);
    }
    let job = job.mints().issues("second", 3600);
    assert_eq!(fresh.renew().unwrap().expose(), "second");
    assert_eq!((due(&fresh), fresh.left()), (Some(3_300_000), Duration::from_hours(1)));
    fresh.postpone();
    assert_eq!(due(&fresh), Some(5_000), "and the count begins anew");
    drop(job);
}

#[test]
fn the_server_says_when_to_come_back() {
    let job = Job::github().mints().issues("first", 3600).mints();
    let job = job.answers_with(503, &[("retry-after", "120")], "");
    let mut fresh = obtain(&job, 0);
    assert!(fresh.renew().is_err());
    assert_eq!(due(&fresh), Some(120_000));
}

#[test]
fn a_refused_id_token_that_was_handed_over_once_is_the_end() {
    let job = Job::default().with("HF_OIDC_ID_TOKEN", "a.b.c").issues("first", 3600);
    let job = job.fails(no_connection()).fails(no_connection()).fails(no_connection());
    let mut fresh = obtain(&job.answers(400, r#"{"error":"invalid_grant"}"#), 0);
    assert!(fresh.renew().is_err());
    assert_eq!(due(&fresh), Some(5_000), "an outage is not the end");
    assert!(fresh.renew().is_err());
    assert_eq!(due(&fresh), None);
    assert_eq!(format!("{fresh:?}"), "FreshToken(acme/model)");
}

#[test]
fn a_file_may_hold_another_id_token_by_the_next_time() {
    let path = "/run/id-token";
    let job = Job::default().with("HF_OIDC_ID_TOKEN_FILE", path).file(path, Ok("a.b.c")).issues("first", 3600);
    let job = job.answers(400, r#"{"error":"invalid_grant"}"#).issues("second", 3600);
    let mut fresh = obtain(&job, 0);
    assert!(fresh.renew().is_err());
    assert_eq!(due(&fresh), Some(5_000));
    let job = job.file(path, Ok("d.e.f"));
    assert_eq!(fresh.renew().unwrap().expose(), "second");
    assert!(job.sent()[2].contains("d.e.f"));
}
