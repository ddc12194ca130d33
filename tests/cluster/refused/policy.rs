//! A real `ValidatingAdmissionPolicy` for one namespace. Asserts nothing about the operator.

use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};

use crate::harness::{World, eventually};

pub struct Policy {
    client: kube::Client,
    name: String,
}

impl Policy {
    /// Denies updates of this resource in the world's namespace with a message, unless the CEL expression holds, and waits until it does.
    /// `reason`: of the refusal; without one it is a 422.
    pub async fn deny(world: &World, resource: &str, unless: &str, message: &str, reason: Option<&str>) -> Self {
        // Which no operator has to touch.
        let probe = world.create("probe", &json!({"externalId": "probe", "suspend": true})).await;
        assert_eq!(probe["metadata"]["name"], "probe");
        let (client, name) = (world.client.clone(), format!("{}-{}", world.namespace, resource.replace('/', "-")));
        let mut validation =
            json!({"expression": format!("object.metadata.name == 'none' || ({unless})"), "message": message});
        if let Some(reason) = reason {
            validation["reason"] = json!(reason);
        }
        let policy = json!({"failurePolicy": "Fail", "validations": [validation], "matchConstraints": {"resourceRules": [{
            "apiGroups": ["unkey.com"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": [resource],
        }]}});
        let here = json!({"matchLabels": {"kubernetes.io/metadata.name": world.namespace}});
        let binding = json!({
            "policyName": name, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": here},
        });
        let this = Self { client, name };
        this.create("ValidatingAdmissionPolicy", "validatingadmissionpolicies", &policy).await;
        this.create("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", &binding).await;
        eventually("the policy to be heeded", async || this.refuses(world, resource).await.then_some(())).await;
        this
    }

    fn api(&self, kind: &str, plural: &str) -> Api<DynamicObject> {
        let gvk = GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", kind);
        Api::all_with(self.client.clone(), &ApiResource::from_gvk_with_plural(&gvk, plural))
    }

    async fn create(&self, kind: &str, plural: &str, spec: &Value) {
        let object = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": self.name}, "spec": spec,
        });
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        self.api(kind, plural).create(&PostParams::default(), &object).await.unwrap();
    }

    /// A write that is never made meets it.
    async fn refuses(&self, world: &World, resource: &str) -> bool {
        let gvk = GroupVersionKind::gvk("unkey.com", "v1alpha1", "Identity");
        let kind = ApiResource::from_gvk_with_plural(&gvk, "identities");
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &world.namespace, &kind);
        let params = PatchParams { dry_run: true, ..PatchParams::default() };
        let answer = if resource.ends_with("/status") {
            api.patch_status("probe", &params, &Patch::Merge(json!({"status": {"observedGeneration": 7}}))).await
        } else {
            api.patch("probe", &params, &Patch::Merge(json!({"metadata": {"labels": {"a": "b"}}}))).await
        };
        answer.is_err()
    }

    /// Takes it away, and waits until it is.
    pub async fn lift(self, world: &World, resource: &str) {
        let params = DeleteParams::default();
        let binding = self.api("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings");
        binding.delete(&self.name, &params).await.unwrap();
        let policy = self.api("ValidatingAdmissionPolicy", "validatingadmissionpolicies");
        policy.delete(&self.name, &params).await.unwrap();
        eventually("the policy to be gone", async || (!self.refuses(world, resource).await).then_some(())).await;
        world.delete("probe").await;
        world.gone("probe").await;
    }
}
