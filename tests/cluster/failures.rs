//! Every failure of every operation, all at once: what the user reads while it lasts, and that it ends well by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;
use unkey_emulator::{Fault, FaultKind, IdentityView, Operation, Permissions, Seed};

use super::harness::{World, condition, refusal};

/// One failure of an operation, and what becomes of it.
struct Case {
    name: &'static str,
    fault: Fault,
    /// The reason of Ready while it lasts.
    reason: &'static str,
    /// Words of the message.
    says: &'static str,
    /// The first wait is 30 s: somebody has to repair something, and then wakes it.
    slow: bool,
}

/// What plays in one world. A failure of the root key as a whole stops everything that it is used for, so it plays alone.
#[derive(Clone, Copy)]
enum Part {
    Together,
    Alone(&'static str),
}

const PARTS: [Part; 4] =
    [Part::Together, Part::Alone("key-unknown"), Part::Alone("key-disabled"), Part::Alone("limit-3600")];

impl Part {
    fn cases(self, operation: Operation) -> Vec<Case> {
        let alone = |name: &str| PARTS.iter().any(|part| matches!(part, Self::Alone(other) if *other == name));
        let here = |name: &str| match self {
            Self::Together => !alone(name),
            Self::Alone(only) => name == only,
        };
        cases(operation).into_iter().filter(|case| here(case.name)).collect()
    }
}

const UNAVAILABLE: &str = "cannot be reached or answers with errors";
const NOT_UNKEY: &str = "does not answer as Unkey's API does";

/// What a client of Unkey can meet. `operation`: what it would need a permission for.
fn cases(operation: Operation) -> Vec<Case> {
    let case = |name, kind, reason, says, slow| Case { name, fault: Fault::new(kind), reason, says, slow };
    let down = |name, kind| case(name, kind, "UpstreamUnavailable", UNAVAILABLE, false);
    let elsewhere = |name, kind| case(name, kind, "UpstreamUnavailable", NOT_UNKEY, true);
    let limited = |name, retry_after: Option<&str>| {
        let kind = FaultKind::TooMany { retry_after: retry_after.map(str::to_owned) };
        case(name, kind, "RateLimited", "limits the rate", false)
    };
    let after_commit = |mut case: Case| {
        case.fault = case.fault.handled(true);
        case
    };
    let (lacks, permission) = match operation {
        Operation::Create => ("identity.*.create_identity", "Missing permission create_identity"),
        Operation::Update => ("identity.*.update_identity", "Missing permission update_identity"),
        Operation::Get => ("identity.*.read_identity", "Missing permission read_identity"),
        _ => ("identity.*.delete_identity", "Missing permission delete_identity"),
    };
    let unauthorized = refusal(401, "unkey/authentication/key_not_found", "We could not find the requested key.");
    let disabled = refusal(403, "unkey/authorization/key_disabled", "The key is disabled.");
    let forbidden = refusal(403, "unkey/authorization/insufficient_permissions", permission);
    vec![
        case("key-unknown", unauthorized, "Unauthorized", "Put a valid root key in place", true),
        case("key-disabled", disabled, "Unauthorized", "The key is disabled", true),
        case("no-permission", forbidden, "PermissionDenied", lacks, true),
        limited("limit-1", Some("1")),
        limited("limit-0", Some("0")),
        limited("limit-date", Some("Wed, 21 Oct 2065 07:28:00 GMT")),
        limited("limit-absent", None),
        Case { slow: true, ..limited("limit-3600", Some("3600")) },
        down("error-500", FaultKind::internal_error()),
        after_commit(down("error-500-after", FaultKind::internal_error())),
        down("html-502", FaultKind::html(502)),
        after_commit(down("html-502-after", FaultKind::html(502))),
        down("html-503", FaultKind::html(503)),
        elsewhere("text-404", FaultKind::not_found_text()),
        elsewhere("redirect", FaultKind::Redirect { location: "http://127.0.0.1:9/elsewhere".to_owned() }),
        elsewhere("html-200", FaultKind::Html200),
        after_commit(elsewhere("html-200-after", FaultKind::Html200)),
        down("drop-before", FaultKind::DropBefore),
        down("drop-after", FaultKind::DropAfter),
        down("garbage", FaultKind::Garbage),
        down("empty", FaultKind::Empty200),
        down("truncated", FaultKind::Truncated),
        down("timeout-before", FaultKind::Hold),
        down("timeout-after", FaultKind::HoldAnswer),
    ]
}

fn content(revision: u32) -> Value {
    json!({
        "meta": {"revision": revision, "plan": {"seats": [1, 2, 3]}},
        "ratelimits": [{"name": "requests", "limit": 10 + revision, "duration": 60_000}],
    })
}

/// With full jitter from a tenth of the ceiling on: no more tries than this fit into `elapsed`.
fn most_tries(slow: bool, elapsed: Duration) -> f64 {
    let shortest = if slow { 3.0 } else { 0.1 };
    2.0 + (elapsed.as_secs_f64() / shortest + 1.0).log2()
}

/// Brings all cases through their failure: each lasts until the user can read of it, ends, and is over when `is_over`.
async fn drive(
    world: &World,
    part: Part,
    operation: Operation,
    faults: &BTreeMap<&str, u64>,
    is_over: impl Fn(Option<&Value>) -> bool,
) {
    let begun = Instant::now();
    let all = part.cases(operation);
    let deleting = operation == Operation::Delete || operation == Operation::Get;
    let mut open: Vec<&Case> = all.iter().collect();
    let mut failing: Vec<&str> = open.iter().map(|case| case.name).collect();
    let mut ticks = tokio::time::interval(Duration::from_millis(100));
    while !open.is_empty() {
        ticks.tick().await;
        let list = world.list().await;
        let find = |name: &str| list.iter().find(|object| object["metadata"]["name"] == name);
        for case in &open {
            let Some(object) = find(case.name) else { continue };
            let ready = condition(object, "Ready");
            let (reason, message) =
                (ready["reason"].as_str().unwrap_or_default(), ready["message"].as_str().unwrap_or_default());
            if !failing.contains(&case.name) || ready["observedGeneration"] != object["metadata"]["generation"] {
                continue;
            }
            let wanted = if deleting { "DeletionBlocked" } else { case.reason };
            if reason != wanted {
                continue;
            }
            assert!(message.contains(case.says), "{}: {message}", case.name);
            assert_eq!(ready["status"], "False");
            assert_eq!(condition(object, "Stalled"), Value::Null, "{} is retried", case.name);
            if deleting {
                assert!(message.contains(r#"-p '{"spec":{"deletionPolicy":"Orphan"}}'"#), "{message}");
            }
            let tries = world.requests_on(operation, case.name).len();
            assert!(
                f64::from(u32::try_from(tries).unwrap()) <= most_tries(case.slow, begun.elapsed()),
                "{}: {tries} tries",
                case.name
            );
            failing.retain(|name| *name != case.name);
            world.workspace.clear_fault(faults[case.name]);
            if case.slow {
                world.ask_for_check(case.name, "repaired").await;
            }
            if case.name == "limit-3600" {
                // Only another key is not held to it.
                world.workspace.add_root_key("unkey_root_another", Permissions::ALL);
                world.write_key("unkey_root_another");
            }
        }
        open.retain(|case| {
            // What went through although nobody heard of it may be over before the user reads of a failure.
            !(is_over(find(case.name)) && (!failing.contains(&case.name) || operation == Operation::Delete))
        });
        let stuck = || {
            open.iter().map(|case| (case.name, find(case.name).map(|it| condition(it, "Ready")))).collect::<Vec<_>>()
        };
        assert!(begun.elapsed() < Duration::from_secs(90), "{operation:?}: in vain: {:#?}", stuck());
    }
}

fn is_ready(object: Option<&Value>) -> bool {
    object.is_some_and(|object| {
        let ready = condition(object, "Ready");
        ready["status"] == "True" && ready["observedGeneration"] == object["metadata"]["generation"]
    })
}

fn order(world: &World, part: Part, operation: Operation) -> BTreeMap<&'static str, u64> {
    part.cases(operation)
        .into_iter()
        .map(|case| (case.name, world.workspace.order(case.fault.on(operation).of(case.name))))
        .collect()
}

async fn create_all(world: &World, part: Part) {
    for case in part.cases(Operation::Create) {
        let mut spec = content(1);
        spec["externalId"] = case.name.into();
        world.create(case.name, &spec).await;
    }
}

async fn all_ready(world: &World) {
    super::harness::eventually("all to be ready", async || {
        world.list().await.iter().all(|object| is_ready(Some(object))).then_some(())
    })
    .await;
}

/// An identity of somebody else, to see that nothing happens to it.
fn bystander(world: &World) -> IdentityView {
    let meta = json!({"mine": true}).as_object().cloned();
    let seed = Seed { external_id: "bystander".to_owned(), meta, ratelimits: None };
    world.workspace.seed(seed).unwrap();
    world.workspace.live("bystander").unwrap()
}

/// Nothing but our own was written to, and the bystander is taken out of the count.
fn assert_left_alone(world: &World, bystander: &IdentityView) {
    assert_eq!(world.workspace.live("bystander").as_ref(), Some(bystander));
    assert!(world.workspace.delete("bystander"));
    let names: Vec<_> = cases(Operation::Create).iter().map(|case| case.name).collect();
    // Looks for a witness read what they find, and store nothing (R19).
    let stored =
        world.workspace.requests().into_iter().filter(|it| it.operation != Operation::Get && it.handled == Some(200));
    for entry in stored {
        assert!(entry.external_id.as_deref().is_none_or(|name| names.contains(&name)), "{entry:?}");
    }
    assert_eq!(world.emulator.strangers(), []);
}

/// Status writes of the operator, by object.
fn status_writes(world: &World, name: &str) -> usize {
    let events = world.plane.audit_in(&world.namespace).unwrap();
    events.iter().filter(|event| event.name == name && event.subresource == "status" && event.code == 200).count()
}

#[tokio::test]
async fn every_failure_of_a_create() {
    join_all(PARTS.map(creates)).await;
}

async fn creates(part: Part) {
    let world = World::new("failing-create").await;
    let bystander = bystander(&world);
    let faults = order(&world, part, Operation::Create);
    let _operator = world.start().await;
    create_all(&world, part).await;
    drive(&world, part, Operation::Create, &faults, is_ready).await;
    assert_left_alone(&world, &bystander);
    world.assert_in_step().await;
    for case in part.cases(Operation::Create) {
        assert_eq!(world.accepted(Operation::Create, case.name), 1, "{}", case.name);
        let object = world.get(case.name).await.unwrap();
        assert_eq!(object["status"]["origin"], "Created", "{}", case.name);
        // The failure, and that it is over.
        assert!(
            status_writes(&world, case.name) <= 3,
            "{}: {} status writes",
            case.name,
            status_writes(&world, case.name)
        );
    }
}

#[tokio::test]
async fn every_failure_of_an_update() {
    join_all(PARTS.map(updates)).await;
}

async fn updates(part: Part) {
    let world = World::new("failing-update").await;
    let bystander = bystander(&world);
    let _operator = world.start().await;
    create_all(&world, part).await;
    all_ready(&world).await;
    let faults = order(&world, part, Operation::Update);
    for case in part.cases(Operation::Update) {
        world.edit(case.name, &content(2)).await;
    }
    drive(&world, part, Operation::Update, &faults, is_ready).await;
    assert_left_alone(&world, &bystander);
    world.assert_in_step().await;
    for case in part.cases(Operation::Update) {
        assert_eq!(world.workspace.live(case.name).unwrap().meta["revision"], 2, "{}", case.name);
        assert_eq!(world.accepted(Operation::Create, case.name), 1, "{}", case.name);
        assert!(
            status_writes(&world, case.name) <= 4,
            "{}: {} status writes",
            case.name,
            status_writes(&world, case.name)
        );
    }
}

#[tokio::test]
async fn every_failure_of_a_delete() {
    join_all(PARTS.map(deletes)).await;
}

async fn deletes(part: Part) {
    let world = World::new("failing-delete").await;
    let bystander = bystander(&world);
    let _operator = world.start().await;
    create_all(&world, part).await;
    all_ready(&world).await;
    let faults = order(&world, part, Operation::Delete);
    for case in part.cases(Operation::Delete) {
        world.delete(case.name).await;
    }
    drive(&world, part, Operation::Delete, &faults, |object| object.is_none()).await;
    assert_left_alone(&world, &bystander);
    world.assert_in_step().await;
    for case in part.cases(Operation::Delete) {
        assert_eq!(world.accepted(Operation::Delete, case.name), 1, "{}", case.name);
        assert!(
            status_writes(&world, case.name) <= 2,
            "{}: {} status writes",
            case.name,
            status_writes(&world, case.name)
        );
    }
}

/// A delete that an earlier process may have sent begins with a read (R6).
#[tokio::test]
async fn every_failure_of_a_read() {
    join_all(PARTS.map(reads)).await;
}

async fn reads(part: Part) {
    let world = World::new("failing-read").await;
    let bystander = bystander(&world);
    let operator = world.start().await;
    create_all(&world, part).await;
    all_ready(&world).await;
    operator.kill();
    for case in part.cases(Operation::Get) {
        world.delete(case.name).await;
    }
    let faults = order(&world, part, Operation::Get);
    let _operator = world.start().await;
    drive(&world, part, Operation::Get, &faults, |object| object.is_none()).await;
    assert_left_alone(&world, &bystander);
    world.assert_in_step().await;
    for case in part.cases(Operation::Get) {
        assert_eq!(world.accepted(Operation::Delete, case.name), 1, "{}", case.name);
        assert!(
            status_writes(&world, case.name) <= 2,
            "{}: {} status writes",
            case.name,
            status_writes(&world, case.name)
        );
    }
}
