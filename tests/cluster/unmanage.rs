//! `unkey-operator unmanage`: who leaves gets rid of finalizers and claims, and Unkey is not asked.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use admission_webhook::{Answer, Kind, Order, Rules, Webhook};
use cutting_proxy::{Fault, FaultKind, Proxy};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};

use super::harness::{World, eventually, identity, succeeded};

const CLAIM: &str = "unkey.com/claim";
const OURS: &str = "unkey.com/identity";

/// An Identity as an operator has left it, and others with it.
fn held(name: &str) -> Value {
    let mut manifest = identity(name, &json!({"externalId": name}));
    manifest["metadata"]["finalizers"] = json!([OURS]);
    manifest["metadata"]["annotations"] = json!({CLAIM: "some-uid:v1:ab:"});
    manifest
}

fn is_held(object: &Value) -> bool {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|all| all.contains(&json!(OURS))) || object["metadata"]["annotations"][CLAIM].is_string()
}

/// `unkey-operator unmanage --all` in the namespace of this world.
async fn release(world: &World, args: &[&str]) -> Output {
    let kubeconfig = world.plane.kubeconfig();
    let args = [&["--namespace", &world.namespace, "--kubeconfig", kubeconfig.to_str().unwrap()], args].concat();
    run(&args, Stdio::null()).await
}

async fn run(args: &[&str], stdin: Stdio) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unkey-operator"));
    command.args(["unmanage", "--all"]).args(args);
    // No root key: it is not needed.
    command.env_clear().env("HOME", "/nonexistent").stdin(stdin);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Exit code and standard error of a command that must have failed.
fn failed(output: &Output) -> (i32, String) {
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Objects that live and objects that are being deleted, with finalizers and annotations of others: ours go, all else stays.
#[tokio::test]
async fn lets_go_of_all_and_leaves_unkey_alone() {
    let world = World::new("release").await;
    let operator = world.start().await;
    let names = ["live", "shared", "leaving", "held-by-another"];
    for name in names {
        world.create(name, &json!({"externalId": name, "meta": {"plan": "pro"}})).await;
        world.ready(name).await;
    }
    for name in ["shared", "held-by-another"] {
        let metadata = json!({"finalizers": [OURS, "example.com/other"], "annotations": {"example.com/note": "kept"}});
        world.patch(name, &json!({"metadata": metadata})).await;
    }
    assert!(operator.terminate().await.success());
    for name in ["leaving", "held-by-another"] {
        world.delete(name).await;
    }
    world.create("never-visited", &json!({"externalId": "never-visited"})).await;
    let (before, asked) = (world.get("live").await.unwrap(), world.workspace.requests().len());
    let upstream: Vec<Value> = names.iter().map(|name| world.upstream(name)).collect();

    let said = succeeded(&release(&world, &["--yes"]).await);
    assert_eq!(said, "released 4 Identities\n");
    let live = world.get("live").await.unwrap();
    assert!(live["metadata"].get("finalizers").is_none() && live["metadata"].get("annotations").is_none(), "{live}");
    assert_eq!((&live["spec"], &live["status"]), (&before["spec"], &before["status"]), "all else stays");
    for name in ["shared", "held-by-another"] {
        let metadata = world.get(name).await.unwrap()["metadata"].clone();
        assert_eq!(metadata["finalizers"], json!(["example.com/other"]), "{name}");
        assert_eq!(metadata["annotations"], json!({"example.com/note": "kept"}), "{name}");
    }
    assert_eq!(world.get("leaving").await, None, "nothing holds it back any more");
    assert_eq!(world.workspace.requests().len(), asked, "Unkey was asked");
    assert_eq!(names.iter().map(|name| world.upstream(name)).collect::<Vec<_>>(), upstream);

    // With none to release there is nothing to ask either; and who has been released goes as any other object does.
    assert_eq!(
        succeeded(&release(&world, &["--yes"]).await),
        "the finalizer or claim is on 0 Identities in 0 namespaces\n"
    );
    world.delete("live").await;
    assert_eq!(world.get("live").await, None);
    assert_eq!(world.workspace.requests().len(), asked);
    assert_ne!(world.upstream("live"), Value::Null);

    // Who comes back finds all as it was: by its status each Identity still owns its identity.
    world.patch("held-by-another", &json!({"metadata": {"finalizers": null}})).await;
    let _operator = world.start().await;
    world.until("shared", "held again", is_held).await;
    assert_eq!(world.upstream("shared"), upstream[1]);
}

#[tokio::test]
async fn only_where_it_was_told_to() {
    let (one, other) = (World::new("release-here").await, World::new("release-there").await);
    for world in [&one, &other] {
        world.try_create(&held("a")).await.unwrap();
        let mut labelled = held("b");
        labelled["metadata"]["labels"] = json!({"team": "b"});
        world.try_create(&labelled).await.unwrap();
    }
    let of = async |world: &World| (is_held(&world.get("a").await.unwrap()), is_held(&world.get("b").await.unwrap()));
    assert_eq!(succeeded(&release(&one, &["--yes", "--selector", "team=b"]).await), "released 1 Identity\n");
    assert_eq!((of(&one).await, of(&other).await), ((true, false), (true, true)));
    assert_eq!(
        succeeded(&release(&one, &["--yes", "--namespace", &other.namespace]).await),
        "released 3 Identities\n",
        "the flag is repeatable"
    );
    assert_eq!((of(&one).await, of(&other).await), ((false, false), (false, false)));
    let (code, said) = failed(&release(&one, &["--yes", "--selector", "a=b=c"]).await);
    assert!(code == 2 && said.starts_with("unkey-operator: the API server refuses --selector: "), "{said}");
}

/// Without a word of consent nothing changes: nobody to ask, a question answered with no, and a look at what would happen.
#[tokio::test]
async fn asks_first() {
    let world = World::new("release-asks").await;
    let before = world.try_create(&held("a")).await.unwrap();
    let (code, said) = failed(&release(&world, &[]).await);
    assert_eq!(code, 2, "{said}");
    assert_eq!(
        said,
        "unkey-operator: standard input is not a terminal, so you cannot be asked to confirm; pass --yes to skip the confirmation, or \
         --dry-run to list only\n"
    );
    let said = succeeded(&release(&world, &["--dry-run"]).await);
    let expected =
        format!("{}/a would be released\nthe finalizer or claim is on 1 Identity in 1 namespace\n", world.namespace);
    assert_eq!(said, expected);

    let kubeconfig = world.plane.kubeconfig();
    let args = ["--namespace", &world.namespace, "--kubeconfig", kubeconfig.to_str().unwrap()];
    for answer in ["no", "y", ""] {
        let (keyboard, terminal) = terminal();
        (&keyboard).write_all(format!("{answer}\n").as_bytes()).unwrap();
        let (code, said) = failed(&run(&args, terminal.into()).await);
        assert!(
            code == 1 && said.ends_with("unkey-operator: not confirmed; nothing was released\n"),
            "{answer}: {said}"
        );
        for part in ["on 1 Identity in 1 namespace.", "changes nothing in Unkey", "Scale the Deployment to 0"] {
            assert!(said.contains(part), "'{part}' is not in: {said}");
        }
    }
    let version = |object: &Value| object["metadata"]["resourceVersion"].clone();
    assert_eq!(version(&world.get("a").await.unwrap()), version(&before), "nothing was written");

    let (keyboard, terminal) = terminal();
    (&keyboard).write_all(b"yes\n").unwrap();
    assert_eq!(succeeded(&run(&args, terminal.into()).await), "released 1 Identity\n");
    assert!(!is_held(&world.get("a").await.unwrap()));
}

/// Both ends of a terminal.
pub fn terminal() -> (File, File) {
    let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&keyboard).unwrap();
    unlockpt(&keyboard).unwrap();
    let name = ptsname(&keyboard, Vec::new()).unwrap();
    let path = std::path::Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
    (keyboard.into(), File::options().read(true).write(true).open(path).unwrap())
}

