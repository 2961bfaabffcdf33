//! Threats K: the administration API, and who may do what with it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::{IssuerUrl, Provider};
use countersign_server::admin::{NewAdminToken, Role};
use countersign_server::clock::SystemRandomness;
use countersign_server::issuers::Found;
use countersign_server::store::StoredIssuer;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::stage::Stage;

const RESOURCE: &str = "acme/awesome-model";

/// Somebody with an admin token.
struct Admin<'a> {
    stage: &'a Stage,
    secret: String,
    id: String,
}

#[derive(Debug)]
struct Reply {
    status: u16,
    etag: Option<String>,
    body: Value,
}

impl<'a> Admin<'a> {
    async fn new(stage: &'a Stage, role: Role, resources: &[&str]) -> Self {
        let resources = resources.iter().map(|pattern| pattern.parse().unwrap()).collect();
        let day = Duration::from_hours(24);
        let new = NewAdminToken::new(role.to_string(), role, resources, day).unwrap();
        let (token, secret) = new.made(stage.now(), &SystemRandomness);
        let id = token.id.clone();
        stage.app.exchange.store.add_admin_token(token, &stage.author()).await.unwrap();
        Self { stage, secret: secret.expose_secret().to_owned(), id }
    }

    async fn owner(stage: &'a Stage) -> Self {
        Self::new(stage, Role::Owner, &[]).await
    }

    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Reply {
        // Ids sort by time: what comes later is later.
        self.stage.clock.set(self.stage.now() + Duration::from_secs(1));
        let method: reqwest::Method = method.parse().unwrap();
        let mut request = self
            .stage
            .http
            .request(method, format!("{}/api/v1{path}", self.stage.url))
            .bearer_auth(&self.secret);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        assert!(response.headers().contains_key("x-request-id"));
        let etag = response.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        let text = response.text().await.unwrap();
        Reply { status, etag, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], None).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.ask("POST", path, &[], Some(body)).await
    }

    async fn add(&self, resource: &str) -> Reply {
        self.post("/publishers", &wanted(self.stage, resource)).await
    }
}

