//! ONE request to Kubernetes. Every one has a deadline: the client itself has none for reads and patches.

use std::time::Duration;

use ::kube::api::{ListParams, Patch, PatchParams};
use ::kube::{Api, Client};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

use super::snapshot::Snapshot;
use crate::api::{CRD_NAME, GROUP, PLURAL, proves_absence};
use crate::domain::{CrdSight, ExternalId, ObjectKey, Uid};

const DEADLINE: Duration = Duration::from_secs(30);
/// Group of the resource that defines resources.
const CRD_GROUP: &str = "apiextensions.k8s.io";
/// Its plural.
const CRD_PLURAL: &str = "customresourcedefinitions";
/// Who writes, in managedFields.
pub const FIELD_MANAGER: &str = "unkey-operator";

/// What became of a write or a read.
#[derive(Debug)]
pub enum Outcome {
    /// The object as it is now.
    Now(Box<Snapshot>),
    /// A test in the patch failed, or the object seems to be gone: it is not what it was taken for. Look again.
    Stale,
    /// An uncached read proves that there is no such object. Only [`get`] says so.
    Gone,
}

/// Why a request to Kubernetes failed.
#[derive(Debug, thiserror::Error)]
pub enum KubeError {
    /// No answer in time.
    #[error("the API server did not answer within {} s", DEADLINE.as_secs())]
    Deadline,
    /// The API server refused what only a bug of ours can send.
    #[error("this is a bug of the operator: {}", words(.0))]
    Bug(#[source] ::kube::Error),
    /// HTTP 404 without proof that the object is gone. It is tried again.
    #[error(
        "404, but no word that this object does not exist: a version of the resource may not be served at the moment, or a proxy or webhook \
         has answered; {}",
        words(.0)
    )]
    Unproven(#[source] ::kube::Error),
    /// Anything else; it is tried again.
    #[error("{}", words(.0))]
    Api(#[source] ::kube::Error),
}

/// What a person needs of an error: the refusal without its record (of a missing right it names the right and where it is missing), the cause
/// without what it came through.
pub fn words(error: &::kube::Error) -> String {
    if let ::kube::Error::Api(status) = error {
        return format!("the API server says: {}", status.message);
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    format!("the API server cannot be asked: {cause}")
}

/// Reads the object, not from a cache.
pub async fn get(client: &Client, key: &ObjectKey) -> Result<Outcome, KubeError> {
    outcome(key, within(api(client, key).get(&key.name)).await)
}

/// Patches the object.
pub async fn patch(client: &Client, key: &ObjectKey, patch: Value) -> Result<Outcome, KubeError> {
    let patch = json_patch(patch)?;
    patched(outcome(key, within(api(client, key).patch(&key.name, &params(), &patch)).await))
}

/// Patches the object's status.
pub async fn patch_status(client: &Client, key: &ObjectKey, patch: Value) -> Result<Outcome, KubeError> {
    let patch = json_patch(patch)?;
    patched(outcome(key, within(api(client, key).patch_status(&key.name, &params(), &patch)).await))
}

/// True if an object other than `uid` names `external_id`, by a fresh list.
pub async fn has_heirs(apis: &[Api<Snapshot>], external_id: &ExternalId, uid: &Uid) -> Result<bool, KubeError> {
    let params = ListParams::default().fields(&format!("spec.externalId={external_id}"));
    for api in apis {
        let found = within(api.list(&params)).await?.map_err(KubeError::Api)?;
        if found.items.iter().any(|object| object.uid() != uid) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What an uncached read shows of our CustomResourceDefinition (R10).
pub async fn crd(client: &Client) -> Result<CrdSight, KubeError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    match within(api.get_metadata(CRD_NAME)).await? {
        Ok(found) if found.metadata.deletion_timestamp.is_none() => Ok(CrdSight::Stays),
        Ok(_) => Ok(CrdSight::Going),
        Err(::kube::Error::Api(status)) if proves_absence(&status, CRD_GROUP, CRD_PLURAL, CRD_NAME) => {
            Ok(CrdSight::Missing)
        }
        Err(::kube::Error::Api(status)) if status.code == 404 => Err(KubeError::Unproven(::kube::Error::Api(status))),
        Err(::kube::Error::Api(status)) if status.code == 403 => Ok(CrdSight::Hidden),
        Err(error) => Err(KubeError::Api(error)),
    }
}

fn api(client: &Client, key: &ObjectKey) -> Api<Snapshot> {
    Api::namespaced(client.clone(), &key.namespace)
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn json_patch(patch: Value) -> Result<Patch<()>, KubeError> {
    serde_json::from_value(patch).map(Patch::Json).map_err(|error| KubeError::Bug(::kube::Error::SerdeError(error)))
}

/// Runs a request under the deadline.
pub async fn within<T>(request: impl Future<Output = ::kube::Result<T>>) -> Result<::kube::Result<T>, KubeError> {
    tokio::time::timeout(DEADLINE, request).await.map_err(|_| KubeError::Deadline)
}

/// An admission webhook can refuse a patch with any answer, one that looks like a proof of absence included; it does not see reads.
fn patched(outcome: Result<Outcome, KubeError>) -> Result<Outcome, KubeError> {
    outcome.map(|outcome| if matches!(outcome, Outcome::Gone) { Outcome::Stale } else { outcome })
}

fn outcome(key: &ObjectKey, answer: Result<::kube::Result<Snapshot>, KubeError>) -> Result<Outcome, KubeError> {
    match answer? {
        Ok(mut object) => {
            object.prune();
            Ok(Outcome::Now(Box::new(object)))
        }
        Err(::kube::Error::Api(status)) if proves_absence(&status, GROUP, PLURAL, &key.name) => Ok(Outcome::Gone),
        Err(::kube::Error::Api(status)) if status.code == 404 => Err(KubeError::Unproven(::kube::Error::Api(status))),
        Err(::kube::Error::Api(status)) if status.code == 409 => Ok(Outcome::Stale),
        // A failed test has no causes; a patch that the schema refuses names them.
        Err(::kube::Error::Api(status)) if status.code == 422 => {
            let blamed = status.details.as_ref().is_some_and(|details| !details.causes.is_empty());
            if blamed { Err(KubeError::Bug(::kube::Error::Api(status))) } else { Ok(Outcome::Stale) }
        }
        Err(error) => Err(KubeError::Api(error)),
    }
}
