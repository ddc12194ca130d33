//! `unkey-operator unmanage`: removes our finalizer and claim from Identities before the operator is uninstalled. It has no client of Unkey,
//! and so cannot touch it. A running operator would put both back: the first object shows whether one is there.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use kube::Client;
use kube::api::ListParams;

use super::patch;
use super::raw::RawIdentity;
use crate::api::ConditionType;
use crate::controller::runtime::api_server::{self, KubeError, Outcome};
use crate::controller::runtime::scope::Scope;
use crate::domain::{CrdSight, ObjectKey, Refused};
use crate::text::printable;

/// Characters of the API server's words that are kept.
const MAX_WORDS: usize = 500;
/// Objects of one page.
const PAGE: u32 = 500;
/// Objects that are written to at a time.
const AT_A_TIME: usize = 16;
/// How often one object is read again because somebody else has changed it meanwhile.
const TRIES: u32 = 10;
/// An operator that runs puts back what it finds missing within this time, and that is looked for so often.
const PUT_BACK: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Why nothing could be listed.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// `--selector` is not one.
    #[error("the API server refuses --selector: {0}")]
    Selector(String),
    /// The CRD is not installed.
    #[error("the CRD of Identity is not installed, so there is nothing to release")]
    NoCrd,
    /// Anything else.
    #[error("the Identities cannot be listed: {0}")]
    Kube(#[from] KubeError),
}

