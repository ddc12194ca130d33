//! The proxy in front of a real API server, as a client sees it: nothing changes without an order, and every order does what it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // A test says what is wrong by failing.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cutting_proxy::{Ending, Fault, FaultKind, Proxy};
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

struct Setup {
    proxy: Proxy,
    /// Through the proxy.
    maps: Api<ConfigMap>,
    /// Around it.
    truth: Api<ConfigMap>,
}

impl Setup {
    async fn new() -> Self {
        let plane = controlplane::shared().await.unwrap();
        let namespace = plane.namespace("proxy").await.unwrap();
        let proxy = Proxy::start(&plane.kubeconfig()).await.unwrap();
        let kubeconfig = Kubeconfig::read_from(proxy.kubeconfig()).unwrap();
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        config.default_retry = false;
        let maps = Api::namespaced(Client::try_from(config).unwrap(), &namespace);
        let truth = Api::namespaced(plane.client().await.unwrap(), &namespace);
        Self { proxy, maps, truth }
    }

    /// By a client of its own, so by a new connection.
    async fn create_anew(&self, name: &str) {
        let kubeconfig = Kubeconfig::read_from(self.proxy.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        let maps = Api::namespaced(Client::try_from(config).unwrap(), self.maps.namespace().unwrap());
        let meta = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let map = ConfigMap { metadata: meta, ..ConfigMap::default() };
        timeout(PATIENCE, maps.create(&PostParams::default(), &map)).await.unwrap().unwrap();
    }

    async fn create(&self, name: &str) -> kube::Result<ConfigMap> {
        let meta = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
        let map = ConfigMap { metadata: meta, ..ConfigMap::default() };
        timeout(PATIENCE, self.maps.create(&PostParams::default(), &map)).await.unwrap()
    }

    async fn is_there(&self, name: &str) -> bool {
        self.truth.get_opt(name).await.unwrap().is_some()
    }

    async fn watch(&self) -> BoxStream<'static, kube::Result<WatchEvent<ConfigMap>>> {
        // The certificate's map, made in every namespace, would be an event that no test asked for.
        let params = WatchParams::default().fields("metadata.name!=kube-root-ca.crt").disable_bookmarks();
        self.maps.watch(&params, "0").await.unwrap().boxed()
    }

    async fn until(&self, holds: impl FnMut(&Proxy) -> bool) {
        timeout(PATIENCE, self.proxy.wait_until(holds)).await.expect("in time");
    }
}

async fn next(watch: &mut BoxStream<'static, kube::Result<WatchEvent<ConfigMap>>>) -> String {
    match timeout(PATIENCE, watch.next()).await.expect("in time") {
        None => "end".to_owned(),
        Some(Err(error)) => format!("broken: {error}"),
        Some(Ok(WatchEvent::Added(map))) => format!("added {}", map.metadata.name.unwrap()),
        Some(Ok(WatchEvent::Error(status))) => format!("error {}", status.code),
        Some(Ok(other)) => format!("{other:?}"),
    }
}

fn code(result: kube::Result<ConfigMap>) -> u16 {
    match result.unwrap_err() {
        kube::Error::Api(status) => status.code,
        other => panic!("{other}"),
    }
}

/// Only a broken connection is no answer.
fn is_cut(result: kube::Result<ConfigMap>) -> bool {
    !matches!(result.unwrap_err(), kube::Error::Api(_))
}

