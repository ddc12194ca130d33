//! What this build writes has the form of the latest release. If it has not, this is where that shows before a user meets it.
//!
//! `make compat` (`COMPAT_RECORD=1`) writes the files of the release that is being made instead.

use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation};

use super::fixtures::{folder, load, releases, situations, this_release};
use super::harness::{World, condition};
use super::hashes;

/// Brings every situation about, on the real parts.
async fn play(world: &World) {
    let operator = world.start().await;
    let meta = json!({"plan": "pro", "seats": 5, "ratio": 0.25, "nested": {"list": [1, null, "two"]}});
    let limits = json!([{"name": "requests", "limit": 1000, "duration": 60_000, "autoApply": true}]);
    for name in ["created", "recreated", "suspended", "deleting"] {
        world.create(name, &json!({"externalId": name, "meta": meta, "ratelimits": limits})).await;
    }
    world.create("unmanaged", &json!({"externalId": "unmanaged", "deletionPolicy": "Orphan"})).await;
    for (name, policy) in [("adopted", "IfLossless"), ("exists", "Never")] {
        world.seed(name, &json!({"meta": {"plan": "pro"}}));
        world.create(name, &json!({"externalId": name, "meta": {"plan": "pro"}, "adoptionPolicy": policy})).await;
    }
    for name in ["created", "recreated", "suspended", "deleting", "unmanaged", "adopted"] {
        world.ready(name).await;
    }
    world.reason("exists", "AlreadyExists").await;
    world.create("conflicting", &json!({"externalId": "created", "meta": {"plan": "free"}})).await;
    world.reason("conflicting", "ExternalIdConflict").await;
    for name in ["suspended", "deleting"] {
        world.edit(name, &json!({"suspend": true})).await;
        world.reason(name, "Suspended").await;
    }
    world.delete("deleting").await;
    world
        .until("deleting", "seen to be deleted", |it| {
            it["status"]["observedGeneration"] == it["metadata"]["generation"]
        })
        .await;
    assert!(world.workspace.delete("recreated"));
    world.request_reconcile("recreated", "2026-11-22T00:00:00Z").await;
    world.ready("recreated").await;
    // Killed while a create is on its way.
    let fault = world.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Create).of("claimed").once());
    world.create("claimed", &json!({"externalId": "claimed", "meta": meta})).await;
    world.until_hit(fault, 1).await;
    operator.kill();
}

/// As the API server has it, less who wrote which field.
async fn stored(world: &World, name: &str) -> Value {
    let mut object = world.get(name).await.unwrap();
    object["metadata"].as_object_mut().unwrap().remove("managedFields");
    object
}

/// The form of an object: names of this one life, times and sentences are not part of it.
fn form(object: &Value) -> Value {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let claim = text("/metadata/annotations/unkey.com~1claim");
    let given_up = claim.and_then(|claim| claim.rsplit(':').next());
    let named = [
        (text("/metadata/uid"), "UID"),
        (text("/status/identityId"), "ID"),
        (given_up, "GIVEN-UP"),
        (text("/status/credential"), "CREDENTIAL"),
    ];
    let mut all = object.to_string();
    for (name, word) in named {
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            all = all.replace(name, word);
        }
    }
    let mut form: Value = serde_json::from_str(&all).unwrap();
    let metadata = form["metadata"].as_object_mut().unwrap();
    for field in ["namespace", "resourceVersion", "creationTimestamp"] {
        assert!(metadata.remove(field).is_some(), "{field}");
    }
    if let Some(time) = metadata.get_mut("deletionTimestamp") {
        *time = json!("TIME");
    }
    let conditions = form["status"].get_mut("conditions").and_then(Value::as_array_mut);
    for condition in conditions.into_iter().flatten() {
        assert!(condition["message"].as_str().is_some_and(|message| !message.is_empty()), "{condition}");
        condition["message"] = json!("SENTENCE");
        condition["lastTransitionTime"] = json!("TIME");
    }
    form
}

fn write(name: &str, value: &Value) {
    let (release, folder) = (this_release(), folder(this_release()));
    let changelog = include_str!("../../CHANGELOG.md");
    assert!(
        !changelog.contains(&format!("\n## {release}.")),
        "{release} is out: what it wrote cannot be changed any more"
    );
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.json")), format!("{value:#}\n")).unwrap();
}

#[tokio::test]
#[allow(clippy::disallowed_methods)] // a test's own variable
async fn are_of_the_form_of_the_latest_release() {
    let world = World::new("compat").await;
    play(&world).await;
    if std::env::var_os("COMPAT_RECORD").is_some() {
        write("hashes", &hashes::record());
        for name in situations(this_release()) {
            write(name, &stored(&world, name).await);
        }
        return;
    }
    let release = releases().pop().unwrap();
    for name in situations(&release) {
        let object = stored(&world, name).await;
        let (now, then) = (form(&object), form(&load(&release, name)));
        assert!(
            now == then,
            "{name}: this build writes\n{now:#}\nand release {release} wrote\n{then:#}\nIf that is meant: docs/operations/upgrade.md says what a \
             release may change; then raise the minor version, run `make compat`, and say in the changelog what is new"
        );
    }
}

/// Times and names may differ, nothing else.
#[test]
fn a_form_is_told_from_another() {
    let base = load(&releases()[0], "recreated");
    let same = |change: &dyn Fn(&mut Value)| {
        let mut object = base.clone();
        change(&mut object);
        form(&object) == form(&base)
    };
    let claim = |text: String| move |it: &mut Value| it["metadata"]["annotations"]["unkey.com/claim"] = json!(text);
    let is = base["metadata"]["annotations"]["unkey.com/claim"].as_str().unwrap();
    assert!(same(&|it| it["status"]["conditions"][0]["message"] = json!("other words")));
    assert!(same(&|it| it["metadata"]["resourceVersion"] = json!("1")));
    assert!(!same(&claim(is.replace(":v1:", ":v2:"))));
    assert!(!same(&claim(format!("{is}:more"))));
    assert!(!same(&|it| it["status"]["later"] = json!(1)));
    assert!(!same(&|it| it["status"]["applied"]["meta"] = json!("v1:00")));
    assert!(!same(&|it| it["metadata"]["finalizers"] = json!(["unkey.com/other"])));
    assert_eq!(condition(&base, "Ready")["status"], "True");
}
