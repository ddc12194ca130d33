//! ONE request to Unkey, and its answer in the words of the domain.

use std::sync::Arc;

use crate::controller::runtime::dispatcher::Permit;
use crate::domain::{Call, Cause, Content, Effect, Fault, Limit, Limits, Meta, Operation, Reply};
use crate::telemetry::{Metrics, Outcome};
use crate::transport::TlsFault;
use crate::unkey::{
    self, Class, Client, CreateIdentity, LimiterSnapshot, Permission, QuotaObserver, RatelimitSpec, Refusal, Unreached,
    UpdateIdentity,
};

/// What was answered, and what is for the log only.
#[derive(Debug)]
pub struct CallAnswer {
    /// For the domain.
    pub reply: Reply,
    /// For the log: Unkey's name of an accepted mutation.
    pub request_id: Option<String>,
    /// For the log: Unkey's words and its request id.
    pub error: Option<Arc<unkey::Error>>,
}

impl CallAnswer {
    /// True if Unkey gave no answer to the question: neither what was asked for nor a definite "there is none" or "exists".
    pub fn is_failure(&self) -> bool {
        matches!(self.reply, Reply::Failed(_))
    }
}

/// The answer to every call while there is no usable root key; `why` says what is wrong.
pub fn without_key(why: &str) -> CallAnswer {
    let cause = Cause::CredentialsMissing(why.to_owned());
    CallAnswer {
        reply: Reply::Failed(Fault { effect: Effect::None, cause, retry_after: None }),
        request_id: None,
        error: None,
    }
}

/// The answer to a call that is not sent, as Unkey has refused the same for a reason that only a person removes.
pub fn not_sent(Refusal { why, wait }: Refusal) -> CallAnswer {
    let reply = match refusal(&why) {
        Reply::Failed(fault) => Reply::Failed(Fault { effect: Effect::None, retry_after: Some(wait), ..fault }),
        other => other,
    };
    CallAnswer { reply, request_id: None, error: Some(why) }
}

/// One request on the wire, with the call that `permit` allows, counted and timed; not if Unkey would refuse it.
pub async fn send<T>(
    permit: &mut Permit,
    metrics: &Metrics,
    client: &Client,
    operation: unkey::Operation,
    request: impl AsyncFnOnce(&Client) -> Result<T, unkey::Error>,
) -> Result<Result<T, Arc<unkey::Error>>, Refusal> {
    let sending = permit.sends(operation)?;
    let (timer, quota) = (metrics.upstream_begins(), QuotaObserver::default());
    let result = request(&client.observed_by(&quota)).await.map_err(Arc::new);
    timer.ends(operation, Outcome::of(result.as_ref().err().map(AsRef::as_ref)));
    sending.ends(result.as_ref().err(), quota.report());
    Ok(result)
}

/// What was answered, in the words of the domain.
pub fn answered(result: Result<(Reply, Option<String>), Arc<unkey::Error>>) -> CallAnswer {
    match result {
        Ok((reply, request_id)) => CallAnswer { reply, request_id, error: None },
        Err(error) => {
            let request_id = error.request_id().map(str::to_owned);
            CallAnswer { reply: refusal(&error), request_id, error: Some(error) }
        }
    }
}

/// Sends `call`. Returns the answer, and of a mutation the id that Unkey gave the request.
pub async fn perform(client: &Client, call: &Call) -> Result<(Reply, Option<String>), unkey::Error> {
    match call {
        Call::Read(external_id) => client.get(external_id.as_str()).await.map(|found| {
            let content = content(&found);
            (Reply::Found { content, external_id: found.external_id, id: found.id }, None)
        }),
        Call::Create(desired) => {
            let limits = desired.limits.as_ref().map(specs);
            let request = CreateIdentity {
                external_id: desired.external_id.as_str(),
                meta: desired.meta.as_ref().map(Meta::as_map),
                ratelimits: limits.as_deref(),
            };
            let created = client.create(&request).await?;
            Ok((Reply::Created { id: created.identity_id }, Some(created.request_id)))
        }
        Call::Update { to, patch, .. } => {
            let limits = patch.limits.as_ref().map(specs);
            let request = UpdateIdentity {
                identity: to.id().as_str(),
                meta: patch.meta.as_ref().map(Meta::as_map),
                ratelimits: limits.as_deref(),
            };
            let updated = client.update(&request).await?;
            Ok((Reply::Updated { external_id: updated.external_id, id: updated.id }, Some(updated.request_id)))
        }
        Call::Delete(identity) => {
            let deleted = client.delete(identity.id().as_str()).await?;
            Ok((Reply::Deleted, Some(deleted.request_id)))
        }
    }
}

