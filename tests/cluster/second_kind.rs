//! A second kind of custom resource on the runtime of the first one, without a change in it: it is watched, queued, permitted and reconciled. What a
//! parcel is does not matter; it exists in this file only.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::runtime::controller::Action;
use kube::{Client, Resource};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use unkey_operator::controller::Scope;
use unkey_operator::controller::runtime::api_server::{self, KubeError, Outcome};
use unkey_operator::controller::runtime::dispatcher::{Dispatcher, Priority};
use unkey_operator::controller::runtime::events::{Events, Said};
use unkey_operator::controller::runtime::patch::guarded;
use unkey_operator::controller::runtime::queue::Queue;
use unkey_operator::controller::runtime::{History, Kind, Reconciler, Runtime};
use unkey_operator::domain::{Guard, ObjectKey, Uid};
use unkey_operator::leader::Leadership;
use unkey_operator::telemetry::Metrics;
use unkey_operator::unkey::Bounds;

use super::harness::{World, eventually};

const GROUP: &str = "second-kind.test";

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Parcel {
    metadata: ObjectMeta,
    spec: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Value>,
    #[serde(skip)]
    uid: std::sync::OnceLock<Uid>,
}

impl Resource for Parcel {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Parcel".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        GROUP.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "parcels".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl Kind for Parcel {
    const SEVERAL: &'static str = "Parcels";

    fn uid(&self) -> &Uid {
        self.uid.get_or_init(|| Uid::new(self.metadata.uid.as_deref().unwrap()))
    }

    fn version(&self) -> u64 {
        self.metadata.resource_version.as_deref().unwrap().parse().unwrap()
    }
}

/// What is done with parcels: the generation goes into the status, one parcel at a time.
struct Post {
    runtime: Arc<Runtime<Parcel>>,
    events: Events,
    /// Each reconcile that had a permit, by name.
    served: Mutex<Vec<String>>,
    ended: Mutex<Vec<String>>,
    put_off: AtomicUsize,
    /// What is called `panics` or `fails` does so until this is set.
    mended: AtomicBool,
    /// What is called `slow` waits for this.
    go_on: Notify,
}

impl Post {
    fn served(&self, name: &str) -> usize {
        self.served.lock().iter().filter(|served| *served == name).count()
    }
}

impl Reconciler for Post {
    type Kind = Parcel;
    type Error = KubeError;

    fn runtime(&self) -> &Arc<Runtime<Parcel>> {
        &self.runtime
    }

    fn shown(&self, object: &mut Parcel, before: Option<&Arc<Parcel>>, _: History) -> bool {
        before.is_none_or(|before| before.metadata.generation != object.metadata.generation)
    }

    fn ended(self: &Arc<Self>, object: &Parcel, _: &Parcel) {
        self.runtime.dispatcher.forget(Kind::uid(object));
        self.ended.lock().push(object.name().to_owned());
    }

    fn span(&self, object: &Parcel) -> tracing::Span {
        tracing::info_span!("parcel", name = object.name())
    }

    async fn reconcile(self: Arc<Self>, object: Arc<Parcel>) -> Result<Action, KubeError> {
        let mut permit = self.runtime.dispatcher.reserved(Kind::uid(&*object));
        if !permit.allows(Priority::Writes) {
            let at = (object.namespace(), object.name());
            let Some(granted) = self.runtime.enter(at, Kind::uid(&*object), Priority::Writes) else {
                // It is woken when there is one.
                self.put_off.fetch_add(1, Ordering::SeqCst);
                return Ok(Action::await_change());
            };
            permit = granted;
        }
        self.served.lock().push(object.name().to_owned());
        match object.name() {
            "panics" if !self.mended.load(Ordering::SeqCst) => panic!("a parcel that panics"),
            "fails" if !self.mended.load(Ordering::SeqCst) => return Err(KubeError::Slow),
            "slow" => self.go_on.notified().await,
            _ => {}
        }
        let key = ObjectKey { namespace: object.namespace().to_owned(), name: object.name().to_owned() };
        let version = Kind::version(&*object).to_string();
        let mut patch = guarded(&Guard { uid: Kind::uid(&*object).clone(), resource_version: version });
        let status = json!({"observedGeneration": object.metadata.generation});
        patch.push(json!({"op": "add", "path": "/status", "value": status}));
        match api_server::patch_status::<Parcel>(&self.runtime.client, &key, Value::Array(patch)).await? {
            Outcome::Now(now) => assert_eq!(now.status.unwrap(), status),
            outcome => panic!("{outcome:?}"),
        }
        let said = Said::of(&*object, false, "Delivered", object.name());
        self.events.publish(&*object, said, "It is there.".to_owned()).await;
        drop(permit);
        Ok(Action::await_change())
    }

