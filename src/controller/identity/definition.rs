//! Whether the cluster's definition of `Identity` knows all that this program writes and reads. An older one makes the API server drop fields
//! without a word: what is recorded is then lost, and what a manifest says does not arrive.
//!
//! It is read as the API server publishes it for everybody (`OpenAPI`), so that no right to the definition is needed, in either mode. Where even
//! that is refused, the answer to a status that was written shows what was dropped. It decides nothing.

use parking_lot::Mutex;
use std::time::Duration;

use http::Request;
use kube::Client;
use serde_json::Value;
use tokio::sync::Notify;

use crate::api::{self, CRD_NAME, GROUP, ServedDifference, VERSION, dropped_by_served};
use crate::controller::runtime::api_server::{KubeError, within};
use crate::domain::OwnershipGate;
use crate::telemetry::LogOnce;

/// How often it is looked at while all is well, and while it is not or an answer says otherwise.
const EVERY: Duration = Duration::from_secs(60);
const SOON: Duration = Duration::from_secs(5);
/// So many looks are made soon: the API server takes a moment to publish a change.
const LOOKS_SOON: u32 = 6;

/// What is known of the definition.
#[derive(Debug, Default)]
pub struct Definition {
    state: Mutex<State>,
    doubted: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The fields that the API server drops.
    dropped: Vec<String>,
    /// The published one is the source; else the answers to what was written.
    published: bool,
    told: LogOnce,
}

impl Definition {
    /// Whether an object that owns nothing yet may come to own an identity: what would record that is dropped.
    pub fn ownership_gate(&self) -> OwnershipGate {
        let state = self.state.lock();
        if state.dropped.is_empty() { OwnershipGate::Open } else { OwnershipGate::Outdated }
    }

    /// How many fields are dropped.
    pub fn dropped(&self) -> usize {
        self.state.lock().dropped.len()
    }

    /// What is wrong, in words.
    pub fn gap(&self) -> Option<String> {
        let state = self.state.lock();
        let fields = state.dropped.join(", ");
        (!state.dropped.is_empty()).then(|| {
            format!(
                "an up-to-date CustomResourceDefinition {CRD_NAME}: the one in the cluster is older than the operator, so the API \
                 server drops {fields}; apply crds/identities.unkey.com.yaml of the operator's version"
            )
        })
    }

    /// The published definition drops these. True if that ends what held objects back.
    fn is_published(&self, dropped: Vec<String>) -> bool {
        let ended = {
            let mut state = self.state.lock();
            let ended = !state.dropped.is_empty() && dropped.is_empty();
            (state.dropped, state.published) = (dropped, true);
            ended
        };
        self.tell();
        ended
    }

    /// The published definition cannot be read: the answers to what is written have to tell.
    fn is_hidden(&self) {
        self.state.lock().published = false;
    }

    /// The API server has dropped these fields of a status.
    pub fn drops(&self, fields: Vec<String>) {
        let is_published = {
            let mut state = self.state.lock();
            if !state.published {
                state.dropped = fields;
            }
            state.published
        };
        if is_published {
            self.doubted.notify_one();
        } else {
            self.tell();
        }
    }

    /// The API server has kept a status as it was written. True if that ends what held objects back.
    pub fn keeps(&self) -> bool {
        let ended = {
            let mut state = self.state.lock();
            !state.published && !std::mem::take(&mut state.dropped).is_empty()
        };
        self.tell();
        ended
    }

    fn tell(&self) {
        let gap = self.gap();
        let mut state = self.state.lock();
        match gap {
            Some(_) => {
                let fields = state.dropped.join(", ");
                if state.told.is_news(&fields) {
                    tracing::error!(
                        dropped = fields,
                        "the CustomResourceDefinition {CRD_NAME} is older than this operator; upgrade it: nothing is created or adopted until then"
                    );
                }
            }
            None if state.told.ends() => {
                tracing::info!("the CustomResourceDefinition {CRD_NAME} has all fields of this operator again");
            }
            None => {}
        }
    }
}

/// What the API server publishes of our group and version.
async fn published(client: &Client) -> Result<kube::Result<Value>, KubeError> {
    let path = format!("/openapi/v3/apis/{GROUP}/{VERSION}");
    let request = Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError);
    match request {
        Ok(request) => within(client.request(request)).await,
        Err(error) => Ok(Err(error)),
    }
}

/// How the definition that the cluster publishes differs from this program's; `None`: it publishes none (yet).
pub async fn difference(client: &Client) -> Result<Option<ServedDifference>, KubeError> {
    match published(client).await? {
        Ok(document) => Ok(api::difference(&document)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(KubeError::Api(error)),
    }
}

/// One look. `ended` is told if that ends what held objects back. Returns when to look again, as far as what it shows goes.
pub async fn look(client: &Client, definition: &Definition, ended: &impl Fn()) -> Duration {
    match published(client).await {
        Ok(Ok(document)) => match dropped_by_served(&document) {
            Some(dropped) => {
                let wait = if dropped.is_empty() { EVERY } else { SOON };
                if definition.is_published(dropped) {
                    ended();
                }
                wait
            }
            // Not published yet.
            None => SOON,
        },
        Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
            definition.is_hidden();
            EVERY
        }
        // Not published yet; or the API server is away, which others tell.
        Ok(Err(_)) | Err(_) => SOON,
    }
}

/// Follows the definition as it changes.
pub async fn follow(client: &Client, definition: &Definition, ended: impl Fn()) {
    let mut soon = 0_u32;
    loop {
        let wait = look(client, definition, &ended).await;
        let wait = if soon > 0 { wait.min(SOON) } else { wait };
        soon = soon.saturating_sub(1);
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = definition.doubted.notified() => {
                soon = LOOKS_SOON;
                // An answer each for many objects is one reason to look.
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}