/// An operator that runs puts finalizer and claim back at once. One object shows that, and the others keep what they have: above all those that
/// the operator is to see to the end of.
#[tokio::test]
async fn an_operator_at_work_is_noticed() {
    let world = World::new("release-running").await;
    let _operator = world.start().await;
    for name in ["c", "a-suspended", "b-blocked"] {
        world.create(name, &json!({"externalId": name})).await;
        world.ready(name).await;
    }
    world.edit("a-suspended", &json!({"suspend": true})).await;
    world.reason("a-suspended", "Suspended").await;
    world.edit("b-blocked", &json!({"suspend": true})).await;
    world.delete("b-blocked").await;
    world.reason("b-blocked", "DeletionBlocked").await;
    let calls = world.calls();
    let (code, said) = failed(&release(&world, &["--yes"]).await);
    assert_eq!(code, 1, "{said}");
    let expected = format!(
        "unkey-operator: an operator is running: it added finalizer and claim to {}/c again; nothing else was changed. \
         Scale the Deployment to 0, wait until its Pods are gone, then run this command again\n",
        world.namespace
    );
    assert_eq!(said, expected);
    assert!(world.list().await.iter().all(is_held) && world.list().await.len() == 3);
    assert_eq!(world.calls(), calls);
}

/// One that comes to work in the middle is seen at the end.
#[tokio::test]
async fn an_operator_that_comes_to_work_is_noticed() {
    let world = World::new("release-overtaken").await;
    let proxy = Proxy::start(&world.plane.kubeconfig()).await.unwrap();
    for name in ["a", "b"] {
        world.try_create(&held(name)).await.unwrap();
    }
    let hold = proxy.order(Fault::new(FaultKind::Hold).verb("patch").on("identities").of("b").times(1));
    let kubeconfig = proxy.kubeconfig();
    let args = ["--yes", "--namespace", &world.namespace, "--kubeconfig", kubeconfig.to_str().unwrap()];
    let put_back = async {
        world.until("a", "released", |object| !is_held(object)).await;
        world.patch("a", &json!({"metadata": {"finalizers": [OURS]}})).await;
        let struck = proxy.wait_until(|proxy| proxy.hits(hold) == 1);
        tokio::time::timeout(Duration::from_secs(40), struck).await.expect("the patch of b");
        assert!(proxy.release(hold));
    };
    let (output, ()) = tokio::join!(run(&args, Stdio::null()), put_back);
    let (code, said) = failed(&output);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("an operator is running: finalizer or claim is on 1 Identity again. Scale the Deployment"),
        "{said}"
    );
}

