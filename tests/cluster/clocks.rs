//! S66: wall clocks jump, and what a restart makes of a deletion that was blocked before it. The clock of the operator alone is shifted, by a
//! library that is preloaded; the API server keeps the time. And a process that stands still, for which time jumps ahead.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use unkey_emulator::{Fault, FaultKind, Operation, Permissions};

use super::harness::{Operator, ROOT_KEY, World, condition, eventually, succeeded};

const DAY: i64 = 86_400;

/// The clock of an operator, as far as it is not that of this machine.
struct Shift {
    library: PathBuf,
    file: PathBuf,
}

impl Shift {
    fn new(world: &World) -> Self {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/clocks/shift.c");
        let (library, file) = (world.files.path().join("shift.so"), world.files.path().join("shift"));
        let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).args([source, "-ldl"]).output();
        succeeded(&built.unwrap());
        let shift = Self { library, file };
        shift.by(0);
        shift
    }

    /// It jumps to this many seconds from the real time.
    fn by(&self, seconds: i64) {
        let next = self.file.with_extension("next");
        std::fs::write(&next, seconds.to_string()).unwrap();
        std::fs::rename(next, &self.file).unwrap();
    }

    async fn start(&self, world: &World, more: &[&str]) -> Operator {
        let args = world.args().into_iter().chain(more.iter().map(ToString::to_string)).collect::<Vec<_>>();
        let (library, file) = (self.library.to_str().unwrap(), self.file.to_str().unwrap());
        world.start_as(&args, &[("LD_PRELOAD", library), ("CLOCK_SHIFT", file)]).await
    }
}

fn spec(name: &str, n: u32) -> Value {
    json!({"externalId": name, "meta": {"n": n}})
}

/// Seconds from the real time to the one in the last line of the log.
fn clock_of(operator: &Operator) -> i64 {
    let log = operator.log();
    let said = log.lines().rev().find_map(|line| line.split_whitespace().next()?.parse::<Timestamp>().ok()).unwrap();
    said.as_second() - Timestamp::now().as_second()
}

#[tokio::test]
async fn s66_the_wall_clock_jumps_a_day_ahead_and_back() {
    let world = World::new("clock-jumps").await;
    let shift = Shift::new(&world);
    let lease = ["--leader-elect", "--lease-namespace", &world.namespace];
    let operator = shift.start(&world, &lease).await;
    world.create("edited", &spec("edited", 0)).await;
    world.ready("edited").await;
    for (n, seconds) in (1..).zip([DAY, 0, -DAY, DAY]) {
        shift.by(seconds);
        let made = format!("made-{n}");
        world.create(&made, &spec(&made, n)).await;
        world.edit("edited", &json!({"meta": {"n": n}})).await;
        world.ready(&made).await;
        world.ready("edited").await;
        assert_eq!(world.upstream("edited")["meta"], json!({"n": n}));
        world.delete(&made).await;
        world.gone(&made).await;
        assert!(world.workspace.live(&made).is_none());
        assert!((clock_of(&operator) - seconds).abs() < 3_600, "it did not jump: {}", clock_of(&operator));
    }
    world.assert_in_step().await;
}

/// The create of an operator that died may land yet: a clock that is wrong does not make the deletion old.
#[tokio::test]
async fn s66_a_clock_that_is_ahead_makes_no_deletion_old() {
    let world = World::new("clock-ahead").await;
    let shift = Shift::new(&world);
    let operator = shift.start(&world, &[]).await;
    let late = world.workspace.order(Fault::new(FaultKind::Hold).on(Operation::Create).once());
    world.create("late", &spec("late", 1)).await;
    world.until_hit(late, 1).await;
    operator.kill();
    world.delete("late").await;
    shift.by(DAY);
    let _operator = shift.start(&world, &[]).await;
    world.create("other", &spec("other", 1)).await;
    world.ready("other").await;
    world.workspace.release(late);
    world.gone("late").await;
    assert!(world.workspace.live("late").is_none(), "what landed late is left behind");
}

