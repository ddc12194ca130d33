//! churn: so many edits a second, evenly, over all objects, while one call in a hundred fails: half with Unkey's own 500, half with a
//! connection that is cut, before Unkey carries out the call or after it. At the end Unkey holds what the specs say.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use unkey_emulator::{Fault, FaultKind, IdentityView, Operation};
use unkey_operator::api::{GROUP, KIND, PLURAL, VERSION};

use crate::bench::Bench;
use crate::load::{self, Accepted, Act};
use crate::object;
use crate::operator::Pace;
use crate::play::{Play, millis, patience};
use crate::report::Goal::{AtMost, Exactly, Stated};
use crate::report::{count, number, percentile};
use crate::stage::Scene;
use crate::watch::{Wanted, Watch};

/// The operator's defaults: a request timeout, a consistency window; and what may come on top.
const SETTLED: Duration = Duration::from_secs(30 + 30 + 5);
/// More edits than one row makes: each row has revisions of `spec.meta` of its own, since the same again would be no edit.
const REVISIONS: usize = 1_000_000;
/// One edit in so many meets a fault.
const FAULTY: usize = 100;

/// One edit, and whether a cut connection was ordered for it.
struct Edit {
    accepted: Accepted,
    cut: bool,
}

/// `per_second` edits of `n` objects that are Ready. Leaves them in place.
pub async fn churn(bench: &Bench, play: Play, n: usize, pace: Pace, per_second: u32, lasting: Duration) -> Play {
    let name = format!("churn {per_second}/s{pace}");
    println!("  {name} of {n} for {} s", lasting.as_secs());
    let mut play = play.restart(pace, &["--scan-interval", "0"]).await;
    let mut watch = Watch::start(play.scene.objects()).await;
    // What an earlier operator may still have on its way holds back the first Ready (R4). That is the price of a start, not of churn.
    let revision = REVISIONS * usize::try_from(per_second).unwrap_or(1);
    let first = load::act(&play.scene, Act::Edit(revision), 0).await;
    let ready = watch.until_one(&first.name, Wanted::Ready(first.generation), SETTLED * 3).await;
    let held_back = ready.saturating_duration_since(first.at).as_secs_f64();
    let (before, cpu) = (play.cost().await, play.operator().usage().cpu);
    let scene = Arc::clone(&play.scene);
    let load =
        load::paced(per_second, lasting, move |number| edit(Arc::clone(&scene), number, n, revision + 1 + number));
    // In a set, which ends with this play.
    let mut loads = JoinSet::new();
    loads.spawn(load);
    let mut seen = Seen::default();
    let edits = loop {
        tokio::select! {
            change = watch.any() => seen.note(&change.name, change.ready_for, change.at),
            Some(edits) = loads.join_next() => break edits.expect("the load"),
        }
    };
    let deadline = Instant::now() + SETTLED * 3 + patience(0);
    let mut waiting: HashSet<String> =
        edits.iter().filter(|edit| seen.wait(edit).is_none()).map(|edit| edit.accepted.name.clone()).collect();
    while !waiting.is_empty() {
        let change = watch.next(|| format!("{} edited objects to be Ready", waiting.len()), deadline).await;
        seen.note(&change.name, change.ready_for, change.at);
        if waiting.contains(&change.name) {
            let mut of_it = edits.iter().filter(|edit| edit.accepted.name == change.name);
            if of_it.all(|edit| seen.wait(edit).is_some()) {
                waiting.remove(&change.name);
            }
        }
    }
    play.scene.workspace().mend().await;
    let (cost, cpu) = (play.cost().await - before, play.operator().usage().cpu.saturating_sub(cpu));
    let drift = drift(&play.scene).await;
    let (cut, whole) = waits(&edits, &seen);
    let add = |measure: &str, goal, value| bench.add(&name, n, measure, goal, value);
    add("change to Ready, p99, no reset hit (ms)", AtMost(1000.0), percentile(&whole, 0.99));
    add("change to Ready, p50, no reset hit (ms)", Stated, percentile(&whole, 0.5));
    add("change to Ready, worst, a reset hit (s)", AtMost(SETTLED.as_secs_f64()), percentile(&cut, 1.0) / 1000.0);
    add("objects that differ at the end", Exactly(0.0), count(drift.len()));
    add("first edit after the start to Ready (s)", Stated, held_back);
    add("edits", Stated, count(edits.len()));
    add("edits behind a reset", Stated, count(cut.len()));
    add("calls to Unkey per edit", Stated, number(cost.calls()) / count(edits.len()));
    add("Kubernetes writes per edit", Stated, number(cost.writes) / count(edits.len()));
    add("processor time per edit (ms)", Stated, millis(cpu) / count(edits.len()));
    assert!(drift.is_empty(), "Unkey does not hold what the specs say: {}", drift.join("; "));
    play
}

