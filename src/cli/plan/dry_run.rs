//! Asks the API server what a manifest would make of an object, so that admission policies speak. Nothing is stored.

use std::collections::{BTreeMap, HashMap};

use futures::StreamExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use kube::core::Request;
use kube::{Client, Resource as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::controller::{KubeError, RawIdentity, within_deadline};
use crate::domain::ObjectKey;
use crate::gather::ListedIdentity;
use crate::plan::{Manifest, Manifests, applier, merged};

/// Requests at a time.
const AT_A_TIME: usize = 16;
/// Who applies what nobody has applied yet.
const MANAGER: &str = "kubectl-client-side-apply";

/// What the API server makes of each manifest that differs from its object, or why it refuses it.
pub(super) async fn served(
    client: &Client,
    manifests: &Manifests,
    listed: &[ListedIdentity],
) -> BTreeMap<ObjectKey, Result<Value, String>> {
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
        async move { (key.clone(), ask(client, key, manifest, live).await) }
    });
    futures::stream::iter(asked).buffer_unordered(AT_A_TIME).collect().await
}

async fn ask(client: &Client, key: &ObjectKey, manifest: &Manifest, live: Option<&Value>) -> Result<Value, String> {
    let request = request(key, manifest, live)?;
    match within_deadline(client.request::<Value>(request)).await {
        Ok(Ok(object)) => Ok(object),
        Ok(Err(kube::Error::Api(status))) => Err(status.message.trim_end_matches('.').to_owned()),
        Ok(Err(error)) => Err(KubeError::Api(error).to_string()),
        Err(error) => Err(error.to_string()),
    }
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
            let mut after = merged(live, &manifest.value());
            if let Some(fields) = after.as_object_mut() {
                fields.remove("status");
            }
            (Method::PUT, format!("{named}?dryRun=All&fieldManager={MANAGER}"), "application/json", after)
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
