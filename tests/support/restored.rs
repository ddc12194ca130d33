//! Puts an object that a release wrote (`tests/compat`) back into a cluster. Some names are given anew and cannot be kept: the API server
//! gives uid and namespace, the emulator the id, and the fingerprint of the root key holds the emulator's address; they are replaced wherever
//! the release wrote them. Read in by what needs it.

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client};
use serde_json::{Value, json};
use unkey_emulator::{Seed, Workspace};

/// Where to.
pub struct Place<'a> {
    pub client: &'a Client,
    pub namespace: &'a str,
    pub workspace: &'a Workspace,
    /// The fingerprint of the root key in use there.
    pub credential: &'a str,
}

impl Place<'_> {
    fn api(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("unkey.com", "v1alpha1", "Identity");
        let kind = ApiResource::from_gvk_with_plural(&kind, "identities");
        Api::namespaced_with(self.client.clone(), self.namespace, &kind)
    }

    /// What another client has made upstream; its id.
    fn seed(&self, spec: &Value) -> String {
        let seed = Seed {
            external_id: spec["externalId"].as_str().unwrap().to_owned(),
            meta: spec.get("meta").map(|meta| meta.as_object().unwrap().clone()),
            ratelimits: spec.get("ratelimits").map(|all| serde_json::from_value(all.clone()).unwrap()),
        };
        self.workspace.seed(seed).expect("a free externalId")
    }

    /// Restores an object, and its identity if it has one or `exists` says so, while no operator runs; the object as it then is.
    pub async fn restore(&self, object: &Value, exists: bool) -> Value {
        let (api, to) = (self.api(), PatchParams::default());
        let (name, spec) = (object["metadata"]["name"].as_str().unwrap(), &object["spec"]);
        let head = json!({"apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": {"name": name}, "spec": spec});
        let live = api.create(&PostParams::default(), &serde_json::from_value(head).unwrap()).await.unwrap();
        let mut text = object.to_string();
        let mut rename = |old: &Value, new: &str| {
            if let Some(old) = old.as_str() {
                text = text.replace(old, new);
            }
        };
        rename(&object["metadata"]["uid"], live.metadata.uid.as_deref().unwrap());
        rename(&object["status"]["credential"], self.credential);
        // Messages name it.
        rename(&object["metadata"]["namespace"], self.namespace);
        if object["status"]["identityId"].is_string() || exists {
            rename(&object["status"]["identityId"], &self.seed(spec));
        }
        let then: Value = serde_json::from_str(&text).unwrap();

        let (finalizers, annotations) = (&then["metadata"]["finalizers"], &then["metadata"]["annotations"]);
        let kept = json!({"metadata": {"finalizers": finalizers, "annotations": annotations}});
        let mut now = api.patch(name, &to, &Patch::Merge(kept)).await.unwrap();
        if then["metadata"].get("deletionTimestamp").is_some() {
            api.delete(name, &DeleteParams::default()).await.unwrap();
            now = api.get(name).await.unwrap();
        }
        let status = shifted(&then, now.metadata.generation.unwrap());
        let patch = Patch::Merge(json!({"status": status}));
        let restored = serde_json::to_value(api.patch_status(name, &to, &patch).await.unwrap()).unwrap();
        assert_eq!(restored["status"], status, "{name}: a field is not in the definition any more");
        restored
    }
}

/// The status. The restored spec has seen fewer changes than that of then; what the status says of them is shifted by as many.
fn shifted(then: &Value, now: i64) -> Value {
    let shift = now - then["metadata"]["generation"].as_i64().unwrap();
    let shifted = |observed: &mut Value| {
        if let Some(number) = observed.as_i64().filter(|number| *number > 0) {
            *observed = json!(number + shift);
        }
    };
    let mut status = then["status"].clone();
    shifted(&mut status["observedGeneration"]);
    for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
        shifted(&mut condition["observedGeneration"]);
    }
    status
}