/// Orders the fault that is due, and edits. Each object's turn comes when all others had theirs.
async fn edit(scene: Arc<Scene>, number: usize, n: usize, revision: usize) -> Edit {
    let (target, due) = (number % n, number % FAULTY == FAULTY / 2);
    let kind = match (due, (number / FAULTY) % 4) {
        (false, _) => None,
        (true, 0 | 2) => Some(FaultKind::internal_error()),
        (true, 1) => Some(FaultKind::DropBefore),
        (true, _) => Some(FaultKind::DropAfter),
    };
    let cut = matches!(kind, Some(FaultKind::DropBefore | FaultKind::DropAfter));
    if let Some(kind) = kind {
        scene.workspace().order(&Fault::new(kind).on(Operation::Update).of(&object::name(target)).once()).await;
    }
    let accepted = load::act(&scene, Act::Edit(revision), target).await;
    Edit { accepted, cut }
}

/// When each object was first seen Ready for which generation.
#[derive(Default)]
struct Seen(HashMap<String, Vec<(i64, Instant)>>);

impl Seen {
    fn note(&mut self, name: &str, ready_for: i64, at: Instant) {
        let of_it = self.0.entry(name.to_owned()).or_default();
        if of_it.last().is_none_or(|(last, _)| *last < ready_for) {
            of_it.push((ready_for, at));
        }
    }

    /// How long an edit took, in milliseconds; `None`: it is not done.
    fn wait(&self, edit: &Edit) -> Option<f64> {
        let Accepted { name, generation, at, .. } = &edit.accepted;
        let (_, ready) = self.0.get(name)?.iter().find(|(ready_for, _)| ready_for >= generation)?;
        Some(millis(ready.saturating_duration_since(*at)))
    }
}

/// Of the edits that a cut connection can have held up, and of all others.
fn waits(edits: &[Edit], seen: &Seen) -> (Vec<f64>, Vec<f64>) {
    let mut cuts: HashMap<&str, Vec<Instant>> = HashMap::new();
    for edit in edits.iter().filter(|edit| edit.cut) {
        cuts.entry(&edit.accepted.name).or_default().push(edit.accepted.at);
    }
    let behind = |edit: &Edit| {
        let of_it = cuts.get(edit.accepted.name.as_str()).into_iter().flatten();
        of_it.copied().any(|cut| edit.accepted.at >= cut && edit.accepted.at < cut + SETTLED)
    };
    let (mut held, mut others) = (Vec::new(), Vec::new());
    for edit in edits {
        let list = if behind(edit) { &mut held } else { &mut others };
        list.extend(seen.wait(edit));
    }
    (held, others)
}

/// The objects whose identity is not what the spec says, in words; empty if all is well.
async fn drift(scene: &Scene) -> Vec<String> {
    let kind = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(GROUP, VERSION, KIND), PLURAL);
    let api: Api<DynamicObject> = Api::namespaced_with(scene.client().clone(), scene.namespace(), &kind);
    let all = api.list(&ListParams::default()).await.expect("the Identities").items;
    let live = scene.workspace().held().await.live;
    let mut held: HashMap<String, IdentityView> = live.into_iter().map(|it| (it.external_id.clone(), it)).collect();
    let mut told = Vec::new();
    for object in all {
        let external_id = &object.data["spec"]["externalId"];
        match held.remove(external_id.as_str().unwrap_or_default()) {
            None => told.push(format!("{external_id} is missing")),
            Some(found) if !is_as_wanted(&object.data, &found) => told.push(format!("{external_id} differs")),
            Some(_) => {}
        }
    }
    told.extend(held.keys().map(|left| format!("{left} belongs to nobody")));
    told
}

fn is_as_wanted(object: &Value, found: &IdentityView) -> bool {
    let spec = &object["spec"];
    let limits = spec["ratelimits"].as_array().into_iter().flatten();
    let mut wanted: Vec<_> =
        limits.map(|it| (it["name"].clone(), it["limit"].clone(), it["duration"].clone())).collect();
    let stored = found.ratelimits.iter();
    let mut stored: Vec<_> = stored.map(|it| (json!(it.name), json!(it.limit), json!(it.duration))).collect();
    wanted.sort_by_key(|it| it.0.to_string());
    stored.sort_by_key(|it| it.0.to_string());
    spec["meta"] == found.meta && wanted == stored && object["status"]["identityId"] == found.id.as_str()
}
