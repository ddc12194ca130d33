//! Answers that are well formed and wrong.

use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation, Seed};

use super::harness::{World, condition};

/// A success in Unkey's envelope.
fn success(data: &Value) -> FaultKind {
    FaultKind::status(200, "application/json", &json!({"meta": {"requestId": "req_crafted"}, "data": data}).to_string())
}

fn someone_else(external_id: &str) -> FaultKind {
    success(&json!({"id": "id_someoneelse", "externalId": external_id, "meta": {}, "ratelimits": []}))
}

fn message(object: &Value) -> String {
    condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

/// An older server ignores case: asked for `user.one` it answers with `User.One`.
#[tokio::test]
async fn a_get_that_answers_with_another_identity() {
    let world = World::new("other-identity").await;
    world.workspace.order(Fault::new(someone_else("User.One")).on(Operation::Get));
    // What the primary of such a server says to a create.
    let exists = super::harness::refusal(409, "unkey/identity/identity_already_exists", "exists");
    world.workspace.order(Fault::new(exists).on(Operation::Create));
    let _operator = world.start().await;
    let policies = ["Never", "IfLossless", "Always"];
    for policy in policies {
        let name = format!("user.{}", policy.to_lowercase());
        world.create(&name, &json!({"externalId": name, "adoptionPolicy": policy, "meta": {"mine": true}})).await;
    }
    for policy in policies {
        let name = format!("user.{}", policy.to_lowercase());
        let object = world.reason(&name, "IdentityMismatch").await;
        assert_eq!(condition(&object, "Stalled")["status"], "True", "{name}");
        assert_eq!(object["metadata"].get("finalizers"), None, "{name} owns nothing");
        assert_eq!(object["status"].get("identityId"), None, "{name}");
        assert!(message(&object).contains(&format!("when asked for '{name}'")), "{}", message(&object));
    }
    let counts = world.workspace.counts();
    assert_eq!((counts.of(Operation::Update), counts.of(Operation::Delete)), (0, 0));
    assert_eq!(counts.on(Operation::Create, "user.never"), 0, "Never looks first");
    assert_eq!(counts.writes(), 2);
    for policy in policies {
        let name = format!("user.{}", policy.to_lowercase());
        world.delete(&name).await;
        world.gone(&name).await;
    }
    assert_eq!(world.workspace.counts().of(Operation::Delete), 0);
    // Put right, it is judged anew when asked.
    world.workspace.clear_faults();
    world.create("user.one", &json!({"externalId": "user.one"})).await;
    world.ready("user.one").await;
    world.assert_in_step().await;
}

/// A settled read of an owned identity that names another: nothing is written from then on, and a delete does not touch it.
#[tokio::test]
async fn an_owned_identity_that_becomes_another() {
    let world = World::new("becomes-another").await;
    let _operator = world.start().await;
    world.create("owned", &json!({"externalId": "owned", "meta": {"n": 1}})).await;
    world.ready("owned").await;
    let fault = world.workspace.order(Fault::new(someone_else("Owned")).on(Operation::Get));
    world.ask_for_check("owned", "look").await;
    let object = world.reason("owned", "IdentityMismatch").await;
    assert_eq!(world.workspace.counts().writes(), 1);
    assert!(object["status"]["identityId"].is_string(), "what it owned is not forgotten");
    world.workspace.clear_fault(fault);
    world.ask_for_check("owned", "look again").await;
    world.ready("owned").await;
    assert_eq!(world.workspace.counts().writes(), 1);
    world.assert_in_step().await;
}

/// An update that is answered in the name of another identity.
#[tokio::test]
async fn an_update_that_answers_with_another_identity() {
    let world = World::new("other-update").await;
    let _operator = world.start().await;
    for name in ["other-id", "other-name"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.ready(name).await;
    }
    world.workspace.order(Fault::new(someone_else("other-id")).on(Operation::Update).of("other-id"));
    let id = world.workspace.live("other-name").unwrap().id;
    let named = success(&json!({"id": id, "externalId": "Other-Name", "meta": {}, "ratelimits": []}));
    world.workspace.order(Fault::new(named).on(Operation::Update).of("other-name"));
    for name in ["other-id", "other-name"] {
        world.edit(name, &json!({"meta": {"n": 2}})).await;
        let object = world.reason(name, "IdentityMismatch").await;
        assert_eq!(condition(&object, "Stalled")["status"], "True");
        assert_eq!(world.requests_on(Operation::Update, name).len(), 1, "no second write");
    }
    world.workspace.clear_faults();
    for name in ["other-id", "other-name"] {
        world.ask_for_check(name, "look").await;
        world.ready(name).await;
    }
    world.assert_in_step().await;
}

/// 404s and empty answers that are not about the identity: nothing is released, created anew or believed.
#[tokio::test]
async fn absence_needs_the_right_words() {
    let not_found = |kind: &str| super::harness::refusal(404, kind, "The requested resource does not exist.");
    // What is said of the workspace stops everything, so it plays alone.
    let alone = vec![("workspace", not_found("data/workspace_not_found"))];
    let cases = vec![
        ("text", FaultKind::not_found_text()),
        ("route", FaultKind::status(404, "application/json", r#"{"error":"no such route"}"#)),
        ("other", not_found("data/api_not_found")),
        ("gone", FaultKind::html(410)),
        ("empty-list", success(&json!([]))),
        ("null", success(&Value::Null)),
    ];
    futures::join!(keeps_what_is_not_absent(cases), keeps_what_is_not_absent(alone));
}

async fn keeps_what_is_not_absent(cases: Vec<(&str, FaultKind)>) {
    let world = World::new("absence").await;
    let _operator = world.start().await;
    for (name, _) in &cases {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
    }
    for (name, _) in &cases {
        world.ready(name).await;
    }
    for (name, kind) in &cases {
        for operation in [Operation::Get, Operation::Delete] {
            // A delete has no data to be wrong.
            if operation == Operation::Get || !["empty-list", "null"].contains(name) {
                world.workspace.order(Fault::new(kind.clone()).on(operation).of(name));
            }
        }
        world.ask_for_check(name, "look").await;
    }
    for (name, _) in &cases {
        let shown = world
            .until(name, "in trouble", |object| {
                let reason = condition(object, "Ready")["reason"].as_str().unwrap_or_default().to_owned();
                ["UpstreamUnavailable", "Unauthorized"].contains(&reason.as_str())
            })
            .await;
        assert!(shown["status"]["identityId"].is_string(), "{name}");
    }
    for (name, _) in cases.iter().filter(|(name, _)| !["empty-list", "null"].contains(name)) {
        world.delete(name).await;
        let object = world.reason(name, "DeletionBlocked").await;
        assert_eq!(object["metadata"]["finalizers"], json!(["unkey.com/identity"]), "{name}");
    }
    assert_eq!(world.workspace.snapshot().live.len(), cases.len());
    assert_eq!(world.calls()[0], u64::try_from(cases.len()).unwrap(), "nothing was made anew");
    world.workspace.clear_faults();
    for (name, _) in &cases {
        world.ask_for_check(name, "put right").await;
        if ["empty-list", "null"].contains(name) { drop(world.ready(name).await) } else { world.gone(name).await }
    }
    world.assert_in_step().await;
}

/// What another client of the workspace holds under names that are nearly ours stays as it is.
#[tokio::test]
async fn neighbours_are_left_alone() {
    let world = World::new("neighbours").await;
    let names = ["User", "USER", "user1", "use", "user.", "-user", "user_"];
    let seeds: Vec<_> = names
        .iter()
        .map(|name| {
            let meta = json!({"owner": name}).as_object().cloned();
            world.workspace.seed(Seed { external_id: (*name).to_owned(), meta, ratelimits: None }).unwrap();
            world.workspace.live(name).unwrap()
        })
        .collect();
    let _operator = world.start().await;
    world.create("user", &json!({"externalId": "user", "meta": {"n": 1}, "adoptionPolicy": "Always"})).await;
    world.ready("user").await;
    world.edit("user", &json!({"meta": {"n": 2}})).await;
    world.ready("user").await;
    world.delete("user").await;
    world.gone("user").await;
    let mut live = world.workspace.snapshot().live;
    for seed in seeds {
        let at = live.iter().position(|identity| *identity == seed);
        live.remove(at.unwrap_or_else(|| panic!("{} is not as it was", seed.external_id)));
    }
    assert_eq!(live, []);
}
