//! Reads the Identities that a command names. All of them before anything else is done: a name that does not exist ends the command.

use kube::Client;
use serde_json::Value;

use crate::domain::ObjectKey;
use crate::gather::{GatherError, get_identity};

/// Why a named Identity cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(
        "there is no Identity '{0}' in namespace '{1}'; nothing was changed. To see which there are: kubectl get identities.unkey.com --namespace {1}"
    )]
    NoSuch(String, String),
    #[error(transparent)]
    Gather(#[from] GatherError),
}

/// Each of them as the API server shows it.
pub(super) async fn fetch(client: &Client, keys: &[ObjectKey]) -> Result<Vec<Value>, FetchError> {
    let mut objects = Vec::new();
    for key in keys {
        let found = get_identity(client, key).await?;
        objects.push(found.ok_or_else(|| FetchError::NoSuch(key.name.clone(), key.namespace.clone()))?);
    }
    Ok(objects)
}