/// Why nothing but the first object was tried, or not all could be looked at again.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// An operator runs.
    #[error("an operator is running: it added finalizer and claim to {0} again; nothing else was changed")]
    AtWork(String),
    /// The API server failed.
    #[error("cannot check whether an operator is running: {0}; nothing else was changed")]
    Unseen(#[from] KubeError),
    /// The list afterwards failed.
    #[error("the result of the release cannot be checked: {0}")]
    Survey(#[from] SurveyError),
}

/// Why one object could not be released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The API server failed or refused.
    #[error(transparent)]
    Kube(#[from] KubeError),
    /// The API server did not take the patch.
    #[error("the API server says: {0}")]
    Refused(String),
    /// It never held still.
    #[error("another client changed the resource {TRIES} times in a row")]
    Contested,
}

/// The Identities that carry our finalizer or claim.
#[derive(Debug, Default)]
pub struct UnmanagePlan {
    /// In the order of their names.
    held: Vec<Held>,
}

/// One of them: what a release needs of it, and not its content.
#[derive(Debug)]
struct Held {
    key: ObjectKey,
    leaving: bool,
    /// An operator at work would put both back, as R1 says: it lives, owns an identity and is not suspended.
    minded: bool,
    patch: serde_json::Value,
}

/// What became of a release.
#[derive(Debug, Default)]
pub struct Released {
    /// Objects that carry neither any more, or are gone.
    pub freed: usize,
    /// Those that still do, and why.
    pub failed: Vec<(ObjectKey, ReleaseError)>,
    /// Objects that somebody has put finalizer or claim on since: an operator has come to work.
    pub put_back: usize,
}

impl Held {
    fn of(object: &RawIdentity) -> Option<Self> {
        let is_held = object.finalizers().ours().is_some() || object.claim().is_some();
        is_held.then(|| Self {
            key: object.key(),
            leaving: object.is_leaving(),
            minded: is_minded(object),
            patch: patch::release(object, &object.guard()),
        })
    }
}

fn is_minded(object: &RawIdentity) -> bool {
    let Some(status) = object.read_status().filter(|_| !object.is_leaving()) else { return false };
    status.uid.as_deref() == Some(object.uid().as_str())
        && status.identity_id.is_some()
        && !status.is_true(ConditionType::Suspended)
}

impl UnmanagePlan {
    /// Lists what there is, page by page.
    pub async fn take(client: &Client, scope: &Scope) -> Result<Self, SurveyError> {
        let mut held = Vec::new();
        for api in scope.apis(client) {
            let mut params = ListParams::default().limit(PAGE);
            params.label_selector.clone_from(&scope.selector);
            loop {
                let page = match api_server::within(api.list(&params)).await? {
                    Ok(page) => page,
                    Err(error) => return Err(SurveyError::of(client, error, scope).await),
                };
                held.extend(page.items.iter().filter_map(Held::of));
                match page.metadata.continue_.filter(|token| !token.is_empty()) {
                    Some(token) => params.continue_token = Some(token),
                    None => break,
                }
            }
        }
        Ok(Self { held })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// In how many namespaces.
    pub fn namespaces(&self) -> usize {
        self.held.iter().map(|held| &held.key.namespace).collect::<BTreeSet<_>>().len()
    }

    /// How many of them are being deleted.
    pub fn leaving(&self) -> usize {
        self.held.iter().filter(|held| held.leaving).count()
    }

    /// Which they are.
    pub fn keys(&self) -> impl Iterator<Item = &ObjectKey> {
        self.held.iter().map(|held| &held.key)
    }

    /// Takes finalizer and claim off them. The first one tells whether an operator is at work, before any is let go that it would still have
    /// brought to an end.
    pub async fn release(mut self, client: &Client, scope: &Scope) -> Result<Released, StopError> {
        let mut released = Released::default();
        if let Some(at) = self.held.iter().position(|held| held.minded) {
            let first = one(client, self.held.remove(at)).await;
            if first.1.is_ok() && is_put_back(client, &first.0).await? {
                return Err(StopError::AtWork(format!("{}/{}", first.0.namespace, first.0.name)));
            }
            released.add(first);
        }
        let mut waiting = self.held.into_iter();
        let mut running: FuturesUnordered<_> = waiting.by_ref().take(AT_A_TIME).map(|it| one(client, it)).collect();
        while let Some(done) = running.next().await {
            released.add(done);
            running.extend(waiting.next().map(|it| one(client, it)));
        }
        let failed: HashSet<&ObjectKey> = released.failed.iter().map(|(key, _)| key).collect();
        let left = Self::take(client, scope).await?;
        released.put_back = left.keys().filter(|key| !failed.contains(key)).count();
        Ok(released)
    }
}

impl Released {
    fn add(&mut self, (key, result): (ObjectKey, Result<(), ReleaseError>)) {
        match result {
            Ok(()) => self.freed += 1,
            Err(error) => self.failed.push((key, error)),
        }
    }
}

impl SurveyError {
    async fn of(client: &Client, error: kube::Error, scope: &Scope) -> Self {
        match error {
            // While a version is not served, the list is a 404 too.
            kube::Error::Api(status) if status.code == 404 => match api_server::crd::<RawIdentity>(client).await {
                Ok(CrdSight::Missing) => Self::NoCrd,
                _ => Self::Kube(KubeError::Unproven(kube::Error::Api(status))),
            },
            kube::Error::Api(status) if status.code == 400 && scope.selector.is_some() => {
                Self::Selector(status.message.clone())
            }
            error => Self::Kube(KubeError::Api(error)),
        }
    }
}

fn refused(answer: &Refused) -> ReleaseError {
    ReleaseError::Refused(printable(&answer.words, MAX_WORDS))
}

/// Finalizer and claim off one object, in one patch; read again as often as somebody else was faster.
async fn one(client: &Client, held: Held) -> (ObjectKey, Result<(), ReleaseError>) {
    let Held { key, mut patch, .. } = held;
    for _ in 0..TRIES {
        let answer = match api_server::patch(client, &key, patch.clone()).await {
            Ok(Outcome::Gone) => return (key, Ok(())),
            Ok(Outcome::Now(object)) if Held::of(&object).is_none() => return (key, Ok(())),
            Ok(Outcome::Now(_)) => {
                return (key, Err(refused(&Refused::without_effect("finalizer or claim is still there"))));
            }
            Ok(Outcome::Refused(answer)) => return (key, Err(refused(&answer))),
            Ok(Outcome::Stale(answer)) => answer,
            Err(error) => return (key, Err(error.into())),
        };
        match api_server::get(client, &key).await {
            Ok(Outcome::Now(object)) => match Held::of(&object) {
                // Nothing has changed, so no test in the patch can have failed.
                Some(held) if held.patch == patch => return (key, Err(refused(&answer))),
                Some(held) => patch = held.patch,
                None => return (key, Ok(())),
            },
            Ok(_) => return (key, Ok(())),
            Err(error) => return (key, Err(error.into())),
        }
    }
    (key, Err(ReleaseError::Contested))
}

/// True as soon as somebody has put finalizer or claim on it again; false once that would have been seen.
async fn is_put_back(client: &Client, key: &ObjectKey) -> Result<bool, KubeError> {
    let until = tokio::time::Instant::now() + PUT_BACK;
    while tokio::time::Instant::now() < until {
        tokio::time::sleep(LOOK_EVERY).await;
        if let Outcome::Now(object) = api_server::get(client, key).await?
            && Held::of(&object).is_some()
        {
            return Ok(true);
        }
    }
    Ok(false)
}
