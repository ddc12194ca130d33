//! The parts of a process that a watch event goes through, without a control plane: the watch type, the index, and a reconcile that finds
//! nothing to do. Events are text, as the API server sends them.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use kube::core::WatchEvent;
use kube::runtime::reflector::{self, Store};
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use unkey_operator::apiserver::ServerTime;
use unkey_operator::controller::{self, Change, Context, EventHandler, RawIdentity, Scope, Settings};
use unkey_operator::domain::{Claim, DeletionLimits, Desired, ExternalId, Limit, Limits, Meta, Policy, Uid};
use unkey_operator::leader::Leadership;
use unkey_operator::telemetry::Metrics;
use unkey_operator::unkey::{Bounds, Client, Credentials, Options};

#[path = "../cluster/object.rs"]
#[allow(dead_code)] // it serves more benches than these
pub mod object;

/// The rate limits of each object, as a decision has them.
pub fn limits() -> Limits {
    let limits = object::ratelimits();
    let limits = limits.as_array().unwrap().iter().map(|it| {
        let number = |field: &str| it[field].as_i64().unwrap();
        let limit = Limit { limit: number("limit"), duration: number("duration"), auto_apply: it["autoApply"] == true };
        (it["name"].as_str().unwrap().to_owned(), limit)
    });
    Limits::new(limits.collect())
}

/// An event of a Ready object, as the API server would send it. With `finalizers` of others, a reconcile has to see that it means nothing.
pub fn event(number: usize, credential: &str, finalizers: &[&str]) -> String {
    let name = object::name(number);
    let uid = format!("6f1e2d3c-0000-4000-8000-{number:012}");
    let mut object = object::manifest(&name);
    let meta = Meta::new(object::meta(&name, 0).as_object().unwrap().clone());
    let desired = Desired::new(ExternalId::new(&name), Some(meta), Some(limits()));
    let claim = Claim { hash: desired.content_hash().clone(), given_up: None }.render(&Uid::new(&uid));
    let hashes = desired.hashes();
    let all = [finalizers, &["unkey.com/identity"]].concat();
    object["metadata"] = json!({
        "name": name, "namespace": "tenants", "uid": uid, "resourceVersion": (number + 1000).to_string(), "generation": 1,
        "creationTimestamp": "2026-11-21T20:14:04Z", "finalizers": all,
        "annotations": {
            "unkey.com/claim": claim,
            "kubectl.kubernetes.io/last-applied-configuration": object::manifest(&name).to_string(),
        },
        "managedFields": managed_fields(),
    });
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "observedGeneration": 1, "lastTransitionTime": "2026-11-21T20:14:05Z",
            "reason": reason, "message": message})
    };
    object["status"] = json!({
        "observedGeneration": 1, "uid": uid, "identityId": format!("id_{number:016}"), "origin": "Created",
        "applied": {"meta": hashes.meta.as_ref().unwrap().as_str(), "ratelimits": hashes.limits.as_ref().unwrap().as_str()},
        "deletionPolicy": "Delete", "credential": credential,
        "conditions": [condition("Ready", "True", "Synced", "Unkey holds what the spec asks for")],
    });
    // In the API server's order.
    format!(r#"{{"type":"MODIFIED","object":{object}}}"#)
}

/// As large as the API server writes them for an object that kubectl applied and the operator patched twice.
fn managed_fields() -> Value {
    let field = |manager: &str, subresource: &str, fields: Value| {
        json!({"manager": manager, "operation": "Update", "apiVersion": "unkey.com/v1alpha1", "time": "2026-11-21T20:14:04Z",
            "fieldsType": "FieldsV1", "subresource": subresource, "fieldsV1": fields})
    };
    json!([
        field(
            "kubectl-client-side-apply",
            "",
            json!({"f:metadata": {"f:annotations": {".": {},
            "f:kubectl.kubernetes.io/last-applied-configuration": {}}}, "f:spec": {".": {}, "f:externalId": {},
            "f:meta": {".": {}, "f:plan": {}, "f:company": {}, "f:region": {}, "f:seats": {}}, "f:ratelimits": {}}})
        ),
        field(
            "unkey-operator",
            "",
            json!({"f:metadata": {"f:annotations": {"f:unkey.com/claim": {}},
            "f:finalizers": {".": {}, "v:\"unkey.com/identity\"": {}}}})
        ),
        field(
            "unkey-operator",
            "status",
            json!({"f:status": {".": {}, "f:applied": {".": {}, "f:meta": {}, "f:ratelimits": {}},
            "f:conditions": {".": {}, "k:{\"type\":\"Ready\"}": {".": {}, "f:status": {}, "f:reason": {}}}, "f:identityId": {}}})
        ),
    ])
}

/// The parts of a process that events go through.
pub struct Inside {
    context: Arc<Context>,
    pub credential: String,
    event_handler: EventHandler<Context>,
    store: Store<RawIdentity>,
}

impl Inside {
    pub fn new() -> Self {
        let config = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
        let options = Options { base_url: "http://127.0.0.1:9".to_owned(), ..Options::default() };
        let unkey = Client::new(&options, Credentials::from_value(&SecretString::from("key")).unwrap()).unwrap();
        let credential = unkey.credential_mark().unwrap();
        let policy = Policy::default();
        let settings = Settings {
            scope: Scope { namespaces: vec!["tenants".to_owned()], selector: None },
            workers: 32,
            bounds: Bounds::default(),
            policy,
            accept_workspace_change: false,
            lead: Leadership::unrivalled(),
            stop: CancellationToken::new(),
            scan_every: Duration::ZERO,
            server_time: ServerTime::default(),
            deletions: DeletionLimits::NONE,
            approved_namespaces: Vec::new(),
        };
        let client = kube::Client::try_from(config).unwrap();
        let (context, _) = Context::new(client, unkey, &settings, Metrics::default());
        let (event_handler, store) = EventHandler::new(&context);
        Self { context, credential, event_handler, store }
    }

    /// The look for objects that nothing is planned for; how many were found.
    pub fn rescue(&self) -> usize {
        self.context.rescue()
    }

    /// Takes in an event as the watch does, and runs the reconcile that follows, if one does. True if one did.
    pub fn take(&mut self, text: &str) -> bool {
        let event: WatchEvent<RawIdentity> = serde_json::from_str(text).unwrap();
        let WatchEvent::Modified(mut object) = event else { panic!("{text}") };
        object.prune();
        let Some(object) = self.event_handler.take(Change::Applied(object)) else { return false };
        let object = self.store.get(&reflector::ObjectRef::from_obj(&object)).unwrap();
        // It finds nothing to do, so it never waits.
        controller::reconcile_once(object, Arc::clone(&self.context)).now_or_never().expect("nothing to do");
        true
    }
}
