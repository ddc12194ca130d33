//! The root key: rotated, missing, unfit, wrong; and what deletion does meanwhile.

use std::process::Command;

use serde_json::json;
use unkey_emulator::Permissions;

use super::harness::{ROOT_KEY, World, condition, succeeded};

const SECOND_KEY: &str = "unkey_root_second_81d2";

fn message(object: &serde_json::Value) -> String {
    condition(object, "Ready")["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_rotated_key_is_used_without_a_restart() {
    let world = World::new("rotation").await;
    let operator = world.start().await;
    for name in ["a", "b"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.ready(name).await;
    }
    world.workspace.add_root_key(SECOND_KEY, Permissions::ALL);
    let (calls, writes) = (world.calls(), world.kube_writes());
    world.write_key(SECOND_KEY);
    operator.until_logged("using another root key").await;
    world.emulator.revoke(ROOT_KEY);
    world.edit("a", &json!({"meta": {"n": 2}})).await;
    world.ready("a").await;
    assert_eq!(world.workspace.live("a").unwrap().meta, json!({"n": 2}));
    // S43: the others cost no write; one update and its status for the one that was edited.
    assert_eq!(world.kube_writes(), (writes.0, writes.1 + 1));
    let after = world.calls();
    assert_eq!([after[0], after[2], after[3]], [calls[0], calls[2] + 1, calls[3]]);
    assert!(after[1] - calls[1] <= 3, "{after:?}");
    assert_eq!(world.emulator.strangers(), [], "nothing was sent with a key that Unkey does not know");
    world.delete("b").await;
    world.gone("b").await;
    world.assert_in_step().await;
}

/// The key file is looked at once a second; a reconcile that begins sooner notices as well.
#[tokio::test]
async fn an_edit_right_after_a_rotation_goes_out_with_the_new_key() {
    let world = World::new("swiftly-rotated").await;
    let _operator = world.start().await;
    world.create("edited", &json!({"externalId": "edited", "meta": {"n": 0}})).await;
    world.ready("edited").await;
    let mut before = ROOT_KEY.to_owned();
    for round in 1..=5 {
        let key = format!("unkey_root_round_{round}");
        world.workspace.add_root_key(&key, Permissions::ALL);
        world.write_key(&key);
        world.emulator.revoke(&before);
        world.edit("edited", &json!({"meta": {"n": round}})).await;
        world.ready("edited").await;
        assert_eq!(world.workspace.live("edited").unwrap().meta, json!({"n": round}));
        before = key;
    }
    assert_eq!(world.emulator.strangers(), [], "nothing was sent with a key that Unkey does not know");
    world.assert_in_step().await;
}

#[tokio::test]
async fn a_revoked_key_is_named_until_a_valid_one_is_there() {
    let world = World::new("revoked").await;
    let operator = world.start().await;
    for name in ["edited", "deleted", "quiet"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.ready(name).await;
    }
    world.emulator.revoke(ROOT_KEY);
    world.edit("edited", &json!({"meta": {"n": 2}})).await;
    world.delete("deleted").await;
    world.create("newcomer", &json!({"externalId": "newcomer"})).await;
    assert!(message(&world.reason("edited", "Unauthorized").await).contains("needs no restart"));
    world.reason("newcomer", "Unauthorized").await;
    assert!(message(&world.reason("deleted", "DeletionBlocked").await).contains("root key"));
    assert_eq!(condition(&world.get("quiet").await.unwrap(), "Ready")["status"], "True", "it needs no call");
    let tries = world.emulator.strangers().len();
    assert!((1..=3).contains(&tries), "one try each at most, then a long wait: {tries}");

    world.workspace.add_root_key(SECOND_KEY, Permissions::ALL);
    world.write_key(SECOND_KEY);
    operator.until_logged("using another root key").await;
    world.ready("edited").await;
    world.ready("newcomer").await;
    world.gone("deleted").await;
    assert_eq!(world.emulator.strangers().len(), tries);
    world.assert_in_step().await;
}

/// Makes the key file unfit in one of several ways.
fn spoil(world: &World, how: &str) {
    let file = world.key_file();
    match how {
        "does not exist" => std::fs::remove_file(file).unwrap(),
        "is empty" => std::fs::write(file, " \n").unwrap(),
        "is not UTF-8" => std::fs::write(file, [0xff, 0xfe, 0x41]).unwrap(),
        "inside" => std::fs::write(file, "unkey_root two words").unwrap(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_unfit_key_file_at_the_start() {
    for how in ["does not exist", "is empty", "is not UTF-8", "inside"] {
        let world = World::new("unfit-at-start").await;
        spoil(&world, how);
        let operator = world.start().await;
        operator.until_readyz(503, how).await;
        assert_eq!(operator.http("/livez").await.status, 200);
        world.create("waits", &json!({"externalId": "waits"})).await;
        let object = world.reason("waits", "CredentialsMissing").await;
        assert!(message(&object).contains(how), "{}", message(&object));
        assert_eq!(world.calls(), [0; 5]);
        world.write_key(ROOT_KEY);
        world.ready("waits").await;
        operator.until_readyz(200, "ok").await;
        assert_eq!(world.calls(), [1, 0, 0, 0, 0]);
    }
}

#[tokio::test]
async fn an_unfit_key_file_later() {
    let world = World::new("unfit-later").await;
    let operator = world.start().await;
    for how in ["does not exist", "is empty", "is not UTF-8", "inside"] {
        world.create("edited", &json!({"externalId": "edited", "meta": {"n": 1}})).await;
        world.create("deleted", &json!({"externalId": "deleted"})).await;
        world.ready("edited").await;
        world.ready("deleted").await;
        spoil(&world, how);
        operator.until_readyz(503, how).await;
        let calls = world.calls();
        world.edit("edited", &json!({"meta": {"n": 2}})).await;
        world.delete("deleted").await;
        assert!(message(&world.reason("edited", "CredentialsMissing").await).contains(how));
        let object = world.reason("deleted", "DeletionBlocked").await;
        assert!(message(&object).contains(how), "{}", message(&object));
        assert_eq!(object["metadata"]["finalizers"], json!(["unkey.com/identity"]));
        assert_eq!(world.calls(), calls);
        world.write_key(ROOT_KEY);
        world.ready("edited").await;
        world.gone("deleted").await;
        operator.until_readyz(200, "ok").await;
        world.assert_in_step().await;
        world.delete("edited").await;
        world.gone("edited").await;
    }
    world.assert_in_step().await;
}

/// Makes a file of one kind or other at a path.
type Spoil<'a> = &'a dyn Fn(&std::path::Path);

/// The file changes from one fault to another: the condition names the one that there is, what the file looks like, and nothing of its content.
#[tokio::test]
async fn the_condition_names_the_present_fault_of_the_key_file() {
    let world = World::new("fault-after-fault").await;
    let (file, next) = (world.key_file(), world.files.path().join("next"));
    let replace = |with: Spoil<'_>| {
        with(&next);
        if file.is_dir() {
            std::fs::remove_dir(&file).unwrap();
        }
        std::fs::rename(&next, &file).unwrap();
    };
    let content = |text: String| move |path: &std::path::Path| std::fs::write(path, &text).unwrap();
    let pipe = |path: &std::path::Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    replace(&content(format!("\"{ROOT_KEY}\"\n")));
    let operator = world.start().await;
    world.create("waits", &json!({"externalId": "waits"})).await;
    // printf unkey_root_4f0c9a2e | base64
    let encoded = "dW5rZXlfcm9vdF80ZjBjOWEyZQ==";
    let faults: [(&str, Spoil<'_>); 9] = [
        ("has quotes around the key", &content(format!("'{ROOT_KEY}'"))),
        ("is empty", &content(String::new())),
        ("looks like NAME=key", &content(format!("UNKEY_ROOT_KEY={ROOT_KEY}\n"))),
        ("begins with a byte order mark", &content(format!("\u{feff}{ROOT_KEY}\n"))),
        ("is a named pipe", &pipe),
        ("looks like a key in base64", &content(encoded.to_owned())),
        ("is larger than 64 KiB", &content(ROOT_KEY.repeat(10_000))),
        ("is not UTF-8", &|path| std::fs::write(path, [0xff, 0xfe, 0x41]).unwrap()),
        ("looks like JSON", &content(format!("{{\"key\": \"{ROOT_KEY}\"}}"))),
    ];
    for (fault, spoil) in faults {
        replace(spoil);
        let named = world.until("waits", fault, |object| message(object).contains(fault)).await;
        assert_eq!(condition(&named, "Ready")["reason"], "CredentialsMissing");
        operator.until_readyz(503, fault).await;
        for secret in [ROOT_KEY, encoded] {
            assert!(!named.to_string().contains(secret) && !operator.log().contains(secret), "{fault}");
        }
    }
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    world.until("waits", "told of the directory", |object| message(object).contains("is a directory")).await;
    std::fs::remove_dir(&file).unwrap();
    world.write_key(ROOT_KEY);
    world.ready("waits").await;
    assert_eq!(world.calls(), [1, 0, 0, 0, 0]);
}

#[tokio::test]
async fn the_key_from_the_environment() {
    let world = World::new("environment").await;
    spoil(&world, "does not exist");
    let mut args = world.args();
    let at = args.iter().position(|arg| arg == "--root-key-file").unwrap();
    args.drain(at..at + 2);
    let operator = world.start_as(&args, &[("UNKEY_ROOT_KEY", ROOT_KEY)]).await;
    operator.until_readyz(200, "ok").await;
    world.create("by-environment", &json!({"externalId": "by-environment"})).await;
    world.ready("by-environment").await;
    world.assert_in_step().await;
}

/// S38: nothing was made, so nothing holds the object back; after a restart nobody knows that any more.
#[tokio::test]
async fn a_newcomer_under_a_wrong_key() {
    let world = World::new("wrong-key").await;
    world.write_key("unkey_root_of_nobody");
    let operator = world.start().await;
    for name in ["at-once", "after-restart"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.reason(name, "Unauthorized").await;
    }
    world.delete("at-once").await;
    world.gone("at-once").await;

    operator.kill();
    let _operator = world.start().await;
    world.delete("after-restart").await;
    let object = world.reason("after-restart", "DeletionBlocked").await;
    let text = message(&object);
    assert!(text.contains("Put a valid root key in place"), "{text}");
    // The way out works as it is printed.
    let printed = &text[text.find("kubectl patch").unwrap()..];
    let mut shell = Command::new("sh");
    let kubectl = world.plane.kubectl().unwrap();
    let line = printed.replacen("kubectl", "\"$KUBECTL\"", 1);
    shell.args(["-c", &line]).env("KUBECTL", kubectl).env("KUBECONFIG", world.plane.kubeconfig());
    succeeded(&shell.output().unwrap());
    world.gone("after-restart").await;
    assert_eq!(world.workspace.snapshot().live, []);
}