#[tokio::test]
async fn s66_a_deletion_that_was_blocked_before_a_restart_goes_at_once() {
    let world = World::new("blocked-restart").await;
    let operator = world.start().await;
    world.create("blocked", &spec("blocked", 1)).await;
    world.create("stays", &spec("stays", 1)).await;
    world.ready("blocked").await;
    world.ready("stays").await;
    world.workspace.add_root_key(ROOT_KEY, Permissions { delete: false, ..Permissions::ALL });
    world.delete("blocked").await;
    world.reason("blocked", "DeletionBlocked").await;
    operator.kill();
    // An attempt, a window and twenty seconds.
    let deleted = world.get("blocked").await.unwrap()["metadata"]["deletionTimestamp"].as_str().unwrap().to_owned();
    let deleted: Timestamp = deleted.parse().unwrap();
    eventually("the deletion to be long ago", async || {
        (Timestamp::now().as_second() - deleted.as_second() > 23).then_some(())
    })
    .await;
    world.workspace.add_root_key(ROOT_KEY, Permissions::ALL);
    let before = world.workspace.requests().len();
    let _operator = world.start().await;
    world.gone("blocked").await;
    // A deletion in doubt would have waited, and looked once more, before it let go.
    let after: Vec<Operation> = world.workspace.requests()[before..].iter().map(|it| it.operation).collect();
    assert_eq!(after, [Operation::Get, Operation::Delete]);
    assert!(world.workspace.live("blocked").is_none() && world.workspace.live("stays").is_some());
}

/// The answer to the claim comes late: what it shows is no look any more (R11), or the create would be younger than the deletion by as much.
#[tokio::test]
async fn s66_what_is_shown_late_is_no_look() {
    let (world, proxy) = World::new("slow-claim").await.behind_proxy().await;
    let _operator = world.start().await;
    for (name, after) in [("deleted", 15), ("suspended", 12)] {
        let answer = cutting_proxy::FaultKind::DelayAnswer(Duration::from_secs(after));
        let slow = cutting_proxy::Fault::new(answer).verb("patch").on("identities").subresource("").of(name).once();
        let slow = proxy.order(slow);
        world.create(name, &spec(name, 1)).await;
        proxy.wait_until(|proxy| proxy.hits(slow) == 1).await;
        world.until(name, "claimed", |it| it["metadata"]["finalizers"].is_array()).await;
    }
    world.delete("deleted").await;
    world.edit("suspended", &json!({"suspend": true})).await;
    world.gone("deleted").await;
    world.reason("suspended", "Suspended").await;
    assert!(world.workspace.requests().iter().all(|it| it.operation != Operation::Create), "nothing was sent for them");
}

/// A process that stood still has forgotten nobody: what is late for that is no bug, and is not told as one.
#[tokio::test]
async fn what_is_late_after_a_standstill_is_not_rescued() {
    // Longer than a plan may be late.
    const STILL: Duration = Duration::from_secs(35);
    let world = World::new("clock-still").await;
    let operator = world.start().await;
    world.workspace.order(Fault::new(FaultKind::internal_error()).on(Operation::Create));
    let names: Vec<String> = (0..8).map(|number| format!("a{number}")).collect();
    for name in &names {
        world.create(name, &json!({"externalId": name})).await;
    }
    for name in &names {
        world.until(name, "failing", |it| condition(it, "Ready")["status"] == "False").await;
    }
    operator.signal("STOP");
    let begun = Instant::now();
    eventually("it to stand still for long", async || (begun.elapsed() >= STILL).then_some(())).await;
    operator.signal("CONT");
    world.workspace.clear_faults();
    for name in &names {
        world.ready(name).await;
    }
    let rescues = operator.metrics().await.sum("unkey_operator_rescues_total", &[]);
    assert_eq!(rescues, 0, "{}", operator.log());
}