#[tokio::test]
async fn without_orders_it_is_not_there() {
    let setup = Setup::new().await;
    setup.create("a").await.unwrap();
    assert_eq!(code(setup.create("a").await), 409);
    let patch = Patch::Merge(json!({"data": {"k": "v"}}));
    let patched = setup.maps.patch("a", &PatchParams::default(), &patch).await.unwrap();
    assert_eq!(patched.data, Some(BTreeMap::from([("k".to_owned(), "v".to_owned())])));
    assert_eq!(setup.maps.list(&ListParams::default()).await.unwrap().items.len(), 1);
    let book: Vec<(String, Option<u16>, bool)> =
        setup.proxy.since(0).into_iter().map(|it| (it.asked.to_string(), it.answered, it.is_committed())).collect();
    let wanted = [
        ("create configmaps", 201, true),
        ("create configmaps", 409, false),
        ("patch configmaps of a", 200, true),
        ("list configmaps", 200, false),
    ];
    assert_eq!(book, wanted.map(|(what, status, is)| (what.to_owned(), Some(status), is)));
    assert_eq!(setup.proxy.requests()[2].body, br#"{"data":{"k":"v"}}"#);
    assert_eq!(setup.proxy.requests().iter().map(|it| it.number).collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[tokio::test]
async fn cut_before_and_after_the_commit() {
    let setup = Setup::new().await;
    setup.proxy.order(Fault::new(FaultKind::DropBefore).verb("create").once());
    let after = setup.proxy.order(Fault::new(FaultKind::DropAfter).verb("create").once());
    assert!(is_cut(setup.create("before").await));
    assert!(!setup.is_there("before").await);
    assert!(is_cut(setup.create("after").await));
    assert!(setup.is_there("after").await);
    setup.create("whole").await.unwrap();
    let book: Vec<_> = setup.proxy.since(0).into_iter().map(|it| (it.handled, it.answered, it.done)).collect();
    assert_eq!(book, [(None, None, true), (Some(201), None, true), (Some(201), Some(201), true)]);
    assert_eq!((setup.proxy.hits(after), setup.proxy.requests()[1].fault), (1, Some(after)));
}

#[tokio::test]
async fn answers_to_order() {
    let setup = Setup::new().await;
    for (number, (kind, status)) in [
        (FaultKind::forbidden(), 403),
        (FaultKind::gone(), 410),
        (FaultKind::too_many(Some("7")), 429),
        (FaultKind::internal_error(), 500),
        (FaultKind::unavailable(), 503),
    ]
    .into_iter()
    .enumerate()
    {
        setup.proxy.order(Fault::new(kind).on("configmaps").after(1).once());
        setup.create(&format!("first-{number}")).await.unwrap();
        let name = format!("second-{number}");
        let kube::Error::Api(said) = setup.create(&name).await.unwrap_err() else { panic!("no status") };
        assert_eq!(said.code, status);
        assert!(!setup.is_there(&name).await);
        assert_eq!(setup.proxy.since(0).pop().unwrap().handled, None);
        setup.proxy.clear_faults();
    }
}

#[tokio::test]
async fn only_what_is_meant_is_struck() {
    let setup = Setup::new().await;
    setup.proxy.order(Fault::new(FaultKind::forbidden()).verb("patch").verb("get").of("a").subresource(""));
    setup.proxy.order(Fault::new(FaultKind::forbidden()).on("secrets"));
    setup.create("a").await.unwrap();
    setup.create("b").await.unwrap();
    assert_eq!(code(setup.maps.get("a").await), 403);
    setup.maps.get("b").await.unwrap();
    let patch = Patch::Merge(json!({"data": {"k": "v"}}));
    assert_eq!(code(setup.maps.patch("a", &PatchParams::default(), &patch).await), 403);
    setup.proxy.clear_faults();
    setup.proxy.order(Fault::new(FaultKind::gone()).verb("watch").once());
    setup.maps.get("a").await.unwrap();
    let refused = setup.maps.watch(&WatchParams::default(), "0").await.map(|_| ());
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 410));
    assert_eq!(next(&mut setup.watch().await).await, "added a");
}

#[tokio::test]
async fn held_before_and_after_the_commit() {
    let setup = Arc::new(Setup::new().await);
    for (kind, committed) in [(FaultKind::Hold, false), (FaultKind::HoldAnswer, true)] {
        let name = format!("held-{committed}");
        let order = setup.proxy.order(Fault::new(kind.clone()).verb("create").once());
        let asked = tokio::spawn({
            let (setup, name) = (Arc::clone(&setup), name.clone());
            async move { setup.create(&name).await }
        });
        setup.until(|proxy| proxy.hits(order) == 1).await;
        setup
            .until(|proxy| proxy.since(0).last().is_some_and(|it| it.handled.is_some() == committed && !it.done))
            .await;
        assert_eq!(setup.is_there(&name).await, committed);
        assert!(!asked.is_finished());
        assert!(setup.proxy.release(order));
        asked.await.unwrap().unwrap();
        assert!(setup.is_there(&name).await);
        // It is carried out although the client has gone away.
        let name = format!("left-{committed}");
        let order = setup.proxy.order(Fault::new(kind).verb("create").once());
        let asked = tokio::spawn({
            let (setup, name) = (Arc::clone(&setup), name.clone());
            async move { setup.create(&name).await }
        });
        setup.until(|proxy| proxy.hits(order) == 1).await;
        asked.abort();
        setup.proxy.clear_fault(order);
        setup.until(|proxy| proxy.since(0).last().is_some_and(|it| it.handled == Some(201))).await;
        assert!(setup.is_there(&name).await);
    }
}

#[tokio::test]
async fn watches_are_streamed_and_ended() {
    let setup = Setup::new().await;
    // kube's client takes a broken connection for an end; the next test does not.
    for (number, (ending, says)) in
        [(Ending::Clean, "end"), (Ending::Cut, "end"), (Ending::Expired, "error 410")].into_iter().enumerate()
    {
        let name = format!("m-{number}");
        let mut watch = setup.watch().await;
        setup.create(&name).await.unwrap();
        while next(&mut watch).await != format!("added {name}") {}
        assert_eq!(setup.proxy.open_watches(), 1);
        setup.proxy.end_watches(ending);
        assert_eq!(next(&mut watch).await, says, "{ending:?}");
        setup.until(|proxy| proxy.open_watches() == 0).await;
    }
    // One that begins later is spared, and one that the client leaves ends.
    let mut watch = setup.watch().await;
    assert_eq!(next(&mut watch).await, "added m-0");
    drop(watch);
    setup.until(|proxy| proxy.open_watches() == 0).await;
    assert!(setup.proxy.requests().iter().filter(|it| it.asked.is_watch()).all(|it| it.events > 0));
}

#[tokio::test]
async fn a_cut_watch_is_a_broken_connection() {
    let setup = Setup::new().await;
    for (ending, is_whole) in [(Ending::Clean, true), (Ending::Cut, false)] {
        let watch = kube::core::Request::new("/api/v1/configmaps").watch(&WatchParams::default(), "0").unwrap();
        let client = setup.maps.clone().into_client();
        let answer = client.send(watch.map(kube::client::Body::from)).await.unwrap();
        setup.until(|proxy| proxy.open_watches() == 1).await;
        setup.proxy.end_watches(ending);
        let read = timeout(PATIENCE, answer.into_body().collect_bytes()).await.expect("in time");
        assert_eq!(read.is_ok(), is_whole, "{ending:?}");
        setup.until(|proxy| proxy.open_watches() == 0).await;
    }
}

#[tokio::test]
async fn events_are_held_and_let_go_in_order() {
    let setup = Setup::new().await;
    let mut watch = setup.watch().await;
    setup.create("a").await.unwrap();
    assert_eq!(next(&mut watch).await, "added a");
    setup.proxy.hold_events(true);
    setup.create("b").await.unwrap();
    setup.create("c").await.unwrap();
    setup.until(|proxy| proxy.held_events() == 2).await;
    assert!(futures::FutureExt::now_or_never(watch.try_next()).is_none(), "nothing is passed on");
    setup.proxy.hold_events(false);
    assert_eq!(next(&mut watch).await, "added b");
    assert_eq!(next(&mut watch).await, "added c");
    assert_eq!(setup.proxy.held_events(), 0);
    // What is held back dies with its watch.
    setup.proxy.hold_events(true);
    setup.create("d").await.unwrap();
    setup.until(|proxy| proxy.held_events() == 1).await;
    setup.proxy.end_watches(Ending::Cut);
    assert_eq!(next(&mut watch).await, "end");
    setup.until(|proxy| proxy.held_events() == 0).await;
}

#[tokio::test]
async fn answers_are_shown_before_they_are_lost() {
    let setup = Setup::new().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    setup.proxy.on_answer({
        let seen = Arc::clone(&seen);
        move |entry, body| {
            let object: serde_json::Value = serde_json::from_slice(body).unwrap();
            seen.lock().unwrap().push(format!("{}: {}", entry.asked, object["metadata"]["name"]));
        }
    });
    setup.proxy.order(Fault::new(FaultKind::DropAfter).once());
    assert!(is_cut(setup.create("lost").await));
    assert_eq!(*seen.lock().unwrap(), [r#"create configmaps: "lost""#]);
}

/// A connection that speaks bytes.
struct Raw(TcpStream);

impl Raw {
    async fn new(setup: &Setup) -> Self {
        Self(TcpStream::connect(setup.proxy.address()).await.unwrap())
    }

    async fn ask(&mut self) {
        self.0.write_all(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    }

    async fn is_answered(&mut self) -> bool {
        let mut answer = [0; 4096];
        timeout(PATIENCE, self.0.read(&mut answer)).await.expect("in time").unwrap() > 0
    }

    /// Neither data nor an end nor a reset has come.
    fn is_silent(&self) -> bool {
        matches!(self.0.try_read(&mut [0; 64]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

#[tokio::test]
async fn what_is_silent_neither_hears_nor_says_anything_and_does_not_end() {
    let setup = Arc::new(Setup::new().await);
    let mut watch = setup.watch().await;
    setup.create("a").await.unwrap();
    assert_eq!(next(&mut watch).await, "added a");
    let mut raw = Raw::new(&setup).await;
    raw.ask().await;
    assert!(raw.is_answered().await);
    assert_eq!(setup.proxy.silent_connections(), 0);

    // The watch's, the one of the create, and the raw one.
    assert_eq!((setup.proxy.silence(), setup.proxy.silent_connections()), (3, 3));
    raw.ask().await;
    let unheard = tokio::spawn({
        let setup = Arc::clone(&setup);
        async move { setup.create("unheard").await }
    });
    setup.create_anew("heard").await;
    let mark = setup.proxy.last();
    setup.create_anew("heard-too").await;
    assert!(raw.is_silent() && !unheard.is_finished() && !setup.is_there("unheard").await);
    assert!(futures::FutureExt::now_or_never(watch.try_next()).is_none(), "nothing is passed on");
    assert_eq!(setup.proxy.since(mark).len(), 1, "what is not heard is no request");
    unheard.abort();
    drop(watch);
    setup.create_anew("heard-after-the-client-has-given-up").await;
    assert!(raw.is_silent());
}

#[tokio::test]
async fn what_is_swallowed_stays_so_when_new_connections_work_again() {
    let setup = Setup::new().await;
    let mut before = Raw::new(&setup).await;
    before.ask().await;
    assert!(before.is_answered().await);
    setup.proxy.swallow(true);
    let mut during = Raw::new(&setup).await;
    during.ask().await;
    setup.until(|proxy| proxy.silent_connections() == 2).await;
    before.ask().await;
    assert!(before.is_silent() && during.is_silent());
    setup.proxy.swallow(false);
    setup.create_anew("after").await;
    assert!(before.is_silent() && during.is_silent());
    assert_eq!(setup.proxy.since(0).len(), 2, "the first question, and the create");
}

#[tokio::test]
async fn one_request_s_connection_falls_silent() {
    for (kind, committed) in [(FaultKind::SilentBefore, false), (FaultKind::SilentAfter, true)] {
        let setup = Arc::new(Setup::new().await);
        let order = setup.proxy.order(Fault::new(kind).verb("create").once());
        let asked = tokio::spawn({
            let setup = Arc::clone(&setup);
            async move { setup.create("a").await }
        });
        setup.until(|proxy| proxy.since(0).last().is_some_and(|it| it.fault == Some(order) && it.done)).await;
        setup.create_anew("b").await;
        assert_eq!((setup.is_there("a").await, setup.proxy.silent_connections()), (committed, 1));
        assert!(!asked.is_finished());
        assert_eq!(setup.proxy.since(0)[0].is_committed(), committed);
    }
    // A watch begins, and then nothing comes.
    let setup = Setup::new().await;
    setup.proxy.order(Fault::new(FaultKind::SilentAfter).verb("watch").once());
    setup.create("a").await.unwrap();
    let silent = timeout(Duration::from_millis(100), setup.maps.watch(&WatchParams::default(), "0")).await;
    assert!(silent.is_err(), "not even that it has begun");
    assert_eq!(next(&mut setup.watch().await).await, "added a");
}
