//! Asks the API server what a manifest would make of an object, so that admission policies speak. Nothing is stored.

use std::collections::{BTreeMap, HashMap};

use futures::{StreamExt as _, TryStreamExt as _};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use kube::core::{Request, Status};
use kube::{Client, Resource as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::args::Failure;
use crate::controller::{KubeError, RawIdentity, within_deadline};
use crate::domain::ObjectKey;
use crate::gather::ListedIdentity;
use crate::plan::{Manifest, Manifests, applier, merged};
use crate::text::printable;

/// Requests at a time.
const AT_A_TIME: usize = 16;
/// Characters of the API server's words that are kept.
const MAX_WORDS: usize = 500;
/// The field manager of a client-side apply.
const MANAGER: &str = "kubectl-client-side-apply";

/// What the API server makes of each manifest that differs from its object, or why it refuses it.
pub(super) async fn served(
    client: &Client,
    manifests: &Manifests,
    listed: &[ListedIdentity],
) -> Result<BTreeMap<ObjectKey, Result<Value, String>>, Failure> {
    let live: HashMap<ObjectKey, Value> = listed
        .iter()
        .filter_map(|it| Some((it.raw.key(), serde_json::from_str(it.json.as_ref()?.get()).ok()?)))
        .collect();
    let differs = |(key, manifest): &(&ObjectKey, &Manifest)| {
        live.get(*key).is_none_or(|live| {
            let after = merged(live, &manifest.value());
            after["spec"] != live["spec"] || after["metadata"] != live["metadata"]
        })
    };
    let asked = manifests.all.iter().filter(differs).map(|(key, manifest)| {
        let live = live.get(key);
        async move { Ok((key.clone(), ask(client, key, manifest, live).await?)) }
    });
    futures::stream::iter(asked).buffer_unordered(AT_A_TIME).try_collect().await
}

/// What becomes of one manifest; the inner error: the API server or a policy refuses it.
async fn ask(
    client: &Client,
    key: &ObjectKey,
    manifest: &Manifest,
    live: Option<&Value>,
) -> Result<Result<Value, String>, Failure> {
    let failed = |why: String| Failure::DryRun(format!("{}/{}", key.namespace, key.name), why);
    let request = request(key, manifest, live).map_err(failed)?;
    match within_deadline(client.request::<Value>(request)).await {
        Ok(Ok(object)) => Ok(Ok(object)),
        Ok(Err(kube::Error::Api(status))) if is_of_the_manifest(&status) => {
            Ok(Err(printable(status.message.trim_end_matches('.'), MAX_WORDS)))
        }
        Ok(Err(error)) => Err(failed(KubeError::Api(error).to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// The manifest is refused, and not the caller, or the moment.
fn is_of_the_manifest(status: &Status) -> bool {
    match status.code {
        400 | 409 | 413 | 415 | 422 => true,
        // A policy's denial, and not a missing right.
        403 => !status.message.contains(" cannot "),
        _ => false,
    }
}

/// The merge patch (RFC 7396) that makes one of the other.
fn change(from: &Value, to: &Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (from, to) else { return to.clone() };
    let gone = before.keys().filter(|name| !after.contains_key(*name)).map(|name| (name.clone(), Value::Null));
    let differs = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let changed = differs.map(|(name, value)| (name.clone(), change(before.get(name).unwrap_or(&Value::Null), value)));
    gone.chain(changed).collect()
}

fn request(key: &ObjectKey, manifest: &Manifest, live: Option<&Value>) -> Result<http::Request<Vec<u8>>, String> {
    let path = Request::new(RawIdentity::url_path(&(), Some(&key.namespace))).url_path;
    let named = format!("{path}/{}", key.name);
    let (method, path, kind, body) = match (live, live.and_then(applier)) {
        (None, _) => {
            let path = format!("{path}?dryRun=All&fieldManager={MANAGER}");
            (Method::POST, path, "application/json", manifest.value())
        }
        (Some(_), Some(manager)) => {
            let manager = utf8_percent_encode(&manager, NON_ALPHANUMERIC);
            let path = format!("{named}?dryRun=All&force=true&fieldManager={manager}");
            (Method::PATCH, path, "application/apply-patch+yaml", manifest.value())
        }
        (Some(live), None) => {
            let after = merged(live, &manifest.value());
            let change_of = json!({"spec": change(&live["spec"], &after["spec"]), "metadata": {
                "labels": change(&live["metadata"]["labels"], &after["metadata"]["labels"]),
                "annotations": change(&live["metadata"]["annotations"], &after["metadata"]["annotations"]),
            }});
            let path = format!("{named}?dryRun=All&fieldManager={MANAGER}");
            (Method::PATCH, path, "application/merge-patch+json", change_of)
        }
    };
    let mut request = http::Request::builder()
        .method(method)
        .uri(path)
        .body(body.to_string().into_bytes())
        .map_err(|error| error.to_string())?;
    let kind = HeaderValue::from_str(kind).map_err(|error| error.to_string())?;
    request.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_says_only_what_changes() {
        let before = json!({"externalId": "x", "meta": {"plan": "pro", "kept": 1, "gone": 2}, "ratelimits": [1]});
        let after = json!({"externalId": "x", "meta": {"plan": "free", "kept": 1}, "ratelimits": [1, 2]});
        let change_of = json!({"meta": {"plan": "free", "gone": null}, "ratelimits": [1, 2]});
        assert_eq!(change(&before, &after), change_of);
        assert_eq!(change(&before, &before), json!({}));
        assert_eq!(change(&Value::Null, &Value::Null), Value::Null, "no labels before, none after");
        assert_eq!(change(&json!({"a": "b"}), &Value::Null), Value::Null, "the last label goes");
    }
}
