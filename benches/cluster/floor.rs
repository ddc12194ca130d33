//! The floor: what the work costs with nothing but the requests. It sends what the operator sends for each object (as the audit log and
//! Unkey's counts show, which are printed for both), with clients built as the operator builds its own, 16 objects at a time. It has no
//! queue, no cache, no rules, no second thoughts; and no watch, since the load hands it each object as soon as it is accepted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use unkey_operator::api::{CLAIM_ANNOTATION, CRD_NAME, FINALIZER};

use crate::load::{Accepted, Act};
use crate::object::{self, Object};
use crate::stage::Scene;

/// What the audit log knows it by.
pub const AGENT: &str = "unkey-bench-floor";
/// Objects at a time: the operator's default of calls to Unkey at a time.
const CONCURRENCY: usize = 16;

/// Does what an operator would, without being one.
pub struct Floor {
    objects: Api<Object>,
    definitions: Api<CustomResourceDefinition>,
    http: reqwest::Client,
    base_url: String,
    root_key: String,
    /// The identities that it made, by externalId.
    ids: SyncMutex<HashMap<String, String>>,
}

impl Floor {
    pub async fn new(scene: &Scene) -> Arc<Self> {
        let client = scene.stage().client_named(AGENT).await;
        // As `unkey::Client` builds it.
        let http = reqwest::Client::builder()
            .user_agent(AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .retry(reqwest::retry::never())
            .pool_idle_timeout(Duration::from_secs(9))
            .tcp_nodelay(true)
            .build();
        Arc::new(Self {
            objects: Api::namespaced(client.clone(), scene.namespace()),
            definitions: Api::all(client),
            http: http.expect("an HTTP client"),
            base_url: scene.stage().unkey().base_url().to_owned(),
            root_key: scene.workspace().root_key().to_owned(),
            ids: SyncMutex::default(),
        })
    }

    /// Begins to work; it ends when the sender is dropped and all is done. A failed request fails the bench through the missing result.
    pub fn work(self: &Arc<Self>, what: Act) -> (UnboundedSender<Accepted>, JoinSet<()>) {
        let (sender, queue) = unbounded_channel();
        let queue = Arc::new(Mutex::new(queue));
        let mut workers = JoinSet::new();
        for _ in 0..CONCURRENCY {
            workers.spawn(Arc::clone(self).worker(what, Arc::clone(&queue)));
        }
        (sender, workers)
    }

    async fn worker(self: Arc<Self>, what: Act, queue: Arc<Mutex<UnboundedReceiver<Accepted>>>) {
        loop {
            let next = queue.lock().await.recv().await;
            let Some(object) = next else { return };
            match what {
                Act::Create | Act::Apply => self.create(&object).await,
                Act::Edit(revision) => self.update(&object, revision).await,
                Act::Delete => self.delete(&object).await,
                Act::Label(_) => {}
            }
        }
    }

    /// Claim, createIdentity, status.
    async fn create(&self, object: &Accepted) {
        let claim = format!("{}:{}:", object.uid, hash('c'));
        let fields = [
            json!({"op": "test", "path": "/metadata/uid", "value": object.uid}),
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": object.version}),
            json!({"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}),
            json!({"op": "add", "path": "/metadata/annotations", "value": {}}),
            json!({"op": "add", "path": claim_path(), "value": claim}),
        ];
        let patched = self.objects.patch(&object.name, &params(), &json_patch(&fields)).await;
        patched.unwrap_or_else(|error| panic!("the floor's claim of {}: {error}", object.name));
        let created = self.call("createIdentity", &object::spec(&object.name, 0)).await;
        let id = created["data"]["identityId"].as_str().expect("the id of what was created").to_owned();
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).insert(object.name.clone(), id.clone());
        self.write_status(object, &id, (-1, None)).await;
    }

    /// An uncached read, updateIdentity, status.
    async fn update(&self, object: &Accepted, revision: usize) {
        let now = self.objects.get(&object.name).await;
        let now = now.unwrap_or_else(|error| panic!("the floor's read of {}: {error}", object.name));
        let id = now.identity_id().expect("a recorded id").to_owned();
        let meta = object::meta(&object.name, revision);
        self.call("updateIdentity", &json!({"identity": id, "meta": meta})).await;
        self.write_status(object, &id, (now.ready_for(), Some(&id))).await;
    }

    /// An uncached read, one of the `CustomResourceDefinition`, deleteIdentity, release.
    async fn delete(&self, object: &Accepted) {
        let now = self.objects.get(&object.name).await;
        let now = now.unwrap_or_else(|error| panic!("the floor's read of {}: {error}", object.name));
        let definition = self.definitions.get_metadata(CRD_NAME).await;
        definition.unwrap_or_else(|error| panic!("the floor's read of the CRD: {error}"));
        let id = self.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(&object.name);
        self.call("deleteIdentity", &json!({"identity": id.expect("it made it")})).await;
        let fields = [
            json!({"op": "test", "path": "/metadata/uid", "value": object.uid}),
            json!({"op": "test", "path": "/metadata/resourceVersion", "value": now.metadata.resource_version}),
            json!({"op": "remove", "path": "/metadata/finalizers/0"}),
            json!({"op": "remove", "path": claim_path()}),
        ];
        let patched = self.objects.patch(&object.name, &params(), &json_patch(&fields)).await;
        patched.unwrap_or_else(|error| panic!("the floor's release of {}: {error}", object.name));
    }

    /// A status of the size that the operator writes, over the one it was `before`.
    async fn write_status(&self, object: &Accepted, id: &str, before: (i64, Option<&str>)) {
        let generation = object.generation;
        let status = json!({
            "observedGeneration": generation, "uid": object.uid, "identityId": id, "origin": "Created",
            "applied": {"meta": hash('a'), "ratelimits": hash('b')},
            "deletionPolicy": "Delete", "credential": "0123456789ab",
            "conditions": [{
                "type": "Ready", "status": "True", "observedGeneration": generation, "reason": "Synced",
                "lastTransitionTime": Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default(),
                "message": "Unkey accepted this spec.",
            }],
        });
        let fields = [
            json!({"op": "test", "path": "/metadata/uid", "value": object.uid}),
            json!({"op": "test", "path": "/status/observedGeneration", "value": before.0}),
            json!({"op": "test", "path": "/status/identityId", "value": before.1}),
            json!({"op": "add", "path": "/status", "value": status}),
        ];
        let patched = self.objects.patch_status(&object.name, &params(), &json_patch(&fields)).await;
        patched.unwrap_or_else(|error| panic!("the floor's status of {}: {error}", object.name));
    }

    async fn call(&self, operation: &str, body: &Value) -> Value {
        let request = self
            .http
            .post(format!("{}/v2/identities.{operation}", self.base_url))
            .header("authorization", format!("Bearer {}", self.root_key))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = async { request.send().await?.error_for_status()?.bytes().await };
        let answer = answer.await.unwrap_or_else(|error| panic!("the floor's {operation}: {error}"));
        serde_json::from_slice(&answer).expect("an answer in JSON")
    }
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(AGENT.to_owned()), ..PatchParams::default() }
}

fn json_patch(fields: &[Value]) -> Patch<()> {
    Patch::Json(serde_json::from_value(json!(fields)).expect("a JSON patch"))
}

fn claim_path() -> String {
    format!("/metadata/annotations/{}", CLAIM_ANNOTATION.replace('/', "~1"))
}

/// As long as one.
fn hash(filling: char) -> String {
    format!("v1:{}", filling.to_string().repeat(64))
}
