//! Every fault as a client meets it on the wire, and what of it is committed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // A test says what is wrong by failing.

mod client;

use std::time::{Duration, Instant};

use client::{Answer, Client};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use unkey_emulator::Operation::{Create, Get, Update};
use unkey_emulator::{Emulator, Fault, FaultKind, Options, Permissions, Seed, Workspace};

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

struct Setup {
    emulator: Emulator,
    workspace: Workspace,
    client: Client,
}

impl Setup {
    async fn new() -> Self {
        let emulator = Emulator::start(Options::default()).await.unwrap();
        let workspace = emulator.workspace("ws");
        workspace.add_root_key("key", Permissions::ALL);
        Self { emulator, workspace, client: Client::new() }
    }

    /// With one fault that every request meets.
    async fn with(kind: FaultKind) -> Self {
        let setup = Self::new().await;
        setup.workspace.order(Fault::new(kind));
        setup
    }

    fn url(&self, operation: &str) -> String {
        format!("{}/v2/identities.{operation}", self.emulator.base_url())
    }

    async fn ask(&self, operation: &str, body: Value) -> Option<Answer> {
        timeout(PATIENCE, self.client.post(&self.url(operation), "key", &body)).await.expect("in time").ok()
    }

    async fn create(&self, external_id: &str) -> Option<Answer> {
        self.ask("createIdentity", json!({"externalId": external_id})).await
    }

    fn stored(&self) -> usize {
        self.workspace.snapshot().live.len()
    }

    async fn until(&self, holds: impl FnMut(&Workspace) -> bool) {
        timeout(PATIENCE, self.workspace.wait_until(holds)).await.expect("in time");
    }

