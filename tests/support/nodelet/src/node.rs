//! The node as the API has it, and what a scheduler would do. May not run anything.

use k8s_openapi::api::core::v1::{Binding, Node, ObjectReference};
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::error::Result;
use crate::host::Host;

/// Makes the node, ready for as many Pods as come.
pub(crate) async fn register(host: &Host) -> Result<()> {
    let name = &host.options.node;
    let nodes: Api<Node> = Api::all(host.client.clone());
    let params = PatchParams::apply("nodelet").force();
    let node = json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
    });
    nodes.patch(name, &params, &Patch::Apply(&node)).await?;
    let plenty = json!({"cpu": "8", "memory": "16Gi", "pods": "250"});
    let status = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": {
        "capacity": plenty, "allocatable": plenty,
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "the nodelet runs"}],
    }});
    nodes.patch_status(name, &params, &Patch::Apply(&status)).await?;
    Ok(())
}

/// Gives a Pod to the node.
pub(crate) async fn bind(client: &Client, namespace: &str, pod: &str, node: &str) -> Result<()> {
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(client.clone(), namespace);
    let target = ObjectReference { kind: Some("Node".to_owned()), name: Some(node.to_owned()), ..Default::default() };
    let binding = Binding { metadata: ObjectMeta { name: Some(pod.to_owned()), ..Default::default() }, target };
    pods.create_subresource::<_, Value>("binding", pod, &PostParams::default(), &binding).await?;
    Ok(())
}
