//! Writes to an Identity for a person, under a field manager of its own. What the operator writes, and how, is not its business.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use kube::Client;
use kube::Resource as _;
use kube::api::{Patch, PatchParams};
use kube::core::Request;
use serde_json::{Map, Value, json};

use crate::api::{GROUP, KIND, VERSION};
use crate::controller::{KubeError, RawIdentity, within_deadline};
use crate::domain::{ObjectKey, Uid};
use crate::text::printable;

/// Who writes, in managedFields.
pub(super) const MANAGER: &str = "kubectl-unkey";
/// Objects that are written to at a time.
const AT_A_TIME: usize = 16;
/// Characters of the API server's words that are kept.
const MAX_WORDS: usize = 500;

/// Why an Identity was not written to.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("{0} was not changed; the API server refuses it: {1}")]
    Refused(String, String),
    #[error("{0} was not changed: {1}")]
    Unchanged(String, KubeError),
    #[error("it is not known whether {0} was changed: {1}; run this command again")]
    Unknown(String, KubeError),
}

/// An object as it was read: another one of the same name is not touched.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub key: ObjectKey,
    pub uid: Uid,
}

impl From<&RawIdentity> for Target {
    fn from(raw: &RawIdentity) -> Self {
        Self { key: raw.key(), uid: raw.uid().clone() }
    }
}

impl Target {
    pub fn of(object: &Value) -> Self {
        let of = |name: &str| object["metadata"][name].as_str().unwrap_or_default();
        let key = ObjectKey { namespace: of("namespace").to_owned(), name: of("name").to_owned() };
        Self { key, uid: Uid::new(of("uid")) }
    }

    pub fn name(&self) -> String {
        format!("{}/{}", self.key.namespace, self.key.name)
    }
}

/// Sets annotations, and removes those whose value is null.
pub(super) async fn annotate(
    client: &Client,
    target: &Target,
    annotations: Map<String, Value>,
) -> Result<Value, WriteError> {
    let patch = json!({"metadata": {"uid": target.uid.as_str(), "annotations": annotations}});
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    send(client, target, &params, &Patch::Merge(patch)).await
}

/// Sets one annotation of each of them, some at a time; ends with the first that fails.
pub(super) async fn annotate_each<'a>(
    client: &Client,
    targets: impl IntoIterator<Item = &'a Target>,
    (name, value): (&str, &str),
) -> Result<(), WriteError> {
    let each = targets.into_iter().map(|target| {
        let annotations = Map::from_iter([(name.to_owned(), Value::from(value))]);
        annotate(client, target, annotations)
    });
    stream::iter(each).buffer_unordered(AT_A_TIME).try_for_each(async |_| Ok(())).await
}

/// Applies these parts by the server, whoever owned them before. What was applied before and is no longer named is given up.
pub(super) async fn apply(
    client: &Client,
    target: &Target,
    annotations: Map<String, Value>,
    spec: Map<String, Value>,
) -> Result<Value, WriteError> {
    let Target { key, uid } = target;
    let mut applied = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"), "kind": KIND,
        "metadata": {"namespace": key.namespace, "name": key.name, "uid": uid.as_str()},
    });
    if !annotations.is_empty() {
        applied["metadata"]["annotations"] = Value::Object(annotations);
    }
    if !spec.is_empty() {
        applied["spec"] = Value::Object(spec);
    }
    send(client, target, &PatchParams::apply(MANAGER).force(), &Patch::Apply(applied)).await
}

async fn send(
    client: &Client,
    target: &Target,
    params: &PatchParams,
    patch: &Patch<Value>,
) -> Result<Value, WriteError> {
    let key = &target.key;
    let request = Request::new(RawIdentity::url_path(&(), Some(&key.namespace))).patch(&key.name, params, patch);
    let request = request
        .map_err(|error| WriteError::Unchanged(target.name(), KubeError::Bug(kube::Error::BuildRequest(error))))?;
    match within_deadline(client.request(request)).await {
        Ok(Ok(object)) => Ok(object),
        // What fails inside the API server may have been written.
        Ok(Err(kube::Error::Api(status))) if status.code < 500 => {
            Err(WriteError::Refused(target.name(), printable(status.message.trim_end_matches('.'), MAX_WORDS)))
        }
        Ok(Err(error)) => Err(WriteError::Unknown(target.name(), KubeError::Api(error))),
        Err(error) => Err(WriteError::Unknown(target.name(), error)),
    }
}
