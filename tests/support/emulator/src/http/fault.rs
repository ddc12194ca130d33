//! Faults to order: what goes wrong, for which requests and how often. It must not touch sockets or the state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::state::{Operation, Response};

/// What goes wrong. "Not handled" means that the operation never reaches the API, as if a proxy in front had answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FaultKind {
    /// Another answer; not handled.
    Status {
        /// The HTTP status.
        status: u16,
        /// The body; empty by default.
        #[serde(default)]
        body: String,
        /// The media type; none by default.
        #[serde(default)]
        content_type: String,
        /// Further headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    /// 429 of the workspace limit, with any Retry-After or none; not handled.
    TooMany {
        /// The header's value, sent as it is.
        #[serde(default)]
        retry_after: Option<String>,
    },
    /// 307 to another place; not handled.
    Redirect {
        /// The Location header.
        location: String,
    },
    /// The connection is closed without an answer; not handled.
    DropBefore,
    /// The connection is closed without an answer after the commit.
    DropAfter,
    /// Handled that much later, whether or not the client still waits.
    Delay {
        /// Milliseconds.
        ms: u64,
    },
    /// Handled at once, answered that much later.
    DelayAnswer {
        /// Milliseconds.
        ms: u64,
    },
    /// Handled once the fault is released, whether or not the client still waits.
    Hold,
    /// Handled at once, answered once the fault is released.
    HoldAnswer,
    /// The true answer, slowly.
    SlowBody {
        /// At least 1.
        bytes_per_second: u64,
    },
    /// Handled; 200 and bytes that are not JSON.
    Garbage,
    /// 200 and a web page; not handled.
    Html200,
    /// Handled; 200 and no body.
    Empty200,
    /// Handled; half of the true answer, then the connection is closed.
    Truncated,
}

impl FaultKind {
    /// 500 in the API's own envelope, as for every failure of its database.
    pub fn internal_error() -> Self {
        let body = concat!(
            r#"{"error":{"detail":"An unexpected error occurred.","status":500,"title":"Internal Server Error","#,
            r#""type":"https://unkey.com/docs/errors/unkey/application/unexpected_error"},"meta":{"requestId":"req_fault"}}"#
        );
        Self::status(500, "application/json", body)
    }

    /// A proxy's page, such as 502, 503 or 504.
    pub fn html(status: u16) -> Self {
        Self::status(status, "text/html", &format!("<html><body><h1>{status}</h1></body></html>"))
    }

    /// 404 as any router would say it: not an absent identity.
    pub fn not_found_text() -> Self {
        Self::status(404, "text/plain; charset=utf-8", "404 page not found\n")
    }

    /// Any answer.
    pub fn status(status: u16, content_type: &str, body: &str) -> Self {
        let (body, content_type) = (body.to_owned(), content_type.to_owned());
        Self::Status { status, body, content_type, headers: BTreeMap::new() }
    }

    /// Whether the operation is handled when the order does not say.
    pub(super) fn is_handled(&self) -> bool {
        !matches!(
            self,
            Self::Status { .. } | Self::TooMany { .. } | Self::Redirect { .. } | Self::DropBefore | Self::Html200
        )
    }

    /// The name it has in JSON.
    pub(super) fn name(&self) -> String {
        let json = serde_json::to_value(self).unwrap_or_default();
        json["kind"].as_str().unwrap_or_default().to_owned()
    }

    /// The answer it gives in place of the true one, if it does.
    pub(super) fn replacement(&self) -> Option<Response> {
        let answer = |status, content_type: &str, body: &str| Response {
            status,
            content_type: content_type.to_owned(),
            headers: Vec::new(),
            body: body.as_bytes().to_vec(),
        };
        Some(match self {
            Self::Status { status, body, content_type, headers } => {
                Response { headers: headers.clone().into_iter().collect(), ..answer(*status, content_type, body) }
            }
            Self::TooMany { retry_after } => {
                let body = concat!(
                    r#"{"error":{"detail":"The workspace has exceeded its rate limit.","status":429,"title":"Too Many Requests","#,
                    r#""type":"https://unkey.com/docs/errors/user/too_many_requests/workspace_rate_limited"},"#,
                    r#""meta":{"requestId":"req_fault"}}"#
                );
                let mut response = answer(429, "application/json", body);
                response.headers.extend(retry_after.clone().map(|value| ("Retry-After".to_owned(), value)));
                response
            }
            Self::Redirect { location } => {
                let mut response = answer(307, "", "");
                response.headers.push(("Location".to_owned(), location.clone()));
                response
            }
            Self::Garbage => answer(200, "application/json", "\u{1}{\"data\":{\"id\":oops"),
            Self::Html200 => answer(200, "text/html", "<!doctype html><title>Sign in</title>"),
            Self::Empty200 => answer(200, "application/json", ""),
            _ => return None,
        })
    }
}

