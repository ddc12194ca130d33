//! What a listing says of the time before it: whether it goes on, or went back to a backup.

use std::time::Duration;

use kube::runtime::controller::Action;
use parking_lot::Mutex;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::History::{GoesOn, WentBack};
use super::*;
use crate::controller::identity::raw::RawIdentity;
use crate::controller::identity::raw::tests::snapshot;
use crate::controller::runtime::Runtime;
use crate::controller::runtime::api_server::KubeError;
use crate::controller::runtime::dispatcher::Dispatcher;
use crate::controller::runtime::scope::Scope;
use crate::leader::Leadership;
use crate::telemetry::Metrics;
use crate::unkey::Bounds;

/// Notes what it is shown.
struct Notes {
    runtime: Arc<Runtime<RawIdentity>>,
    shown: Mutex<Vec<(String, History)>>,
}

impl Reconciler for Notes {
    type Kind = RawIdentity;
    type Error = KubeError;

    fn runtime(&self) -> &Arc<Runtime<RawIdentity>> {
        &self.runtime
    }

    fn shown(&self, object: &mut RawIdentity, _: Option<&Arc<RawIdentity>>, history: History) -> bool {
        self.shown.lock().push((object.name().to_owned(), history));
        true
    }

    fn ended(self: &Arc<Self>, _: &RawIdentity, _: &RawIdentity) {}

    fn span(&self, _: &RawIdentity) -> tracing::Span {
        tracing::Span::none()
    }

    async fn reconcile(self: Arc<Self>, _: Arc<RawIdentity>) -> Result<Action, KubeError> {
        Ok(Action::await_change())
    }

    fn failed(&self, _: &RawIdentity) -> Duration {
        Duration::ZERO
    }
}

fn object(name: &str, version: u64) -> RawIdentity {
    snapshot(
        &json!({"metadata": {"namespace": "n", "name": name, "uid": name, "resourceVersion": version.to_string()}}),
    )
}

/// Each line is one listing, of names and versions; what the last one shows.
fn listed(notes: &Arc<Notes>, listings: &[&[(&str, u64)]]) -> Vec<(String, History)> {
    let (mut handler, _store) = EventHandler::new(notes);
    handler.take(Change::Init);
    handler.take(Change::Listed(object("a", 100)));
    handler.take(Change::InitDone);
    for listing in listings {
        notes.shown.lock().clear();
        for (name, version) in *listing {
            handler.take(Change::Relisted(object(name, *version)));
        }
        handler.take(Change::RelistDone);
    }
    std::mem::take(&mut notes.shown.lock())
}

#[tokio::test]
async fn only_what_is_older_than_what_was_there_went_back() {
    let client = kube::Client::try_from(kube::Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap();
    let metrics = Metrics::default();
    let dispatcher = Dispatcher::new(Bounds::default(), 1, CancellationToken::new(), metrics.clone());
    let (runtime, _woken) = Runtime::new(client, &Scope::default(), Leadership::unrivalled(), dispatcher, metrics);
    let notes = Arc::new(Notes { runtime, shown: Mutex::default() });
    let expect = |listings: &[&[(&str, u64)]], expected: &[(&str, History)]| {
        let expected: Vec<_> = expected.iter().map(|(name, history)| ((*name).to_owned(), *history)).collect();
        assert_eq!(listed(&notes, listings), expected, "{listings:?}");
    };
    expect(&[&[("a", 180), ("b", 150)]], &[("a", GoesOn), ("b", GoesOn)]);
    expect(&[&[("b", 150), ("a", 100)]], &[("b", GoesOn), ("a", GoesOn)]);
    expect(&[&[("a", 90)]], &[("a", WentBack)]);
    expect(&[&[("a", 100), ("old", 60)]], &[("a", GoesOn), ("old", WentBack)]);
    expect(&[&[("a", 180)], &[("a", 180), ("old", 150)]], &[("a", GoesOn), ("old", WentBack)]);
    // After time went back, what is listed then is the newest.
    expect(&[&[("a", 50)], &[("a", 50), ("b", 60)]], &[("a", GoesOn), ("b", GoesOn)]);
}