    fn failed(&self, _: &Parcel) -> Duration {
        Duration::from_millis(200)
    }
}

async fn define(client: &Client) {
    let schema = json!({"type": "object", "properties": {
        "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
        "status": {"type": "object", "properties": {"observedGeneration": {"type": "integer"}}},
    }});
    let version = json!({"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema}});
    let definition = serde_json::from_value(json!({
        "metadata": {"name": Parcel::definition()},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": {"kind": "Parcel", "plural": "parcels"}, "versions": [version]},
    }));
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    api.create(&PostParams::default(), &definition.unwrap()).await.unwrap();
}

#[tokio::test]
async fn it_is_watched_queued_and_reconciled() {
    let world = World::new("second-kind").await;
    define(&world.client).await;
    let scope = Scope { namespaces: vec![world.namespace.clone()], selector: None };
    // One worker.
    let (metrics, lead, stop) = (Metrics::default(), Leadership::unrivalled(), CancellationToken::new());
    let dispatcher = Dispatcher::new(Bounds::default(), 1, stop.clone(), metrics.clone());
    let (runtime, woken) = Runtime::new(world.client.clone(), &scope, lead, Arc::clone(&dispatcher), metrics);
    let post = Arc::new(Post {
        runtime: Arc::clone(&runtime),
        events: Events::new(world.client.clone()),
        served: Mutex::default(),
        ended: Mutex::default(),
        put_off: AtomicUsize::new(0),
        mended: AtomicBool::new(false),
        go_on: Notify::new(),
    });
    let granting = tokio::spawn(async move { dispatcher.run().await });
    let reconciler = Arc::clone(&post);
    let running = tokio::spawn(async move {
        let mut queue = Queue::new(&reconciler, woken, &scope, || {}).await.unwrap();
        queue.stand_by().await.unwrap();
        queue.run().await.unwrap();
    });

    let api: Api<Parcel> = Api::namespaced(world.client.clone(), &world.namespace);
    let create = async |name: &str| {
        let parcel = DynamicObject::new(name, &ApiResource::erase::<Parcel>(&())).data(json!({"spec": {"n": 1}}));
        let parcels: Api<DynamicObject> =
            Api::namespaced_with(world.client.clone(), &world.namespace, &ApiResource::erase::<Parcel>(&()));
        // It is served a moment after it is defined.
        eventually("a parcel to be made", async || match parcels.create(&PostParams::default(), &parcel).await {
            Err(kube::Error::Api(status)) if [404, 429].contains(&status.code) => None,
            made => Some(made.unwrap()),
        })
        .await;
    };
    let delivered = async |name: &str, generation: i64| {
        eventually(&format!("{name} to be delivered"), async || {
            let status = api.get(name).await.unwrap().status?;
            (status["observedGeneration"] == generation).then_some(())
        })
        .await;
    };
    // A parcel that panics and one that fails come again, and hold up nobody.
    for name in ["panics", "fails", "one"] {
        create(name).await;
    }
    delivered("one", 1).await;
    eventually("each to come again", async || (post.served("panics") > 1 && post.served("fails") > 1).then_some(()))
        .await;
    post.mended.store(true, Ordering::SeqCst);
    delivered("panics", 1).await;
    delivered("fails", 1).await;

    // An edit is seen; a label says nothing new.
    let edit = async |name: &str, patch: Value| {
        api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    };
    let before = post.served("one");
    edit("one", json!({"metadata": {"labels": {"a": "b"}}})).await;
    edit("one", json!({"spec": {"n": 2}})).await;
    delivered("one", 2).await;
    assert_eq!(post.served("one"), before + 1);

    // The only worker is busy: who comes meanwhile is put off, and woken when it is free.
    create("slow").await;
    eventually("the slow one to begin", async || (post.served("slow") == 1).then_some(())).await;
    let put_off = post.put_off.load(Ordering::SeqCst);
    create("waits").await;
    eventually("another one to wait", async || (post.put_off.load(Ordering::SeqCst) > put_off).then_some(())).await;
    assert_eq!(post.served("waits"), 0);
    post.go_on.notify_one();
    delivered("slow", 1).await;
    delivered("waits", 1).await;

    // What is woken by hand is reconciled, what is deleted ends.
    let before = post.served("waits");
    runtime.wake().send(kube::runtime::reflector::ObjectRef::new("waits").within(&world.namespace)).unwrap();
    eventually("it to be served once more", async || (post.served("waits") > before).then_some(())).await;
    api.delete("waits", &DeleteParams::default()).await.unwrap();
    eventually("its end to be seen", async || post.ended.lock().contains(&"waits".to_owned()).then_some(())).await;
    stop.cancel();
    running.await.unwrap();
    granting.abort();
}