/// One order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// Only this operation; any by default.
    #[serde(default)]
    pub operation: Option<Operation>,
    /// Only this identity, by id or externalId, however the request names it; any by default.
    #[serde(default)]
    pub identity: Option<String>,
    /// Lets that many matching requests through first.
    #[serde(default)]
    pub skip: u64,
    /// How often; for ever by default.
    #[serde(default)]
    pub times: Option<u64>,
    /// Waits that long before all else.
    #[serde(default)]
    pub delay_ms: u64,
    /// Whether the operation is handled all the same; by default as its kind says.
    #[serde(default)]
    pub handled: Option<bool>,
    /// What goes wrong.
    #[serde(flatten)]
    pub kind: FaultKind,
}

impl Fault {
    /// For every request, for ever.
    pub fn new(kind: FaultKind) -> Self {
        Self { operation: None, identity: None, skip: 0, times: None, delay_ms: 0, handled: None, kind }
    }

    /// Only for that operation.
    pub fn on(self, operation: Operation) -> Self {
        Self { operation: Some(operation), ..self }
    }

    /// Only for that identity.
    pub fn of(self, identity: &str) -> Self {
        Self { identity: Some(identity.to_owned()), ..self }
    }

    /// That often.
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Once.
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Lets that many through first.
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Waits that long before all else.
    pub fn delayed(self, delay_ms: u64) -> Self {
        Self { delay_ms, ..self }
    }

    /// The operation is handled, or not, whatever the kind says.
    pub fn handled(self, handled: bool) -> Self {
        Self { handled: Some(handled), ..self }
    }
}

/// An order and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ordered {
    /// To release or clear it by.
    pub id: u64,
    /// Requests it has met.
    pub hits: u64,
    /// Whether it was released.
    pub released: bool,
    /// The order; `skip` and `times` count down.
    pub fault: Fault,
}

/// What a request has to suffer.
pub(super) struct Strike {
    pub fault: Fault,
    /// True once the fault is released; closed when it was cleared.
    pub released: watch::Receiver<bool>,
}

/// The orders of one workspace, oldest first; a request meets the first that matches.
#[derive(Default)]
pub(super) struct Faults {
    orders: Vec<(Ordered, watch::Sender<bool>)>,
    last_id: u64,
}

impl Faults {
    pub fn order(&mut self, fault: Fault) -> u64 {
        self.last_id += 1;
        let ordered = Ordered { id: self.last_id, hits: 0, released: false, fault };
        self.orders.push((ordered, watch::Sender::new(false)));
        self.last_id
    }

    pub fn all(&self) -> Vec<Ordered> {
        self.orders.iter().map(|(ordered, _)| ordered.clone()).collect()
    }

    /// Lets go whatever a `Hold` or `HoldAnswer` holds, now and later.
    pub fn release(&mut self, id: u64) -> bool {
        let Some((ordered, sender)) = self.orders.iter_mut().find(|(ordered, _)| ordered.id == id) else {
            return false;
        };
        ordered.released = true;
        sender.send_replace(true);
        true
    }

    /// Forgets an order; what it holds goes on.
    pub fn clear(&mut self, id: u64) -> bool {
        let before = self.orders.len();
        self.orders.retain(|(ordered, _)| ordered.id != id);
        self.orders.len() < before
    }

    pub fn clear_all(&mut self) {
        self.orders.clear();
    }

    /// The first order that matches the request, under any of the identity's names.
    pub fn strike(&mut self, operation: Operation, names: &[&str]) -> Option<Strike> {
        for (ordered, sender) in &mut self.orders {
            let fault = &mut ordered.fault;
            let wanted = fault.operation.is_none_or(|wanted| wanted == operation)
                && fault.identity.as_deref().is_none_or(|wanted| names.contains(&wanted));
            if !wanted || fault.times == Some(0) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times = fault.times.map(|times| times - 1);
            ordered.hits += 1;
            return Some(Strike { fault: ordered.fault.clone(), released: sender.subscribe() });
        }
        None
    }
}
