//! The users of the cluster: they create, edit, label and delete Identities, all at once or so many a second. Nothing throttles them but
//! the API server. They must not wait for the operator.

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::{PartialObjectMeta, Request};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::object;
use crate::stage::Scene;

/// Requests under way when everything is wanted at once. As many as the operator's calls to Unkey: more would only queue before the API server.
pub const AT_ONCE: usize = 16;

/// What a user does to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Create,
    /// A server-side apply of an object that is not there yet.
    Apply,
    /// Another `spec.meta`.
    Edit(usize),
    /// Another label, which is nothing to the operator.
    Label(usize),
    Delete,
}

/// What the API server answered.
#[derive(Clone, Debug)]
pub struct Accepted {
    pub name: String,
    pub uid: String,
    pub version: String,
    pub generation: i64,
    /// When the answer came.
    pub at: Instant,
}

/// Does one thing to the object of that number.
pub async fn act(scene: &Scene, act: Act, number: usize) -> Accepted {
    let name = object::name(number);
    let api = Request::new(scene.path());
    let merge = |patch: Value| api.patch(&name, &PatchParams::default(), &Patch::Merge(patch));
    let request = match act {
        Act::Create => api.create(&PostParams::default(), object::manifest(&name).to_string().into_bytes()),
        Act::Apply => api.patch(&name, &PatchParams::apply("bench"), &Patch::Apply(object::manifest(&name))),
        Act::Edit(revision) => merge(json!({"spec": {"meta": object::meta(&name, revision)}})),
        Act::Label(value) => merge(json!({"metadata": {"labels": {"bench": value.to_string()}}})),
        Act::Delete => api.delete(&name, &DeleteParams::default()),
    };
    let request = request.unwrap_or_else(|error| panic!("{act:?} of {name}: {error}"));
    let answer = scene.client().request::<PartialObjectMeta>(request).await;
    let metadata = answer.unwrap_or_else(|error| panic!("{act:?} of {name}: {error}")).metadata;
    Accepted {
        uid: metadata.uid.unwrap_or_default(),
        version: metadata.resource_version.unwrap_or_default(),
        generation: metadata.generation.unwrap_or(0),
        name,
        at: Instant::now(),
    }
}

/// Does the same to all objects of these numbers at once, and hands on what is accepted as it is.
pub async fn all_at_once(
    scene: &Arc<Scene>,
    what: Act,
    numbers: Range<usize>,
    queue: Option<UnboundedSender<Accepted>>,
) -> Vec<Accepted> {
    let next = Arc::new(AtomicUsize::new(numbers.start));
    let mut users = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (scene, next, queue, end) = (Arc::clone(scene), Arc::clone(&next), queue.clone(), numbers.end);
        users.spawn(async move {
            let mut done = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= end {
                    return done;
                }
                let accepted = act(&scene, what, number).await;
                if let Some(queue) = &queue {
                    queue.send(accepted.clone()).expect("the floor works until its queue ends");
                }
                done.push(accepted);
            }
        });
    }
    users.join_all().await.concat()
}

/// Begins so many a second, whether or not the ones before have ended; what they gave, in no order.
pub async fn paced<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    per_second: u32,
    lasting: Duration,
    one: impl Fn(usize) -> F,
) -> Vec<T> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
    // Late ticks are made up for: the load is what it says.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (begun, mut under_way, mut done) = (Instant::now(), JoinSet::new(), Vec::new());
    for number in 0.. {
        ticks.tick().await;
        if begun.elapsed() >= lasting {
            break;
        }
        under_way.spawn(one(number));
        while let Some(ended) = under_way.try_join_next() {
            done.push(ended.expect("a request of the load"));
        }
    }
    done.extend(under_way.join_all().await);
    done
}