    /// A create, byte by byte as HTTP/1.1, on a connection that stays open.
    async fn raw_create(&self, external_id: &str) -> TcpStream {
        let body = json!({"externalId": external_id}).to_string();
        let head = format!(
            "POST /v2/identities.createIdentity HTTP/1.1\r\nHost: emulator\r\nAuthorization: Bearer key\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = TcpStream::connect(self.emulator.address()).await.unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        stream
    }
}

/// Everything until the server closes; a reset counts as the end.
async fn rest(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the server closes");
    bytes
}

#[tokio::test]
async fn a_dropped_connection_carries_no_byte_of_an_answer() {
    for (kind, committed) in [(FaultKind::DropBefore, 0), (FaultKind::DropAfter, 1)] {
        let setup = Setup::with(kind).await;
        assert_eq!(rest(setup.raw_create("a").await).await, b"");
        assert_eq!(setup.stored(), committed);
        assert!(setup.create("b").await.is_none(), "a client sees a broken connection");
        let entry = &setup.workspace.requests()[0];
        assert_eq!((entry.answered, entry.handled, entry.done), (None, (committed == 1).then_some(200), true));
        assert_eq!(setup.workspace.counts().by_status[&0], 2);
    }
}

#[tokio::test]
async fn an_ordered_answer_replaces_the_operation() {
    let setup = Setup::new().await;
    let too_many = |value: &str| FaultKind::TooMany { retry_after: Some(value.to_owned()) };
    for (kind, status, content_type, header) in [
        (FaultKind::internal_error(), 500, "application/json", None),
        (FaultKind::html(503), 503, "text/html", None),
        (FaultKind::not_found_text(), 404, "text/plain", None),
        (FaultKind::TooMany { retry_after: None }, 429, "application/json", Some(("retry-after", ""))),
        (too_many("-5 soon"), 429, "application/json", Some(("retry-after", "-5 soon"))),
        (
            FaultKind::Redirect { location: "http://elsewhere/".into() },
            307,
            "",
            Some(("location", "http://elsewhere/")),
        ),
        (FaultKind::Html200, 200, "text/html", None),
    ] {
        setup.workspace.order(Fault::new(kind.clone()).once());
        let answer = setup.create("a").await.unwrap();
        assert_eq!((answer.status, answer.content_type()), (status, content_type), "{kind:?}");
        if let Some((name, value)) = header {
            assert_eq!(answer.header(name), value);
        }
        assert_eq!(setup.stored(), 0, "{kind:?}");
    }
    assert_eq!(setup.create("a").await.unwrap().status, 200, "each was ordered once");
}

#[tokio::test]
async fn a_spoiled_answer_comes_after_the_commit() {
    for kind in [FaultKind::Garbage, FaultKind::Empty200, FaultKind::Truncated] {
        let setup = Setup::with(kind.clone()).await;
        let answer = setup.create("a").await.unwrap();
        assert_eq!((answer.status, answer.content_type(), answer.json()), (200, "application/json", Value::Null));
        assert_eq!(answer.body.is_err(), kind == FaultKind::Truncated);
        assert_eq!(setup.stored(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_truncated_answer_is_half_of_it() {
    let setup = Setup::with(FaultKind::Truncated).await;
    let text = String::from_utf8(rest(setup.raw_create("a").await).await).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let length: usize =
        head.to_lowercase().split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    assert_eq!(body.len(), length / 2);
}

#[tokio::test]
async fn an_error_may_be_answered_for_something_that_was_committed() {
    let setup = Setup::new().await;
    setup.workspace.order(Fault::new(FaultKind::internal_error()).handled(true).once());
    assert_eq!(setup.create("a").await.unwrap().status, 500);
    assert_eq!(setup.create("a").await.unwrap().status, 409);
    let entry = &setup.workspace.requests()[0];
    assert_eq!((entry.handled, entry.answered, entry.fault.as_deref()), (Some(200), Some(500), Some("status")));
}

#[tokio::test]
async fn a_slow_body_is_whole_in_the_end() {
    let setup = Setup::new().await;
    let text = setup.create("a").await.unwrap().body.unwrap();
    let rate = 500;
    setup.workspace.order(Fault::new(FaultKind::SlowBody { bytes_per_second: rate }));
    let started = Instant::now();
    let answer = setup.create("b").await.unwrap();
    assert_eq!(answer.body.unwrap().len(), text.len());
    let due = Duration::from_millis(1000 * text.len() as u64 / rate);
    assert!(started.elapsed() >= due, "{:?} of {due:?}", started.elapsed());
}

#[tokio::test]
async fn a_delayed_operation_commits_although_the_client_has_gone() {
    let setup = Setup::with(FaultKind::Delay { ms: 300 }).await;
    let started = Instant::now();
    let stream = setup.raw_create("a").await;
    setup.until(|workspace| workspace.counts().total == 1).await;
    drop(stream);
    setup.until(|workspace| workspace.live("a").is_some()).await;
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_delayed_answer_takes_its_time() {
    let setup = Setup::with(FaultKind::DelayAnswer { ms: 200 }).await;
    let started = Instant::now();
    let answer = setup.create("a").await;
    assert_eq!(answer.unwrap().status, 200);
    assert!(started.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn a_held_update_commits_after_a_newer_one() {
    let setup = Setup::new().await;
    setup.create("a").await.unwrap();
    let fault = setup.workspace.order(Fault::new(FaultKind::Hold).on(Update).once());
    let update =
        |generation: u8| setup.ask("updateIdentity", json!({"identity": "a", "meta": {"generation": generation}}));
    let (late, ()) = tokio::join!(update(1), async {
        setup.until(|workspace| workspace.counts().of(Update) == 1).await;
        assert_eq!(update(2).await.unwrap().status, 200);
        assert_eq!(setup.workspace.live("a").unwrap().meta, json!({"generation": 2}));
        assert!(setup.workspace.release(fault));
    });
    assert_eq!(late.unwrap().status, 200);
    assert_eq!(setup.workspace.live("a").unwrap().meta, json!({"generation": 1}));
}

#[tokio::test]
async fn a_create_whose_client_gave_up_commits_after_the_identity_was_deleted() {
    let setup = Setup::new().await;
    let fault = setup.workspace.order(Fault::new(FaultKind::Hold).on(Create).once());
    let stream = setup.raw_create("a").await;
    setup.until(|workspace| workspace.counts().of(Create) == 1).await;
    drop(stream);
    assert_eq!(setup.create("a").await.unwrap().status, 200);
    assert_eq!(setup.ask("deleteIdentity", json!({"identity": "a"})).await.unwrap().status, 200);
    assert_eq!(setup.stored(), 0);
    setup.workspace.release(fault);
    setup.until(|workspace| workspace.live("a").is_some()).await;
}

#[tokio::test]
async fn a_held_answer_is_let_go_when_its_fault_is_cleared() {
    let setup = Setup::new().await;
    let fault = setup.workspace.order(Fault::new(FaultKind::HoldAnswer));
    let (answer, ()) = tokio::join!(setup.create("a"), async {
        setup.until(|workspace| workspace.live("a").is_some()).await;
        assert!(!setup.workspace.requests()[0].done, "committed, not answered");
        assert!(setup.workspace.clear_fault(fault));
    });
    assert_eq!(answer.unwrap().status, 200);
}

#[tokio::test]
async fn a_fault_meets_only_what_it_was_ordered_for() {
    let setup = Setup::new().await;
    let id = setup.workspace.seed(Seed { external_id: "a".into(), ..Seed::default() }).unwrap();
    setup.workspace.seed(Seed { external_id: "b".into(), ..Seed::default() }).unwrap();
    setup.workspace.order(Fault::new(FaultKind::html(502)).on(Get).of("a").after(1).times(2));
    let other = setup.emulator.workspace("other");
    other.add_root_key("other", Permissions::ALL);
    other.seed(Seed { external_id: "a".into(), ..Seed::default() }).unwrap();
    let status = async |key: &str, operation: &str, name: &str| {
        let body = json!({"identity": name});
        setup.client.post(&setup.url(operation), key, &body).await.unwrap().status
    };
    assert_eq!(status("key", "getIdentity", "a").await, 200, "the first is let through");
    assert_eq!(status("key", "getIdentity", "b").await, 200);
    assert_eq!(status("other", "getIdentity", "a").await, 200);
    assert_eq!(status("key", "updateIdentity", "a").await, 200);
    assert_eq!(status("key", "getIdentity", &id).await, 502, "by its id it is the same identity");
    assert_eq!(status("key", "getIdentity", "a").await, 502);
    assert_eq!(status("key", "getIdentity", "a").await, 200, "twice is enough");
    let ordered = &setup.workspace.faults()[0];
    assert_eq!((ordered.hits, ordered.fault.times), (2, Some(0)));
    assert_eq!(setup.workspace.counts().on(Get, "a"), 4);
}

#[tokio::test]
async fn a_fault_of_an_id_meets_the_live_identity_and_not_its_dead_predecessor() {
    let setup = Setup::new().await;
    let seed = || setup.workspace.seed(Seed { external_id: "a".into(), ..Seed::default() }).unwrap();
    let dead = seed();
    setup.workspace.delete("a");
    let live = seed();
    let status = async || setup.ask("getIdentity", json!({"identity": "a"})).await.unwrap().status;
    setup.workspace.order(Fault::new(FaultKind::html(502)).of(&dead));
    assert_eq!(status().await, 200);
    setup.workspace.order(Fault::new(FaultKind::html(503)).of(&live));
    assert_eq!(status().await, 503);
}

#[tokio::test]
async fn with_latency_parallel_updates_read_before_they_commit() {
    let setup = Setup::new().await;
    setup.create("a").await.unwrap();
    // Long enough for all five to come in before the first commits, even on a busy machine.
    setup.workspace.set_latency(Duration::from_millis(1500));
    let update = |number: usize| {
        let limit = json!({"name": format!("limit{number}"), "limit": 1, "duration": 1000, "autoApply": true});
        setup.ask("updateIdentity", json!({"identity": "a", "ratelimits": [limit]}))
    };
    for answer in futures::future::join_all((0..5).map(update)).await {
        assert_eq!(answer.unwrap().status, 200);
    }
    assert_eq!(setup.workspace.live("a").unwrap().ratelimits.len(), 5);
}

#[tokio::test]
async fn of_concurrent_creates_exactly_one_succeeds() {
    let setup = Setup::new().await;
    let answers = futures::future::join_all((0..20).map(|_| setup.create("a"))).await;
    let mut statuses: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[200][..], &[409; 19]].concat());
}

#[tokio::test]
async fn a_dropped_emulator_closes_its_connections_and_its_port() {
    let setup = Setup::with(FaultKind::Hold).await;
    let stream = setup.raw_create("a").await;
    setup.until(|workspace| workspace.counts().total == 1).await;
    let address = setup.emulator.address();
    drop(setup.emulator);
    assert_eq!(rest(stream).await, b"");
    assert!(TcpStream::connect(address).await.is_err());
}
