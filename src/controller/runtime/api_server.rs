//! ONE request to Kubernetes. Every one has a deadline: the client itself has none for reads and patches.

use std::time::Duration;

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::Request;
use kube::{Api, Client};
use serde_json::Value;

use super::answer::{self, WriteAnswer};
use super::kind::Kind;
use crate::api::proves_absence;
use crate::apiserver::{self, Silent, WRITE_SILENCE};
use crate::domain::session::Misuse;
use crate::domain::{Cause, CrdSight, LOOK, ObjectKey, Refused, Uid, backoff};
use crate::transport;

/// Of a request. No read is waited for so long: a connection that says nothing is given up before.
const DEADLINE: Duration = WRITE_SILENCE;
/// By so much the clock of the API server may be behind ours; managedFields tell whole seconds.
const SKEW: Duration = Duration::from_secs(5);
/// What is known of a write that was waited for long enough.
const NO_ANSWER: &str = "the API server did not answer this write; an admission webhook or the storage may hang, or the connection may be dead";
/// Of one that was not.
const GIVEN_UP: &str = "no answer to this write: its connection was closed because another one received nothing";
/// Group of the resource that defines resources.
const CRD_GROUP: &str = "apiextensions.k8s.io";
/// Its plural.
const CRD_PLURAL: &str = "customresourcedefinitions";
/// What a write is, whatever kube takes it for.
const JSON_PATCH: &str = "application/json-patch+json";
/// Who writes, in managedFields.
pub const FIELD_MANAGER: &str = "unkey-operator";

/// What became of a write or a read.
#[derive(Debug)]
pub enum Outcome<K> {
    /// The object as it is now.
    Now(Box<K>),
    /// A test in the patch failed, it seems, or the object seems to be gone: it is not what it was taken for. Look again, and keep the answer:
    /// it may be a refusal.
    Stale(Refused),
    /// The API server did not take the write.
    Refused(Refused),
    /// An uncached read proves that there is no such object. Only [`get`] says so.
    Gone,
}

impl<K> Outcome<K> {
    /// True of a write that the API server has surely not carried out: it says itself that it did not take it.
    pub fn had_no_effect(&self) -> bool {
        match self {
            Self::Stale(_) => true,
            Self::Refused(answer) => answer.had_no_effect(),
            Self::Now(_) | Self::Gone => false,
        }
    }
}

