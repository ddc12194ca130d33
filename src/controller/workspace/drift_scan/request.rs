//! One request of a scan, and what its failure means for the scan.

use std::sync::Arc;
use std::time::Duration;

use super::super::pinned_client::PinnedClient;
use super::super::upstream;
use crate::controller::identity::context::Context;
use crate::controller::runtime::dispatcher::Priority;
use crate::domain::{Cause, Mono, backoff};
use crate::telemetry::ScanEnd;
use crate::unkey::{self, Class, Client, Operation};

/// Failures in a row that end a scan; the next one comes anyway.
const MAX_FAILURES: u32 = 4;

/// How a scan ended.
#[derive(Debug)]
pub enum End {
    /// Everything was looked at.
    Complete,
    /// There was nothing to look at, and nothing was asked.
    Nothing,
    /// Unkey cannot be asked: the root key, a permission, a wrong URL.
    Refused(String),
    /// Unkey fails.
    Failed(String),
    /// Another root key came into use on the way.
    KeyChanged,
    /// A bug of ours.
    Panicked,
}

impl End {
    /// For the metric.
    pub fn kind(&self) -> ScanEnd {
        match self {
            Self::Complete => ScanEnd::Complete,
            Self::Nothing => ScanEnd::Nothing,
            Self::Refused(_) => ScanEnd::Refused,
            Self::Failed(_) => ScanEnd::Failed,
            Self::KeyChanged => ScanEnd::KeyChanged,
            Self::Panicked => ScanEnd::Panic,
        }
    }

    /// What kept it from its end.
    pub fn why(&self) -> Option<String> {
        match self {
            Self::Complete | Self::Nothing => None,
            Self::Refused(why) | Self::Failed(why) => Some(why.clone()),
            Self::KeyChanged => Some("the root key changed".to_owned()),
            Self::Panicked => Some("the scan panicked; this is a bug of the operator".to_owned()),
        }
    }
}

/// What became of one request.
pub enum CallAnswer<T> {
    /// It was answered; it began then.
    Got(Mono, T),
    /// Unkey's own 404; it began then.
    Absent(Mono),
    /// Too much was asked for, or this one cannot be answered at all.
    TooMuch(String),
    /// Not answered; another try is worth it now. It may be the size that takes too long.
    Again,
    /// Refused for coming too soon; now it is time.
    TooSoon,
}

/// Asks Unkey with one root key, and counts the failures in a row.
pub struct Asker<'a> {
    context: &'a Context,
    pinned: Arc<PinnedClient>,
    failures: u32,
}

impl<'a> Asker<'a> {
    /// Asks with the key that is in use now.
    pub fn new(context: &'a Context) -> Self {
        Self { context, pinned: context.workspace.pinned(), failures: 0 }
    }

    /// That key, and the policies.
    pub fn pinned(&self) -> &Arc<PinnedClient> {
        &self.pinned
    }

    /// One request. An error ends the scan.
    pub async fn ask<T>(
        &mut self,
        client: &Client,
        operation: Operation,
        request: impl AsyncFnOnce(&Client) -> Result<T, unkey::Error>,
    ) -> Result<CallAnswer<T>, End> {
        let mut permit = self.context.runtime.dispatcher.acquire("", Priority::Scan).await;
        self.same_key()?;
        let begun = self.context.runtime.clock.now();
        let sent = upstream::send(&mut permit, &self.context.runtime.metrics, client, operation, request).await;
        let result = sent.map_err(|refusal| End::Refused(refusal.why.to_string()))?;
        self.same_key()?;
        let error = match result {
            Ok(answer) => {
                self.failures = 0;
                return Ok(CallAnswer::Got(begun, answer));
            }
            Err(error) => error,
        };
        let why = error.to_string();
        match error.class() {
            Class::NotFound => {
                self.failures = 0;
                Ok(CallAnswer::Absent(begun))
            }
            Class::Credential | Class::Permission { .. } | Class::Misconfigured => Err(End::Refused(why)),
            Class::RateLimited { retry_after } => {
                self.failed(why)?;
                self.pause(retry_after).await;
                Ok(CallAnswer::TooSoon)
            }
            _ if error.may_be_its_own() => Ok(CallAnswer::TooMuch(why)),
            _ => {
                self.failed(why)?;
                self.pause(None).await;
                Ok(CallAnswer::Again)
            }
        }
    }

    fn same_key(&self) -> Result<(), End> {
        let same = self.context.workspace.pinned().policy.credential == self.pinned.policy.credential;
        if same { Ok(()) } else { Err(End::KeyChanged) }
    }

    /// Counts a failure; too many in a row end the scan.
    pub fn failed(&mut self, why: String) -> Result<(), End> {
        self.failures += 1;
        if self.failures >= MAX_FAILURES { Err(End::Failed(why)) } else { Ok(()) }
    }

    /// Waits, the longer the more failed before.
    pub async fn pause(&self, at_least: Option<Duration>) {
        let wait = backoff::delay(&Cause::Unavailable, self.failures, at_least, fastrand::u16(..));
        tokio::time::sleep(wait.unwrap_or(backoff::MAX)).await;
    }
}
