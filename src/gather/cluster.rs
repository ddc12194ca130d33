//! Lists the Identities of a cluster, page by page.

use std::collections::HashMap;

use k8s_openapi::jiff::Timestamp;
use kube::Resource as _;
use kube::api::{GetParams, ListParams};
use kube::core::{ListMeta, Request};
use kube::{Api, Client};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::GatherError;
use super::progress::Progress;
use crate::api::{GROUP, PLURAL, proves_absence};
use crate::controller::{CrdSight, KubeError, RawIdentity, Scope, definition_sight, within_deadline};
use crate::domain::{ObjectKey, Uid};

/// Objects of one page.
const PAGE: u32 = 500;
/// The API server may give up a list that takes long; so often it is begun anew.
const TRIES: u32 = 3;

/// An Identity as it was listed.
#[derive(Debug)]
pub struct ListedIdentity {
    /// The object.
    pub raw: Box<RawIdentity>,
    /// When the operator last wrote to it, in seconds since 1970, as its managedFields tell; `None`: they do not.
    pub written: Option<i64>,
    /// The whole object as JSON, if it was asked for.
    pub json: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: ListMeta,
    items: Vec<Box<RawValue>>,
}

/// Lists the Identities of `scope`. `keeps`: those whose whole JSON is wanted.
pub async fn list_identities(
    client: &Client,
    scope: &Scope,
    keeps: impl Fn(&ObjectKey) -> bool,
) -> Result<Vec<ListedIdentity>, GatherError> {
    listed(client, scope, |item| listed_identity(item, &keeps)).await
}

/// Name and version of each Identity of `scope`, by uid.
pub async fn list_versions(client: &Client, scope: &Scope) -> Result<HashMap<Uid, (ObjectKey, u64)>, GatherError> {
    #[derive(Deserialize)]
    struct Item {
        metadata: Meta,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Meta {
        namespace: String,
        name: String,
        uid: String,
        resource_version: String,
    }
    let read = |item: Box<RawValue>| {
        let Item { metadata: Meta { namespace, name, uid, resource_version } } = serde_json::from_str(item.get())?;
        Ok((Uid::new(&uid), (ObjectKey { namespace, name }, resource_version.parse().unwrap_or(0))))
    };
    Ok(listed(client, scope, read).await?.into_iter().collect())
}

/// One Identity as the API server shows it; `None`: there is none of that name.
pub async fn get_identity(client: &Client, key: &ObjectKey) -> Result<Option<Value>, GatherError> {
    let failed =
        |error| GatherError::Object { name: format!("{}/{}", key.namespace, key.name), source: Box::new(error) };
    let path = Request::new(RawIdentity::url_path(&(), Some(&key.namespace)));
    let request = path.get(&key.name, &GetParams::default()).map_err(|it| bug(kube::Error::BuildRequest(it)))?;
    match within_deadline(client.request(request)).await.map_err(failed)? {
        Ok(object) => Ok(Some(object)),
        Err(kube::Error::Api(status)) if proves_absence(&status, GROUP, PLURAL, &key.name) => Ok(None),
        Err(error @ kube::Error::Api(_)) if is_not_found(&error) => {
            Err(refused(client, error, &Scope::default()).await)
        }
        Err(error) => Err(failed(KubeError::Api(error))),
    }
}

/// An Identity of which `object` is the JSON.
pub fn parse_identity(object: Value) -> Result<RawIdentity, GatherError> {
    serde_json::from_value(object).map_err(GatherError::Unreadable)
}

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// The names of the first Identities of a namespace, at most `most`.
pub async fn list_names(client: &Client, namespace: &str, most: u32) -> Result<Vec<String>, GatherError> {
    let api: Api<RawIdentity> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().limit(most);
    match within_deadline(api.list_metadata(&params)).await.map_err(GatherError::identities)? {
        Ok(page) => Ok(page.items.into_iter().filter_map(|item| item.metadata.name).collect()),
        Err(error) => Err(refused(client, error, &Scope::default()).await),
    }
}

async fn listed<T>(
    client: &Client,
    scope: &Scope,
    read: impl Fn(Box<RawValue>) -> Result<T, serde_json::Error>,
) -> Result<Vec<T>, GatherError> {
    let mut progress = Progress::of("listing the Identities");
    for _ in 0..TRIES {
        match listed_once(client, scope, &read, &mut progress).await {
            Err(error) if is_expired(&error) => {}
            result => return result,
        }
    }
    Err(GatherError::Expired(TRIES))
}

fn is_expired(error: &GatherError) -> bool {
    let GatherError::Identities(error) = error else { return false };
    matches!(&**error, KubeError::Api(kube::Error::Api(status)) if status.code == 410)
}

async fn listed_once<T>(
    client: &Client,
    scope: &Scope,
    read: &impl Fn(Box<RawValue>) -> Result<T, serde_json::Error>,
    progress: &mut Progress,
) -> Result<Vec<T>, GatherError> {
    let mut listed = Vec::new();
    for namespace in scope.each_namespace() {
        let requests = Request::new(RawIdentity::url_path(&(), namespace));
        let mut params = ListParams::default().limit(PAGE);
        params.label_selector.clone_from(&scope.selector);
        loop {
            let request = requests.list(&params).map_err(|error| bug(kube::Error::BuildRequest(error)))?;
            let page: Page = match within_deadline(client.request(request)).await.map_err(GatherError::identities)? {
                Ok(page) => page,
                Err(error) => return Err(refused(client, error, scope).await),
            };
            for item in page.items {
                listed.push(read(item).map_err(GatherError::Unreadable)?);
            }
            progress.at(listed.len());
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => break,
            }
        }
    }
    Ok(listed)
}

fn bug(error: kube::Error) -> GatherError {
    GatherError::identities(KubeError::Bug(error))
}

fn listed_identity(
    item: Box<RawValue>,
    keeps: &impl Fn(&ObjectKey) -> bool,
) -> Result<ListedIdentity, serde_json::Error> {
    let mut raw: RawIdentity = serde_json::from_str(item.get())?;
    let written = raw.last_write().map(Timestamp::as_second);
    raw.prune();
    let json = keeps(&raw.key()).then_some(item);
    Ok(ListedIdentity { raw: Box::new(raw), written, json })
}

async fn refused(client: &Client, error: kube::Error, scope: &Scope) -> GatherError {
    match error {
        // While a version is not served, the list is a 404 too.
        kube::Error::Api(status) if status.code == 404 => match definition_sight(client).await {
            Ok(CrdSight::Missing) => GatherError::NoDefinition,
            _ => GatherError::identities(KubeError::Unproven(kube::Error::Api(status))),
        },
        kube::Error::Api(status) if status.code == 400 && scope.selector.is_some() => {
            GatherError::Selector(status.message.clone())
        }
        error => GatherError::identities(KubeError::Api(error)),
    }
}