/// Why a request to Kubernetes failed.
#[derive(Debug, thiserror::Error)]
pub enum KubeError {
    /// No answer in time.
    #[error("the API server did not answer within {} s", DEADLINE.as_secs())]
    Deadline,
    /// The answer to a look came too late to rest on. It is tried again.
    #[error("the API server took more than {} s to show the object; that answer is not used", LOOK.as_secs())]
    Slow,
    /// The session was driven wrongly.
    #[error("this is a bug of the operator: {0}")]
    Misused(#[from] Misuse),
    /// The API server refused what only a bug of ours can send.
    #[error("this is a bug of the operator: {}", words(.0))]
    Bug(#[source] kube::Error),
    /// HTTP 404 without proof that the object is gone. It is tried again.
    #[error(
        "HTTP 404 without proof that the object does not exist: a version of the resource may not be served at the moment, or a proxy or \
         webhook may have answered; {}",
        words(.0)
    )]
    Unproven(#[source] kube::Error),
    /// Anything else; it is tried again.
    #[error("{}", words(.0))]
    Api(#[source] kube::Error),
}

/// What a person needs of an error: the refusal without its record (of a missing right it names the right and where it is missing), the cause
/// without what it came through.
pub fn words(error: &kube::Error) -> String {
    if let kube::Error::Api(status) = error {
        return format!("the API server says: {}", status.message);
    }
    apiserver::unreached(error)
}

/// How long an object waits after so many failures of Kubernetes requests in a row (R13).
pub fn wait_after(failures: u32) -> Duration {
    backoff::delay(&Cause::Unavailable, failures, None, fastrand::u16(..)).unwrap_or(backoff::MAX)
}

/// Reads the object, not from a cache.
pub async fn get<K: Kind>(client: &Client, key: &ObjectKey) -> Result<Outcome<K>, KubeError> {
    outcome(key, within(api(client, key).get(&key.name)).await)
}

/// Patches the object.
pub async fn patch<K: Kind>(client: &Client, key: &ObjectKey, patch: Value) -> Result<Outcome<K>, KubeError> {
    written(client, requests::<K>(key).patch(&key.name, &params(), &Patch::Merge(patch))).await
}

/// Patches the object's status.
pub async fn patch_status<K: Kind>(client: &Client, key: &ObjectKey, patch: Value) -> Result<Outcome<K>, KubeError> {
    written(client, requests::<K>(key).patch_subresource("status", &key.name, &params(), &Patch::Merge(patch))).await
}

/// True if a fresh list shows an object that `fields` select, other than that of `uid`.
pub async fn has_another<K: Kind>(apis: &[Api<K>], fields: &str, uid: &Uid) -> Result<bool, KubeError> {
    let params = ListParams::default().fields(fields);
    for api in apis {
        let found = within(api.list(&params)).await?.map_err(KubeError::Api)?;
        if found.items.iter().any(|object| object.uid() != uid) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What an uncached read shows of the kind's CustomResourceDefinition (R10).
pub async fn crd<K: Kind>(client: &Client) -> Result<CrdSight, KubeError> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = K::definition();
    match within(api.get_metadata(&name)).await? {
        Ok(found) if found.metadata.deletion_timestamp.is_none() => Ok(CrdSight::Stays),
        Ok(_) => Ok(CrdSight::Going),
        Err(kube::Error::Api(status)) if proves_absence(&status, CRD_GROUP, CRD_PLURAL, &name) => Ok(CrdSight::Missing),
        Err(kube::Error::Api(status)) if status.code == 404 => Err(KubeError::Unproven(kube::Error::Api(status))),
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(CrdSight::Hidden),
        Err(error) => Err(KubeError::Api(error)),
    }
}

fn api<K: Kind>(client: &Client, key: &ObjectKey) -> Api<K> {
    Api::namespaced(client.clone(), &key.namespace)
}

fn requests<K: Kind>(key: &ObjectKey) -> Request {
    Request::new(K::url_path(&(), Some(&key.namespace)))
}

fn params() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

/// Runs a request under the deadline.
pub async fn within<T>(request: impl Future<Output = kube::Result<T>>) -> Result<kube::Result<T>, KubeError> {
    tokio::time::timeout(DEADLINE, request).await.map_err(|_| KubeError::Deadline)
}

async fn written<K: Kind>(
    client: &Client,
    request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
) -> Result<Outcome<K>, KubeError> {
    let mut request = request.map_err(|error| KubeError::Bug(kube::Error::BuildRequest(error)))?;
    // The type that kube has for a JSON patch is read from JSON first, which costs more than all else that is done for a write.
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON_PATCH));
    let answer = match within(answer::send(client, request)).await {
        Err(KubeError::Deadline) => return Ok(unanswered(NO_ANSWER)),
        Ok(Err(error)) => match transport::find::<Silent>(&error) {
            Some(silent) => return Ok(unanswered(if silent.with_another { GIVEN_UP } else { NO_ANSWER })),
            None => return Err(KubeError::Api(error)),
        },
        answer => answer?.map_err(KubeError::Api)?,
    };
    match answer {
        WriteAnswer::Now(object) => Ok(Outcome::Now(object)),
        WriteAnswer::Stale(answer) => Ok(Outcome::Stale(answer)),
        WriteAnswer::Refused(answer) => Ok(Outcome::Refused(answer)),
    }
}

/// A webhook or the storage may hang: that is told as what else is refused. Whether it took effect, the next try shows.
fn unanswered<K>(words: &str) -> Outcome<K> {
    Outcome::Refused(Refused { code: 504, words: words.to_owned(), retry_after: None })
}

/// The field manager that last wrote the object itself, no longer ago than `ago`, as its managedFields tell. `None`: they do not.
pub async fn last_manager<K: Kind>(
    client: &Client,
    key: &ObjectKey,
    ago: Duration,
) -> Result<Option<String>, KubeError> {
    let found = within(api::<K>(client, key).get_metadata(&key.name)).await?.map_err(KubeError::Api)?;
    let since = Timestamp::now().checked_sub(ago.saturating_add(SKEW)).unwrap_or(Timestamp::MIN);
    Ok(last_writer(found.metadata.managed_fields.unwrap_or_default(), since))
}

fn last_writer(entries: Vec<ManagedFieldsEntry>, since: Timestamp) -> Option<String> {
    let main = entries.into_iter().filter(|entry| entry.subresource.as_deref().is_none_or(str::is_empty));
    let known = main.filter_map(|entry| Some((entry.time?.0, entry.manager?)));
    let mut others: Vec<_> = known.filter(|(at, manager)| *at >= since && manager != FIELD_MANAGER).collect();
    others.sort_unstable();
    let (at, last) = others.pop()?;
    // They tell whole seconds: of two in the same second it may be either.
    others.iter().all(|(other, _)| *other < at).then_some(last)
}

fn outcome<K: Kind>(key: &ObjectKey, answer: Result<kube::Result<K>, KubeError>) -> Result<Outcome<K>, KubeError> {
    match answer? {
        Ok(mut object) => {
            object.prune_reply();
            Ok(Outcome::Now(Box::new(object)))
        }
        Err(kube::Error::Api(status)) if proves_absence(&status, &K::group(&()), &K::plural(&()), &key.name) => {
            Ok(Outcome::Gone)
        }
        Err(kube::Error::Api(status)) if status.code == 404 => Err(KubeError::Unproven(kube::Error::Api(status))),
        Err(error) => Err(KubeError::Api(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::identity::raw::RawIdentity;
    use serde_json::json;

    #[tokio::test(start_paused = true)]
    async fn a_write_without_an_answer_is_told_as_refused() {
        let never = tower::service_fn(|_: http::Request<kube::client::Body>| {
            std::future::pending::<Result<http::Response<kube::client::Body>, tower::BoxError>>()
        });
        let key = ObjectKey { namespace: "shop".to_owned(), name: "customer".to_owned() };
        let begun = tokio::time::Instant::now();
        let outcome = patch::<RawIdentity>(&Client::new(never, "shop"), &key, json!([])).await.unwrap();
        assert!(begun.elapsed() >= WRITE_SILENCE, "{:?}", begun.elapsed());
        let Outcome::Refused(refused) = outcome else { panic!("{outcome:?}") };
        assert_eq!((refused.code, refused.words.contains("admission webhook")), (504, true), "{refused:?}");
    }

    #[test]
    fn who_wrote_last_is_told_only_if_it_can_be_told() {
        let entry = |manager: &str, subresource: &str, second: i64| {
            let time = Timestamp::from_second(second).unwrap().to_string();
            serde_json::from_value::<ManagedFieldsEntry>(
                json!({"manager": manager, "operation": "Update", "subresource": subresource, "time": time}),
            )
            .unwrap()
        };
        let last = |entries| last_writer(entries, Timestamp::from_second(100).unwrap());
        let created = entry("kubectl-create", "", 50);
        assert_eq!(last(vec![created.clone(), entry(FIELD_MANAGER, "", 200)]), None, "before ours");
        let others = vec![created, entry("argocd", "", 150), entry("kyverno", "", 160), entry("status", "status", 170)];
        assert_eq!(last(others.clone()).as_deref(), Some("kyverno"));
        assert_eq!(last([others, vec![entry("zulu", "", 160)]].concat()), None, "either of them");
        assert_eq!(last(vec![ManagedFieldsEntry::default()]), None);
    }
}