fn wanted(stage: &Stage, resource: &str) -> Value {
    json!({
        "resource": resource,
        "rules": {
            "provider": "github",
            "issuer": stage.simulator.github().issuer(),
            "conditions": { "repository": ["acme/train"], "branch": ["main"], "workflow": ["publish.yml"] },
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_lives_by_the_api() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    let made = owner.add(RESOURCE).await;
    assert_eq!((made.status, made.etag.as_deref()), (201, Some("\"1\"")), "{made:?}");
    let id = made.body["publisher"]["id"].as_str().unwrap().to_owned();
    let path = format!("/publishers/{id}");
    stage.clock.set(stage.now() + Duration::from_secs(1));
    let answer = stage.exchange(&stage.token(), RESOURCE).await;
    assert_eq!(answer.status, 200);
    let token = answer.body["access_token"].as_str().unwrap().to_owned();

    let shown = owner.get(&path).await;
    assert_eq!(shown.etag.as_deref(), Some("\"2\""), "its first run has taught it ids");
    assert_eq!(shown.body["rules"]["pins"]["repository_id"], stage.claims()["repository_id"]);
    assert_eq!((&shown.body["exchanges"], &shown.body["state"]), (&json!(1), &json!("enabled")));

    let replacement = json!({ "rules": wanted(&stage, RESOURCE)["rules"], "permission": "read" });
    let blind = owner.ask("PUT", &path, &[], Some(&replacement)).await;
    assert_eq!((blind.status, &blind.body["code"]), (428, &json!("precondition_required")));
    let outdated = owner.ask("PUT", &path, &[("if-match", "\"1\"")], Some(&replacement)).await;
    assert_eq!((outdated.status, &outdated.body["code"]), (412, &json!("precondition_failed")));
    let changed = owner.ask("PUT", &path, &[("if-match", "\"2\"")], Some(&replacement)).await;
    assert_eq!((changed.status, changed.etag.as_deref()), (200, Some("\"3\"")), "{changed:?}");
    let introspected = stage.app.exchange.store.is_live(&answer_id(&stage, &token)).await.unwrap();
    assert!(!introspected, "what was trusted before the change ends");

    let switched = json!({ "state": "disabled" });
    assert_eq!(owner.ask("PUT", &format!("{path}/state"), &[], Some(&switched)).await.status, 200);
    stage.refused(&stage.token(), RESOURCE, "not_matched", "expected enabled, came disabled").await;
    assert_eq!(owner.ask("DELETE", &path, &[], None).await.status, 204);
    assert_eq!(owner.get(&path).await.status, 404);
    stage.refused(&stage.token(), RESOURCE, "no_publisher", "").await;

    let log = owner.get(&format!("/changes?target=publisher:{id}")).await;
    let actions: Vec<&str> = log.body["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["action"].as_str().unwrap())
        .collect();
    let expected = [
        "publisher.removed",
        "publisher.disabled",
        "publisher.changed",
        "publisher.pinned",
        "publisher.added",
    ];
    assert_eq!(actions, expected, "k2");
    assert_eq!(log.body["changes"][0]["actor"], format!("admin_token:{}", owner.id));
}

fn answer_id(stage: &Stage, token: &str) -> countersign_server::store::ExchangeId {
    let keys = stage.app.exchange.signer.keys();
    let claims = keys.verifier().authenticate(&token.to_owned().into(), stage.now()).unwrap();
    countersign_server::store::ExchangeId(claims.jti)
}

#[tokio::test(flavor = "multi_thread")]
async fn k1_what_you_may_not_see_does_not_exist_for_you() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    let maintainer = Admin::new(&stage, Role::Maintainer, &["acme/*"]).await;
    let foreign = owner.add("other/model").await.body["publisher"]["id"].as_str().unwrap().to_owned();
    let own = maintainer.add(RESOURCE).await;
    assert_eq!(own.status, 201, "{own:?}");
    assert_eq!(stage.exchange(&stage.token(), "other/model").await.status, 200);
    let exchange = stage.latest(1).await.remove(0).id;

    let nothing = maintainer.get("/publishers/0198c0de-0000-7000-8000-000000000000").await;
    let path = format!("/publishers/{foreign}");
    let switched = json!({ "state": "disabled" });
    let rules = json!({ "rules": wanted(&stage, RESOURCE)["rules"] });
    let any = [("if-match", "*")];
    for (method, path, headers, body) in [
        ("GET", path.clone(), &[][..], None),
        ("DELETE", path.clone(), &[], None),
        ("PUT", path.clone(), &any, Some(&rules)),
        ("PUT", format!("{path}/state"), &[], Some(&switched)),
        ("PUT", format!("{path}/state"), &[("if-match", "\"99\"")], Some(&switched)),
    ] {
        let reply = maintainer.ask(method, &path, headers, body).await;
        assert_eq!(
            (reply.status, &reply.body),
            (404, &nothing.body),
            "{method} {path}: as if it were not there"
        );
    }
    for (method, path) in [
        ("GET", format!("/exchanges/{exchange}")),
        ("POST", format!("/exchanges/{exchange}/proposal")),
        ("DELETE", format!("/tokens/{exchange}")),
    ] {
        assert_eq!(maintainer.ask(method, &path, &[], None).await.status, 404, "{method} {path}");
    }
    let set = json!({ "changes": [{ "change": "remove", "id": foreign }] });
    assert_eq!(maintainer.post("/publishers/changes", &set).await.status, 404);
    assert_eq!(maintainer.add("other/model").await.status, 403);
    for (path, member) in [
        ("/publishers", "publishers"),
        ("/exchanges", "exchanges"),
        ("/tokens", "tokens"),
        ("/changes", "changes"),
    ] {
        let mine = maintainer.get(path).await;
        let text = mine.body[member].to_string();
        assert!(!text.contains("other/model") && mine.body["next"].is_null(), "{path}: {text}");
        assert!(owner.get(path).await.body[member].to_string().contains("other/model"), "{path}");
    }
    assert!(
        maintainer.get("/publishers?resource=other/model").await.body["publishers"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    assert!(stage.app.exchange.store.is_live(&exchange).await.unwrap(), "nothing happened to it");
}

#[tokio::test(flavor = "multi_thread")]
async fn k1_where_a_part_of_a_list_ends_says_nothing_of_what_is_there() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    for _ in 0..2 {
        assert_eq!(owner.add(RESOURCE).await.status, 201);
        assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 200);
    }
    let lists = ["publishers", "exchanges", "tokens", "changes"];
    for list in lists {
        let first = owner.get(&format!("/{list}?limit=1")).await.body;
        let next = first["next"].as_str().unwrap();
        let id = first[list][0][if list == "changes" { "request" } else { "id" }].as_str().unwrap();
        let inside = URL_SAFE_NO_PAD.decode(next).unwrap();
        assert!(!next.contains(id) && !String::from_utf8_lossy(&inside).contains(id), "{list}: {next}");
        let second = owner.get(&format!("/{list}?limit=1&after={next}")).await.body;
        assert_ne!(first[list], second[list]);
        assert_eq!(second[list].as_array().unwrap().len(), 1, "{list}: {second}");
        for other in lists.into_iter().filter(|other| *other != list) {
            let reply = owner.get(&format!("/{other}?after={next}")).await;
            assert_eq!((reply.status, &reply.body["code"]), (400, &json!("malformed")), "{list} {other}");
        }
        for wrong in [id, &next[1..], "", "x"] {
            let reply = owner.get(&format!("/{list}?after={wrong}")).await;
            assert_eq!(reply.status, 400, "{list} {wrong:?}: {reply:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn k_roles_do_what_they_say_and_no_more() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    let maintainer = Admin::new(&stage, Role::Maintainer, &["acme/*"]).await;
    let auditor = Admin::new(&stage, Role::Auditor, &[]).await;
    let registry = Admin::new(&stage, Role::Registry, &[]).await;
    let id = owner.add(RESOURCE).await.body["publisher"]["id"].as_str().unwrap().to_owned();
    let token = json!({ "name": "x", "role": "auditor", "days": 1 });
    let rotation = json!({});
    let off = json!({ "url": stage.simulator.github().issuer(), "enabled": true });
    let switched = json!({ "state": "enabled" });
    let publisher = wanted(&stage, RESOURCE);
    let disabled = format!("/publishers/{id}/state");
    // For the owner, the maintainer, the auditor and the registry.
    for (method, path, body, statuses) in [
        ("GET", "/publishers", None, [200, 200, 200, 403]),
        ("GET", "/exchanges", None, [200, 200, 200, 403]),
        ("GET", "/tokens", None, [200, 200, 200, 403]),
        ("GET", "/changes", None, [200, 200, 200, 403]),
        ("GET", "/issuers", None, [200, 200, 200, 403]),
        ("GET", "/me", None, [200, 200, 200, 403]),
        ("GET", "/admin-tokens", None, [200, 403, 200, 403]),
        ("GET", "/signing-keys", None, [200, 403, 200, 403]),
        ("POST", "/publishers", Some(&publisher), [201, 201, 403, 403]),
        ("POST", "/publishers/preview", Some(&publisher), [200, 200, 200, 403]),
        ("PUT", disabled.as_str(), Some(&switched), [200, 200, 403, 403]),
        ("POST", "/admin-tokens", Some(&token), [201, 403, 403, 403]),
        ("POST", "/signing-keys", Some(&rotation), [201, 403, 403, 403]),
        ("PUT", "/issuers/switch", Some(&off), [204, 403, 403, 403]),
        ("DELETE", "/admin-tokens/nobody", None, [404, 403, 403, 403]),
        ("DELETE", "/signing-keys/nothing", None, [404, 403, 403, 403]),
        ("DELETE", "/issuers?url=https://gitlab.example.com", None, [404, 403, 403, 403]),
    ] {
        let of_some = Admin::new(&stage, Role::Auditor, &["acme/*"]).await;
        if statuses == [200, 403, 200, 403] {
            assert_eq!(of_some.ask(method, path, &[], body).await.status, 403, "{path} is about everybody");
        }
        for (who, status) in [&owner, &maintainer, &auditor, &registry].into_iter().zip(statuses) {
            let reply = who.ask(method, path, &[], body).await;
            assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn j5_k4_nothing_but_an_admin_token_administers() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let access_token =
        stage.exchange(&stage.token(), RESOURCE).await.body["access_token"].as_str().unwrap().to_owned();
    let owner = Admin::owner(&stage).await;
    for secret in [access_token, stage.token(), String::new(), "x".repeat(5_000), owner.id.clone()] {
        let stranger = Admin { stage: &stage, secret, id: String::new() };
        let reply = stranger.get("/publishers").await;
        assert_eq!((reply.status, &reply.body["code"]), (401, &json!("unauthorized")));
    }
    // What a browser would send along by itself, or what ends up in logs, is nobody's word.
    let url = format!("{}/api/v1/publishers", stage.url);
    for (name, value) in [
        ("cookie", format!("session={}; token={}", owner.secret, owner.secret)),
        ("authorization", format!("Basic {}", owner.secret)),
        ("x-api-key", owner.secret.clone()),
    ] {
        assert_eq!(stage.http.get(&url).header(name, value).send().await.unwrap().status(), 401);
    }
    let in_query = format!("{url}?access_token={}", owner.secret);
    assert_eq!(stage.http.get(&in_query).send().await.unwrap().status(), 401);
    // A form that another site makes a browser post is no JSON.
    let form = stage.http.post(&url).bearer_auth(&owner.secret).body("resource=acme/x");
    let form = form.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    assert_eq!(form.status(), 415);
    assert!(!form.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn k3_a_withdrawn_role_is_gone_with_the_next_request() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    let made = owner
        .post(
            "/admin-tokens",
            &json!({ "name": "upload", "role": "maintainer", "resources": ["acme/*"], "days": 1 }),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    let secret = made.body["secret"].as_str().unwrap().to_owned();
    let id = made.body["admin_token"]["id"].as_str().unwrap().to_owned();
    let maintainer = Admin { stage: &stage, secret: secret.clone(), id: id.clone() };
    assert_eq!(maintainer.get("/me").await.body["resources"], json!(["acme/*"]));
    let listed = owner.get("/admin-tokens").await.body.to_string();
    assert!(listed.contains(&id) && !listed.contains(&secret), "it is shown once");
    assert_eq!(owner.ask("DELETE", &format!("/admin-tokens/{id}"), &[], None).await.status, 204);
    assert_eq!(maintainer.get("/me").await.status, 401);
    let log = owner.get("/changes").await.body.to_string();
    assert!(log.contains("admin_token.removed") && !log.contains(&secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn k5_nobody_registers_without_end() {
    let stage = Stage::new().await;
    let maintainer = Admin::new(&stage, Role::Maintainer, &["acme/*"]).await;
    let frozen = stage.now();
    let mut refused = None;
    let set: Vec<Value> = (0..750)
        .map(|number| json!({ "change": "add", "publisher": wanted(&stage, &format!("acme/set-{number}")) }))
        .collect();
    let large = maintainer.post("/publishers/changes", &json!({ "changes": set })).await;
    assert_eq!(large.status, 200, "{large:?}");
    stage.clock.set(frozen);
    for number in 0..=300 {
        let reply = maintainer.add(&format!("acme/model-{number}")).await;
        stage.clock.set(frozen);
        if reply.status != 201 {
            refused = Some((number, reply));
            break;
        }
    }
    let (number, reply) = refused.unwrap();
    assert!(
        (200..300).contains(&number) && reply.status == 429 && reply.body["code"] == "rate_limited",
        "{number}: {reply:?}"
    );
    assert_eq!(maintainer.get("/publishers").await.status, 200, "reading is not registering");
    let other = Admin::new(&stage, Role::Maintainer, &["acme/*"]).await;
    assert_eq!(other.add("acme/other").await.status, 201, "each has a budget of their own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_says_nothing_of_stays_as_it_is() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    let mut publisher = wanted(&stage, RESOURCE);
    publisher["permission"] = json!("read");
    let id = owner.post("/publishers", &publisher).await.body["publisher"]["id"].as_str().unwrap().to_owned();
    assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 200);
    let path = format!("/publishers/{id}");
    let learned = owner.get(&path).await.body["rules"]["pins"].clone();
    assert_eq!(learned["repository_id"], stage.claims()["repository_id"]);

    let mut rules = wanted(&stage, RESOURCE)["rules"].clone();
    rules["conditions"]["branch"] = json!(["release"]);
    let replaced = owner.ask("PUT", &path, &[("if-match", "*")], Some(&json!({ "rules": rules }))).await;
    let after = &replaced.body["publisher"];
    assert_eq!((replaced.status, &after["rules"]["pins"]), (200, &learned), "{replaced:?}");
    assert_eq!(
        (&after["permission"], &after["rules"]["conditions"]["branch"]),
        (&json!("read"), &json!(["release"]))
    );

    rules["conditions"]["branch"] = json!(["main"]);
    let revision = after["revision"].as_i64().unwrap();
    let change = json!({ "change": "replace", "id": id, "revision": revision, "rules": rules });
    let replaced = owner.post("/publishers/changes", &json!({ "changes": [change] })).await;
    let after = &replaced.body["publishers"][0];
    assert_eq!((&after["permission"], &after["rules"]["pins"]), (&json!("read"), &learned), "{replaced:?}");

    // What it does say something of, it says.
    rules["pins"] = json!({ "repository_id": null });
    let body = json!({ "rules": rules, "permission": "write" });
    let after = owner.ask("PUT", &path, &[("if-match", "*")], Some(&body)).await.body["publisher"].clone();
    assert_eq!(
        (&after["permission"], &after["rules"]["pins"]["repository_id"]),
        (&json!("write"), &Value::Null)
    );
    // Another repository is another one's, whatever ids the one before had.
    rules["pins"] = json!({});
    rules["conditions"]["repository"] = json!(["acme/other"]);
    let after = owner.ask("PUT", &path, &[("if-match", "*")], Some(&json!({ "rules": rules }))).await.body;
    assert!(after["publisher"]["rules"]["pins"]["repository_owner_id"].is_null(), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn k5_a_resource_has_so_many_publishers() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    let add = json!({ "change": "add", "publisher": wanted(&stage, RESOURCE) });
    let set = |number: usize| json!({ "changes": vec![add.clone(); number] });
    assert_eq!(owner.post("/publishers/changes", &set(100)).await.status, 200);
    let refused = owner.add(RESOURCE).await;
    assert_eq!((refused.status, &refused.body["code"]), (409, &json!("too_many_publishers")), "{refused:?}");
    assert_eq!(owner.add("acme/other").await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_paste_is_understood_and_shown_before_it_is_kept() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    let mut publisher = wanted(&stage, RESOURCE);
    publisher["rules"]["conditions"] = json!({ "repository": ["acme/train"], "workflow": [".github/workflows/publish.yml"], "branch": ["refs/heads/main"] });
    let preview = owner.post("/publishers/preview", &publisher).await;
    assert_eq!(preview.status, 200, "{preview:?}");
    assert_eq!(
        preview.body["publisher"]["rules"]["conditions"],
        json!({ "repository": ["acme/train"], "workflow": ["publish.yml"], "branch": ["main"] })
    );
    assert_eq!(preview.body["corrections"].as_array().unwrap().len(), 2);
    assert!(
        owner.get("/publishers").await.body["publishers"].as_array().unwrap().is_empty(),
        "nothing is kept"
    );
    publisher["rules"]["conditions"] = json!({ "repository": ["acme/train"] });
    let weak = owner.post("/publishers/preview", &publisher).await;
    assert!(!weak.body["publisher"]["warnings"].as_array().unwrap().is_empty());
    for (conditions, words) in [
        (json!({}), "at least one condition"),
        (json!({ "branch": ["main"] }), "whose runs are meant"),
        (json!({ "repository": ["acme train"] }), "expected"),
        (json!({ "repo": ["acme/train"] }), "found the field"),
    ] {
        publisher["rules"]["conditions"] = conditions;
        let refused = owner.post("/publishers", &publisher).await;
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(refused.status == 422 && detail.contains(words), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_of_changes_is_made_whole_or_not_at_all() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    let first = owner.add(RESOURCE).await.body["publisher"]["id"].as_str().unwrap().to_owned();
    let remove = |revision: i64| json!({ "change": "remove", "id": first, "revision": revision });
    let add = json!({ "change": "add", "publisher": wanted(&stage, "acme/other") });
    let outdated = owner.post("/publishers/changes", &json!({ "changes": [add, remove(9)] })).await;
    assert_eq!(outdated.status, 412, "{outdated:?}");
    assert_eq!(owner.get("/publishers").await.body["publishers"].as_array().unwrap().len(), 1);
    let bad = json!({ "change": "add", "publisher": { "resource": "acme/x", "rules": { "provider": "github", "conditions": {} } } });
    let invalid = owner.post("/publishers/changes", &json!({ "changes": [remove(1), bad] })).await;
    assert!(
        invalid.status == 422 && invalid.body["detail"].as_str().unwrap().starts_with("change 1: "),
        "{invalid:?}"
    );
    let body = json!({ "changes": [add, remove(1)] });
    let once = [("idempotency-key", "apply-1")];
    let made = owner.ask("POST", "/publishers/changes", &once, Some(&body)).await;
    assert_eq!(made.status, 200, "{made:?}");
    let again = owner.ask("POST", "/publishers/changes", &once, Some(&body)).await;
    assert_eq!((again.status, &again.body), (200, &made.body), "what it removed is gone, and it was made");
    let another = json!({ "changes": [remove(1)] });
    let reused = owner.ask("POST", "/publishers/changes", &once, Some(&another)).await;
    assert_eq!((reused.status, &reused.body["code"]), (422, &json!("idempotency_key_reused")));
    let fresh = owner.ask("POST", "/publishers/changes", &[("idempotency-key", "2")], Some(&body)).await;
    assert_eq!(fresh.status, 404, "{fresh:?}");
    let other = Admin::owner(&stage).await;
    let fresh = other.ask("POST", "/publishers/changes", &once, Some(&body)).await;
    assert_eq!(fresh.status, 404, "somebody else's keys are their own: {fresh:?}");
    let listed = owner.get("/publishers").await;
    assert_eq!(listed.body["publishers"].as_array().unwrap().len(), 1);
    assert_eq!(listed.body["publishers"][0]["resource"], "acme/other");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_refusal_to_the_publisher_that_would_have_matched() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    let refused = stage.refused(&stage.token(), RESOURCE, "no_publisher", "").await;
    let exchange = owner.get(&format!("/exchanges/{}", refused.request_id)).await;
    assert!(exchange.body["explanation"].as_str().unwrap().contains("no trusted publisher"), "{exchange:?}");
    let found =
        owner.get(&format!("/exchanges?claim=run_id:{}", stage.claims()["run_id"].as_str().unwrap())).await;
    assert!(
        found.body["exchanges"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["id"] == refused.request_id.as_str())
    );
    let proposal = owner.ask("POST", &format!("/exchanges/{}/proposal", refused.request_id), &[], None).await;
    assert_eq!(proposal.status, 200, "{proposal:?}");
    let added = owner
        .post(
            "/publishers",
            &json!({ "resource": proposal.body["resource"], "rules": proposal.body["rules"] }),
        )
        .await;
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 200);
    stage.refused(&stage.token_with("repository_id", "1"), RESOURCE, "not_matched", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_10_explaining_tells_each_what_they_may_know() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    let stranger = Admin::new(&stage, Role::Maintainer, &["elsewhere/*"]).await;
    stage.trust(RESOURCE).await;
    let ask = async |token: &str, who: Option<&Admin<'_>>| {
        let body = json!({ "id_token": token, "resource": RESOURCE });
        let mut request = stage.http.post(format!("{}/api/v1/explain", stage.url)).body(body.to_string());
        if let Some(who) = who {
            request = request.bearer_auth(&who.secret);
        }
        let response = request.header("content-type", "application/json").send().await.unwrap();
        assert_eq!(response.status(), 200);
        serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap()
    };
    let good = stage.token();
    assert_eq!(ask(&good, None).await["outcome"], "granted");
    assert_eq!(ask(&good, Some(&owner)).await["outcome"], "granted");
    assert_eq!(stage.exchange(&good, RESOURCE).await.status, 200, "explaining used nothing up");
    // It may be in a log by now.
    for who in [None, Some(&stranger)] {
        let told = ask(&good, who).await;
        assert_eq!((&told["outcome"], &told["code"]), (&json!("refused"), &json!("replayed")), "{told}");
        assert!(told["decision"].is_null(), "{told}");
    }
    let told = ask(&good, Some(&owner)).await;
    assert!(told["outcome"] == "granted" && told["decision"].is_object(), "{told}");
    // Nor does an exchange for a resource of the same job tell more.
    let conditions = [("repository", "acme/train"), ("branch", "release"), ("workflow", "publish.yml")];
    stage.trust_with("acme/other", Provider::Github, stage.simulator.github().issuer(), &conditions).await;
    let first = stage.token_with("ref", "refs/heads/release");
    assert_eq!(stage.exchange(&first, "acme/other").await.status, 200, "its ids are known now");
    let fresh = stage.exchange(&stage.token(), "acme/other").await.body.to_string();
    assert!(fresh.contains("release"), "{fresh}");
    stage.refused(&good, "acme/other", "replayed", "").await;
    let answer = stage.exchange(&good, "acme/other").await.body.to_string();
    assert!(answer.contains("exchanged before") && !answer.contains("release"), "{answer}");

    // Proven by its ids to be the publisher's own repository, on another branch.
    let proven = stage.token_with("ref", "refs/heads/dev");
    for who in [None, Some(&owner)] {
        let explained = ask(&proven, who).await.to_string();
        assert!(explained.contains("main") && explained.contains("dev"), "{explained}");
    }
    // Somebody else's repository.
    let mut claims = stage.claims();
    claims.insert("repository".to_owned(), "evil/train".into());
    claims.insert("repository_id".to_owned(), "666".into());
    claims.insert("repository_owner_id".to_owned(), "667".into());
    let foreign = stage.sign(&claims);
    let in_full = ask(&foreign, Some(&owner)).await;
    assert!(in_full["decision"]["publishers"][0].to_string().contains("acme/train"), "{in_full}");
    for who in [None, Some(&stranger)] {
        let opaque = ask(&foreign, who).await.to_string();
        assert!(!opaque.contains("acme/train") && !opaque.contains("publish.yml"), "{opaque}");
    }
    assert_eq!(ask("x.y.z", None).await["outcome"], "refused");
    let issued = stage.issued().await;
    assert_eq!(issued, 2, "nothing was issued but by the exchanges");
}

#[tokio::test(flavor = "multi_thread")]
async fn i16_an_issuer_is_switched_off_at_once_on_every_node() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    stage.trust(RESOURCE).await;
    let second = stage.second_node().await;
    let token =
        stage.exchange(&stage.token(), RESOURCE).await.body["access_token"].as_str().unwrap().to_owned();
    let issuer = stage.simulator.github().issuer().to_string();
    let switched =
        owner.ask("PUT", "/issuers/switch", &[], Some(&json!({ "url": issuer, "enabled": false }))).await;
    assert_eq!(switched.status, 204, "{switched:?}");
    stage.refused(&stage.token(), RESOURCE, "issuer_disabled", "switched it off").await;
    let body = crate::stage::exchange_parameters(&stage.token(), RESOURCE).to_string();
    let elsewhere = crate::stage::post_to(&stage.http, &second, "application/json", body).await;
    assert_eq!(elsewhere.status, 400, "the ledger itself says so");
    assert!(
        !stage.app.exchange.store.is_live(&answer_id(&stage, &token)).await.unwrap(),
        "its tokens have ended"
    );
    let listed = owner.get("/issuers").await;
    let shown =
        listed.body["issuers"].as_array().unwrap().iter().find(|one| one["url"] == issuer.as_str()).unwrap();
    assert!(shown["disabled_at"].is_i64() && shown["configured"] == true);
    owner.ask("PUT", "/issuers/switch", &[], Some(&json!({ "url": issuer, "enabled": true }))).await;
    assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 200);
}

/// It had been added over the API, and was removed there; now it is in the configuration.
#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_was_removed_and_is_configured_reads_as_off_and_can_be_switched_on() {
    let stage = Stage::new().await;
    let owner = Admin::owner(&stage).await;
    stage.trust(RESOURCE).await;
    let issuer = stage.simulator.github().issuer().to_string();
    let url: IssuerUrl = issuer.parse().unwrap();
    let author = crate::store::command(0);
    let added = StoredIssuer {
        url: url.clone(),
        preset: Some(Provider::Github),
        created_at: crate::store::at(0),
        disabled_at: None,
    };
    let store = &stage.app.exchange.store;
    assert!(store.add_issuer(added, &author).await.unwrap());
    let kept = owner.ask("DELETE", &format!("/issuers?url={issuer}"), &[], None).await;
    assert_eq!(kept.status, 409, "it is configured: {kept:?}");
    assert!(store.remove_issuer(&url, &crate::store::command(1)).await.unwrap());
    stage.refused(&stage.token(), RESOURCE, "issuer_disabled", "").await;
    let listed = owner.get("/issuers").await;
    let mut listed = listed.body["issuers"].as_array().unwrap().iter();
    assert!(listed.any(|one| one["url"] == issuer.as_str() && one["disabled_at"].is_i64()));
    owner.ask("PUT", "/issuers/switch", &[], Some(&json!({ "url": issuer, "enabled": true }))).await;
    assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn issuers_are_added_where_the_operator_lets_people() {
    let closed = Stage::new().await;
    let issuer = json!({ "url": "https://gitlab.acme.example", "preset": "gitlab" });
    let refused = Admin::owner(&closed).await.post("/issuers", &issuer).await;
    assert!(
        refused.status == 403 && refused.body["detail"].as_str().unwrap().contains("[custom_issuers]"),
        "{refused:?}"
    );

    let stage = Stage::with("custom_issuers = { presets = [\"gitlab\"] }").await;
    let owner = Admin::owner(&stage).await;
    let maintainer = Admin::new(&stage, Role::Maintainer, &["acme/*"]).await;
    assert_eq!(maintainer.post("/issuers", &issuer).await.status, 204);
    assert_eq!(maintainer.post("/issuers", &issuer).await.status, 409);
    for (issuer, status) in [
        (json!({ "url": "https://x.example", "preset": "generic" }), 422),
        (json!({ "url": "http://127.0.0.1:9", "preset": "gitlab" }), 422),
        (json!({ "url": "https://token.actions.githubusercontent.com", "preset": "gitlab" }), 422),
        (json!({ "url": stage.simulator.gitlab().issuer(), "preset": "gitlab" }), 422),
        (json!({ "url": "https://user@x.example", "preset": "gitlab" }), 400),
    ] {
        let reply = owner.post("/issuers", &issuer).await;
        assert_eq!(reply.status, status, "{issuer}: {reply:?}");
    }
    let mut publisher = wanted(&stage, RESOURCE);
    publisher["rules"] = json!({ "provider": "gitlab", "issuer": "https://gitlab.acme.example", "conditions": { "project": ["acme/train"] } });
    assert_eq!(maintainer.post("/publishers", &publisher).await.status, 201);
    assert_eq!(owner.ask("DELETE", "/issuers?url=https://gitlab.acme.example", &[], None).await.status, 204);
    assert_eq!(maintainer.post("/publishers", &publisher).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_remembered_under_another_preset_of_an_issuer_lets_nobody_in() {
    let stage = Stage::with("custom_issuers = { presets = [\"gitlab\", \"generic\"] }").await;
    let owner = Admin::owner(&stage).await;
    let url: IssuerUrl = "https://gitlab.acme.example".parse().unwrap();
    let resource = RESOURCE.parse().unwrap();
    let mut found = Vec::new();
    for preset in ["generic", "gitlab", "generic"] {
        let issuer = json!({ "url": url, "preset": preset });
        assert_eq!(owner.post("/issuers", &issuer).await.status, 204);
        if found.is_empty() {
            stage.trust_with(RESOURCE, Provider::Generic, &url, &[("/ref", "refs/heads/main")]).await;
        }
        let exchange = &stage.app.exchange;
        let Found::Issuer(issuer) = exchange.issuers.find(url.as_str()) else { panic!("{url} was added") };
        for _ in 0..2 {
            let (publishers, _) =
                exchange.publishers.remembered(&resource, &issuer, stage.now()).await.unwrap();
            found.push(publishers.len());
        }
        assert_eq!(owner.ask("DELETE", &format!("/issuers?url={url}"), &[], None).await.status, 204);
    }
    assert_eq!(found, [1, 1, 0, 0, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_and_its_page_are_served() {
    let stage = Stage::new().await;
    let document = stage.http.get(format!("{}/api/v1/openapi.json", stage.url)).send().await.unwrap();
    let document: Value = serde_json::from_str(&document.text().await.unwrap()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let page = stage.http.get(format!("{}/api/v1", stage.url)).send().await.unwrap();
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let page = page.text().await.unwrap();
    for path in document["paths"].as_object().unwrap().keys() {
        assert!(page.contains(path.as_str()), "{path} is on the page");
    }
    assert!(!page.contains("<script"));
}
