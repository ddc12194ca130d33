//! What comes of what two watches show.

use parking_lot::Mutex;

use kube::runtime::reflector;
use serde_json::json;
use watcher::Event;

use super::*;
use crate::controller::identity::raw::RawIdentity;
use crate::controller::identity::raw::tests::snapshot;

fn object(namespace: &str, name: &str) -> RawIdentity {
    snapshot(&json!({"metadata": {"namespace": namespace, "name": name, "uid": format!("{namespace}/{name}")}}))
}

fn word(change: &Change<RawIdentity>) -> String {
    match change {
        Change::Init => "Init".to_owned(),
        Change::Listed(object) => format!("Listed({})", object.name()),
        Change::InitDone => "InitDone".to_owned(),
        Change::Applied(object) => format!("Applied({})", object.name()),
        Change::Relisted(object) => format!("Relisted({})", object.name()),
        Change::RelistDone => "RelistDone".to_owned(),
        Change::Deleted(object) => format!("Deleted({})", object.name()),
    }
}

/// An event of a watch, or that they have had their time.
type Shown = Option<(usize, Event<RawIdentity>)>;

#[allow(clippy::unnecessary_wraps)] // as one shows among others
fn event(watch: usize, event: Event<RawIdentity>) -> Shown {
    Some((watch, event))
}

/// What came out, what the store holds in the end, and which watches were known with how many objects in the store, and whether late.
struct Out {
    changes: Vec<String>,
    held: Vec<String>,
    known: Vec<(usize, usize, bool)>,
}

/// Feeds what watches 0 and 1 show through a merge and reflects what comes out, as the controller does.
fn fed(shown: Vec<Shown>) -> Out {
    let (store, mut writer) = reflector::store::<RawIdentity>();
    let namespaces = ["a", "b"].map(|namespace| Some(namespace.to_owned()));
    let told: Arc<Mutex<Vec<(usize, usize, bool)>>> = Arc::default();
    let (tells, seen) = (Arc::clone(&told), store.clone());
    let known: Known = Arc::new(move |watch, late| tells.lock().push((watch, seen.state().len(), late)));
    let mut merge = Merge::new(namespaces.into_iter(), store.clone(), known);
    writer.apply_watcher_event(&Event::Init);
    let mut out = Vec::new();
    for shown in shown {
        let changes = match shown {
            Some((watch, event)) => merge.take(watch, event),
            None => merge.late(),
        };
        for change in changes {
            out.push(word(&change));
            if let Some(event) = change.into_event() {
                writer.apply_watcher_event(&event);
            }
        }
    }
    let mut held: Vec<String> = store.state().iter().map(|object| object.name().to_owned()).collect();
    held.sort_unstable();
    let known = told.lock().clone();
    Out { changes: out, held, known }
}

fn listed(watch: usize, objects: Vec<RawIdentity>) -> Vec<Shown> {
    let objects = objects.into_iter().map(Event::InitApply);
    [Event::Init].into_iter().chain(objects).chain([Event::InitDone]).map(|it| event(watch, it)).collect()
}

fn one_after_the_other(parts: Vec<Vec<Shown>>) -> Vec<Shown> {
    parts.into_iter().flatten().collect()
}

#[test]
fn the_store_is_ready_when_all_namespaces_have_listed() {
    let first = || {
        let mut first = listed(0, vec![object("a", "one")]);
        first.push(event(0, Event::Apply(object("a", "two"))));
        first.extend([event(1, Event::Init), event(1, Event::InitApply(object("b", "three")))]);
        first
    };
    let Out { changes: out, held, known } = fed(first());
    assert!(out.is_empty() && held.is_empty() && known.is_empty(), "{out:?} {held:?}");
    let Out { changes: out, held, known } = fed(one_after_the_other(vec![first(), vec![event(1, Event::InitDone)]]));
    assert_eq!(out.last().unwrap(), "InitDone");
    assert_eq!(held, ["one", "three", "two"]);
    assert_eq!(known, [(0, 3, false), (1, 3, false)]);
}

#[test]
fn who_has_not_listed_in_time_is_not_waited_for_and_joins_later_as_a_whole() {
    let begins = || {
        let first = listed(0, vec![object("a", "one")]);
        let half = vec![event(1, Event::Init), event(1, Event::InitApply(object("b", "two")))];
        one_after_the_other(vec![first, half, vec![None]])
    };
    let Out { changes: out, known, .. } = fed(begins());
    assert_eq!(out, ["Listed(one)", "InitDone"]);
    assert_eq!(known, [(0, 1, false)]);
    let more = vec![event(0, Event::Apply(object("a", "three"))), event(1, Event::InitApply(object("b", "four")))];
    let Out { changes: out, known, .. } =
        fed(one_after_the_other(vec![begins(), more, vec![event(1, Event::InitDone)]]));
    assert_eq!(out[..3], ["Listed(one)", "InitDone", "Applied(three)"]);
    assert_eq!(known, [(0, 1, false), (1, 4, true)], "known when the last of its objects is in the store: {out:?}");
    let Out { changes: out, held, .. } = fed(one_after_the_other(vec![begins(), listed(1, vec![object("b", "new")])]));
    assert_eq!((out.last().unwrap().as_str(), held), ("Applied(new)", vec!["new".to_owned(), "one".to_owned()]));
}

#[test]
fn without_any_listing_the_store_waits_for_the_first_one() {
    let Out { changes: out, .. } = fed(one_after_the_other(vec![vec![None], listed(1, vec![object("b", "one")])]));
    assert_eq!(out, ["Listed(one)", "InitDone"]);
}

#[test]
fn what_goes_before_all_have_listed_never_comes() {
    let mut before = listed(0, ["deleted", "missing", "stays"].map(|name| object("a", name)).into());
    before.push(event(0, Event::Delete(object("a", "deleted"))));
    let Out { changes: out, held, .. } =
        fed(one_after_the_other(vec![before, listed(0, vec![object("a", "stays")]), listed(1, Vec::new())]));
    assert_eq!(out, ["Listed(stays)", "InitDone"]);
    assert_eq!(held, ["stays"]);
}

#[test]
fn a_namespace_that_lists_again_is_waited_for() {
    let first = listed(0, vec![object("a", "one")]);
    let again = vec![event(1, Event::Init), event(0, Event::Init), event(1, Event::InitDone)];
    let Out { changes: out, held, .. } = fed(one_after_the_other(vec![first, again]));
    assert!(out.is_empty() && held.is_empty(), "{out:?} {held:?}");
}

#[test]
fn what_a_second_listing_no_longer_shows_is_deleted() {
    let first = listed(0, vec![object("a", "stays"), object("a", "goes")]);
    let other = listed(1, vec![object("b", "other")]);
    let Out { changes: out, held, .. } =
        fed(one_after_the_other(vec![first, other, listed(0, vec![object("a", "stays")])]));
    assert_eq!(out[out.len() - 3..], ["Relisted(stays)", "Deleted(goes)", "RelistDone"]);
    assert_eq!(held, ["other", "stays"], "another namespace's objects are not touched by a listing of this one");
}