/// The operation of `call`, for metrics and logs.
pub fn operation(call: &Call) -> unkey::Operation {
    match call {
        Call::Read(_) => unkey::Operation::Get,
        Call::Create(_) => unkey::Operation::Create,
        Call::Update { .. } => unkey::Operation::Update,
        Call::Delete(_) => unkey::Operation::Delete,
    }
}

/// An error in the words of the domain.
pub fn refusal(error: &unkey::Error) -> Reply {
    let fault = |cause| {
        let effect = match error.effect() {
            unkey::Effect::NotSent | unkey::Effect::Refused => Effect::None,
            unkey::Effect::Ended => Effect::Ended,
            unkey::Effect::Unknown => Effect::Unknown,
        };
        Reply::Failed(Fault { effect, cause, retry_after: None })
    };
    match error.class() {
        Class::NotFound => Reply::Absent,
        Class::Conflict => Reply::Exists,
        Class::Transient | Class::UnknownOutcome => fault(Cause::Unavailable),
        Class::RateLimited { retry_after } => {
            Reply::Failed(Fault { effect: Effect::None, cause: Cause::RateLimited, retry_after })
        }
        Class::Credential => fault(match error.fault() {
            unkey::Fault::Credential(missing) => Cause::CredentialsMissing(missing.to_string()),
            unkey::Fault::Answered { detail, .. } => Cause::Unauthorized(detail.trim_end_matches('.').to_owned()),
            other => Cause::Unauthorized(other.to_string()),
        }),
        Class::Permission { which } => fault(Cause::PermissionDenied(match which {
            Permission::Create => Operation::Create,
            Permission::Read => Operation::Read,
            Permission::Update => Operation::Update,
            Permission::Delete => Operation::Delete,
        })),
        Class::Terminal { why } => fault(Cause::Rejected(why.trim_end_matches('.').to_owned())),
        Class::Misconfigured => fault(match error.fault() {
            unkey::Fault::Unreachable { cause: Unreached::Tls(tls), .. } => {
                Cause::Untrusted(format!("{tls}{}", remedy(tls)))
            }
            other => Cause::Misconfigured(other.to_string()),
        }),
    }
}

/// What a person can do about it.
fn remedy(fault: &TlsFault) -> &'static str {
    match fault {
        TlsFault::UnknownIssuer | TlsFault::Namesake => {
            "; to trust that authority, name a file with all trusted authorities in SSL_CERT_FILE (the chart's caBundle)"
        }
        TlsFault::WrongName { .. } => "; check --api-url and any proxy or gateway in front of Unkey",
        TlsFault::Expired | TlsFault::NotYetValid => {
            "; renew the certificate, unless the clock of the operator's node is wrong"
        }
        TlsFault::NotTls => "; use http:// in --api-url if the server is meant to speak plain HTTP",
        TlsFault::ClientCertificate => "; the operator has no client certificate to present",
        _ => "",
    }
}

/// What holds up a call of `operation`, whoever makes it: what stops all calls under the root key, or all of that kind.
pub fn held_up_by(standing: &LimiterSnapshot, operation: unkey::Operation) -> Option<Cause> {
    let fault = standing.key.as_ref().and_then(|why| match refusal(why) {
        Reply::Failed(fault) => Some(fault.cause),
        _ => None,
    });
    let permission = || {
        let needed = match operation {
            unkey::Operation::Create => Operation::Create,
            unkey::Operation::Get | unkey::Operation::List => Operation::Read,
            unkey::Operation::Update => Operation::Update,
            unkey::Operation::Delete => Operation::Delete,
        };
        standing.operations.contains(&operation).then_some(Cause::PermissionDenied(needed))
    };
    let trouble = || match (standing.paused, standing.failing) {
        (true, _) => Some(Cause::RateLimited),
        (false, true) => Some(Cause::Unavailable),
        (false, false) => None,
    };
    fault.or_else(permission).or_else(trouble)
}

/// What an identity holds.
pub fn content(found: &unkey::Identity) -> Content {
    let limits = found.ratelimits.iter().map(|stored| {
        let limit = Limit { limit: stored.limit, duration: stored.duration, auto_apply: stored.auto_apply };
        (stored.name.clone(), limit)
    });
    Content { meta: Meta::new(found.meta.clone()), limits: Limits::new(limits.collect()) }
}

fn specs(limits: &Limits) -> Vec<RatelimitSpec> {
    limits
        .as_map()
        .iter()
        .map(|(name, limit)| RatelimitSpec {
            name: name.clone(),
            limit: limit.limit,
            duration: limit.duration,
            auto_apply: limit.auto_apply,
        })
        .collect()
}
