//! Faults to order: what goes wrong, for which requests and how often. It must not touch sockets.

use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::request::Asked;

/// What goes wrong. "Not handled" means that the API server is not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// Another answer; not handled.
    Status {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
        /// Headers.
        headers: Vec<(String, String)>,
    },
    /// The connection is closed without an answer; not handled.
    DropBefore,
    /// The connection is closed without an answer after the commit.
    DropAfter,
    /// The request's connection falls silent, with neither FIN nor RST; not handled. Other connections work, and new ones.
    SilentBefore,
    /// The request's connection falls silent after the commit: the client hears nothing of the answer. Of a watch: after it has begun.
    SilentAfter,
    /// Handled that much later, whether or not the client still waits.
    Delay(Duration),
    /// Handled at once, answered that much later.
    DelayAnswer(Duration),
    /// Handled once the fault is released, whether or not the client still waits.
    Hold,
    /// Handled at once, answered once the fault is released.
    HoldAnswer,
}

impl FaultKind {
    /// An answer with a `Status` of Kubernetes, such as 403 `Forbidden`.
    pub fn refusal(status: u16, reason: &str) -> Self {
        let body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": format!("{reason}, by order of a test"), "reason": reason, "code": status,
        });
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self::Status { status, body: body.to_string(), headers }
    }

    /// 403, as without the right.
    pub fn forbidden() -> Self {
        Self::refusal(403, "Forbidden")
    }

    /// 404 in plain text, as while a version of a resource is not served.
    pub fn page_not_found() -> Self {
        let headers = vec![("Content-Type".to_owned(), "text/plain; charset=utf-8".to_owned())];
        Self::Status { status: 404, body: "404 page not found\n".to_owned(), headers }
    }

    /// 404 exactly as the API server says that an object does not exist, also where it does.
    pub fn not_found(group: &str, plural: &str, name: &str) -> Self {
        let mut kind = Self::refusal(404, "NotFound");
        if let Self::Status { body, .. } = &mut kind {
            *body = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": format!("{plural}.{group} \"{name}\" not found"), "reason": "NotFound", "code": 404,
                "details": {"name": name, "group": group, "kind": plural},
            })
            .to_string();
        }
        kind
    }

    /// 422 that blames a field, as of a schema that refuses what a patch leads to.
    pub fn invalid(field: &str, message: &str) -> Self {
        let mut kind = Self::refusal(422, "Invalid");
        if let Self::Status { body, .. } = &mut kind {
            *body = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Invalid", "code": 422,
                "message": format!("{field}: Invalid value: {message}"),
                "details": {"causes": [{"reason": "FieldValueInvalid", "message": message, "field": field}]},
            })
            .to_string();
        }
        kind
    }

    /// 410, as for a resourceVersion that is too old.
    pub fn gone() -> Self {
        Self::refusal(410, "Expired")
    }

    /// 500, as when its storage fails.
    pub fn internal_error() -> Self {
        Self::refusal(500, "InternalError")
    }

    /// 503, as while it starts or stops.
    pub fn unavailable() -> Self {
        Self::refusal(503, "ServiceUnavailable")
    }

    /// 429 of its priority and fairness, with any Retry-After or none.
    pub fn too_many(retry_after: Option<&str>) -> Self {
        let mut kind = Self::refusal(429, "TooManyRequests");
        if let Self::Status { headers, .. } = &mut kind {
            headers.extend(retry_after.map(|value| ("Retry-After".to_owned(), value.to_owned())));
        }
        kind
    }

    /// Whether the API server is asked.
    pub(crate) fn is_handled(&self) -> bool {
        !matches!(self, Self::Status { .. } | Self::DropBefore | Self::SilentBefore)
    }
}

/// One order. Without further words it is for every request that is not a watch, for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    verbs: Vec<String>,
    resource: Option<String>,
    subresource: Option<String>,
    name: Option<String>,
    watches: bool,
    skip: u64,
    times: Option<u64>,
    /// Waits that long before all else.
    pub(crate) delay: Duration,
    pub(crate) kind: FaultKind,
}

impl Fault {
    /// For every request that is not a watch, for ever.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            verbs: Vec::new(),
            resource: None,
            subresource: None,
            name: None,
            watches: false,
            skip: 0,
            times: None,
            delay: Duration::ZERO,
            kind,
        }
    }

    /// Only for that verb, or another that is named so; `watch` too.
    pub fn verb(mut self, verb: &str) -> Self {
        self.watches |= verb == "watch";
        self.verbs.push(verb.to_owned());
        self
    }

    /// Watches too.
    pub fn also_watches(self) -> Self {
        Self { watches: true, ..self }
    }

    /// Only for that resource, by its plural, subresources included.
    pub fn on(self, resource: &str) -> Self {
        Self { resource: Some(resource.to_owned()), ..self }
    }

    /// Only for that subresource; empty: only for what names none.
    pub fn subresource(self, subresource: &str) -> Self {
        Self { subresource: Some(subresource.to_owned()), ..self }
    }

    /// Only for the object of that name.
    pub fn of(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Lets that many matching requests through first.
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// That often.
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Once.
    pub fn once(self) -> Self {
        self.times(1)
    }

    /// Waits that long before all else.
    pub fn delayed(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    fn wants(&self, asked: &Asked) -> bool {
        let is = |wanted: &Option<String>, it: &String| wanted.as_ref().is_none_or(|wanted| wanted == it);
        (self.watches || !asked.is_watch())
            && (self.verbs.is_empty() || self.verbs.contains(&asked.verb))
            && is(&self.resource, &asked.resource)
            && is(&self.subresource, &asked.subresource)
            && is(&self.name, &asked.name)
    }
}

/// An order and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// To release or clear it by.
    pub id: u64,
    /// Requests it has met.
    pub hits: u64,
    /// Whether it was released.
    pub released: bool,
    /// The order; what it skips and how often it strikes count down.
    pub fault: Fault,
}

/// What a request has to suffer.
pub(crate) struct Strike {
    pub id: u64,
    pub fault: Fault,
    /// True once the fault is released; closed when it was cleared.
    pub released: watch::Receiver<bool>,
}

/// All orders, oldest first; a request meets the first that matches.
#[derive(Default)]
pub(crate) struct Faults {
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

    pub fn release(&mut self, id: u64) -> bool {
        let Some((ordered, sender)) = self.orders.iter_mut().find(|(ordered, _)| ordered.id == id) else {
            return false;
        };
        ordered.released = true;
        sender.send_replace(true);
        true
    }

    pub fn clear(&mut self, id: u64) -> bool {
        let before = self.orders.len();
        self.orders.retain(|(ordered, _)| ordered.id != id);
        self.orders.len() < before
    }

    pub fn clear_all(&mut self) {
        self.orders.clear();
    }

    pub fn strike(&mut self, asked: &Asked) -> Option<Strike> {
        for (ordered, sender) in &mut self.orders {
            let fault = &mut ordered.fault;
            if fault.times == Some(0) || !fault.wants(asked) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times = fault.times.map(|times| times - 1);
            ordered.hits += 1;
            return Some(Strike { id: ordered.id, fault: fault.clone(), released: sender.subscribe() });
        }
        None
    }
}