/// More than a page of them; and one that somebody else changes between the list and the patch is read again.
#[tokio::test]
async fn page_by_page_and_whoever_else_writes() {
    const COUNT: usize = 501;
    let world = World::new("release-pages").await;
    let proxy = Proxy::start(&world.plane.kubeconfig()).await.unwrap();
    let names: Vec<String> = (0..COUNT).map(|number| format!("a-{number}")).collect();
    for some in names.chunks(50) {
        futures::future::join_all(some.iter().map(async |name| world.try_create(&held(name)).await.unwrap())).await;
    }
    let hold = proxy.order(Fault::new(FaultKind::Hold).verb("patch").on("identities").of("a-7").times(1));
    let kubeconfig = proxy.kubeconfig();
    let args = ["--yes", "--namespace", &world.namespace, "--kubeconfig", kubeconfig.to_str().unwrap()];
    let meddle = async {
        let struck = proxy.wait_until(|proxy| proxy.hits(hold) == 1);
        tokio::time::timeout(Duration::from_secs(40), struck).await.expect("the patch of a-7");
        world
            .patch("a-7", &json!({"metadata": {"finalizers": ["example.com/other", OURS], "labels": {"a": "b"}}}))
            .await;
        assert!(proxy.release(hold));
    };
    let (output, ()) = tokio::join!(run(&args, Stdio::null()), meddle);
    assert_eq!(succeeded(&output), format!("released {COUNT} Identities\n"));
    assert!(!world.list().await.iter().any(is_held));
    assert_eq!(world.get("a-7").await.unwrap()["metadata"]["finalizers"], json!(["example.com/other"]));
    let lists = proxy.requests().iter().filter(|it| it.asked.verb == "list" && it.uri.contains("limit=500")).count();
    assert_eq!(lists, 4, "two pages to find them, two to see that it lasts");
}

/// What the API server refuses is named, and the rest goes on.
#[tokio::test]
async fn what_cannot_be_released_is_named() {
    let world = World::new("release-fails").await;
    let proxy = Proxy::start(&world.plane.kubeconfig()).await.unwrap();
    for name in ["a", "b", "c"] {
        world.try_create(&held(name)).await.unwrap();
    }
    let forbidden = proxy.order(Fault::new(FaultKind::forbidden()).verb("patch").of("b"));
    let kubeconfig = proxy.kubeconfig();
    let args = ["--yes", "--namespace", &world.namespace, "--kubeconfig", kubeconfig.to_str().unwrap()];
    let output = run(&args, Stdio::null()).await;
    let (code, said) = failed(&output);
    assert_eq!((code, String::from_utf8_lossy(&output.stdout).as_ref()), (1, "released 2 Identities\n"), "{said}");
    assert!(said.contains(&format!("{}/b could not be released: ", world.namespace)), "{said}");
    assert!(said.contains("the API server says: Forbidden, by order of a test\n"), "{said}");
    assert!(said.ends_with("unkey-operator: 1 Identity could not be released; run this command again\n"), "{said}");
    proxy.clear_fault(forbidden);
    assert_eq!(succeeded(&run(&args, Stdio::null()).await), "released 1 Identity\n");
    eventually("b to be free", async || (!is_held(&world.get("b").await?)).then_some(())).await;
}

/// R25: a webhook that refuses it is told as what it is, not as somebody who is faster each time.
#[tokio::test]
async fn what_refuses_it_is_told() {
    let world = World::new("release-refused").await;
    let rules = Rules::on("unkey.com", &["identities"]).operations(&["UPDATE"]);
    let webhook = Webhook::start(&world.plane.kubeconfig(), Kind::Validating, &world.namespace, &rules).await.unwrap();
    for (name, code) in [("forbidden", 403), ("conflict", 409), ("unexplained", 422)] {
        world.try_create(&held(name)).await.unwrap();
        webhook.order(Order::new(Answer::deny(code, "", &format!("{name}: not this one"))).of(name));
    }
    let (code, said) = failed(&release(&world, &["--yes"]).await);
    assert_eq!(code, 1, "{said}");
    for name in ["forbidden", "conflict", "unexplained"] {
        assert!(said.contains(&format!("denied the request: {name}: not this one")), "{said}");
        let patches = webhook.requests().iter().filter(|entry| entry.request["name"] == name).count();
        assert_eq!(patches, 1, "{name}");
    }
}
