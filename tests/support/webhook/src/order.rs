//! Orders: which requests are answered otherwise than "allowed", how, and how often. It must not touch sockets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

/// Reads the `request` of an `AdmissionReview` and answers it.
type Respond = Arc<dyn Fn(&Value) -> Answer + Send + Sync>;
/// Reads the `request` of an `AdmissionReview`.
type Condition = Arc<dyn Fn(&Value) -> bool + Send + Sync>;

/// How a request is answered.
#[derive(Clone)]
pub enum Answer {
    /// Admitted as it is.
    Allow,
    /// Not admitted, with this `metav1.Status`. The API server passes on its code, reason, message and details.
    Deny(Value),
    /// Admitted after this JSON patch (RFC 6902). Only for a mutating webhook.
    Patch(Value),
    /// Admitted as it is, so much later.
    Late(Duration),
    /// Not answered, until the API server gives up.
    Hang,
    /// This HTTP status and body in place of an `AdmissionReview`: a 404, a 500, garbage.
    Http(u16, String),
    /// The connection is closed without an answer.
    Drop,
    /// What this function makes of the request.
    By(Respond),
}

impl Answer {
    /// Not admitted, with an HTTP status, a reason (`""`: none) and a message.
    pub fn deny(code: u16, reason: &str, message: &str) -> Self {
        let mut status = json!({"status": "Failure", "code": code, "message": message});
        if !reason.is_empty() {
            status["reason"] = json!(reason);
        }
        Self::Deny(status)
    }

    /// The same with causes, each a field and what is wrong with it. Changes nothing but a [`Answer::Deny`].
    pub fn because(mut self, causes: &[(&str, &str)]) -> Self {
        if let Self::Deny(status) = &mut self {
            let causes: Vec<Value> =
                causes.iter().map(|(field, message)| json!({"field": field, "message": message})).collect();
            status["details"]["causes"] = json!(causes);
        }
        self
    }

    /// The same with a `Retry-After`, which the API server makes a header of. Changes nothing but a [`Answer::Deny`].
    pub fn retry_after(mut self, seconds: u32) -> Self {
        if let Self::Deny(status) = &mut self {
            status["details"]["retryAfterSeconds"] = json!(seconds);
        }
        self
    }

    /// Answers each request as `respond` makes it.
    pub fn by(respond: impl Fn(&Value) -> Self + Send + Sync + 'static) -> Self {
        Self::By(Arc::new(respond))
    }

    /// Takes an annotation off where it is on. Only for a mutating webhook.
    pub fn strip_annotation(key: &'static str) -> Self {
        Self::by(move |request| {
            if request["object"]["metadata"]["annotations"].get(key).is_none() {
                return Self::Allow;
            }
            let escaped = key.replace('~', "~0").replace('/', "~1");
            Self::Patch(json!([{"op": "remove", "path": format!("/metadata/annotations/{escaped}")}]))
        })
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allow => f.write_str("Allow"),
            Self::Deny(status) => write!(f, "Deny({status})"),
            Self::Patch(patch) => write!(f, "Patch({patch})"),
            Self::Late(after) => write!(f, "Late({after:?})"),
            Self::Hang => f.write_str("Hang"),
            Self::Http(status, body) => write!(f, "Http({status}, {body:?})"),
            Self::Drop => f.write_str("Drop"),
            Self::By(_) => f.write_str("By(..)"),
        }
    }
}

/// One order. Without further words it is for every request, for ever.
#[derive(Clone)]
pub struct Order {
    subresource: Option<String>,
    name: Option<String>,
    operation: Option<String>,
    when: Option<Condition>,
    times: Option<u64>,
    pub(crate) answer: Answer,
}

impl Order {
    /// For every request, for ever.
    pub fn new(answer: Answer) -> Self {
        Self { subresource: None, name: None, operation: None, when: None, times: None, answer }
    }

    /// Only on this subresource; `""`: only on none.
    pub fn subresource(mut self, subresource: &str) -> Self {
        self.subresource = Some(subresource.to_owned());
        self
    }

    /// Only of the object of this name.
    pub fn of(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Only `CREATE`, `UPDATE` or `DELETE`. A patch is an update.
    pub fn operation(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }

    /// Only requests of which this says yes.
    pub fn when(mut self, holds: impl Fn(&Value) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Arc::new(holds));
        self
    }

    /// Only this many requests.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Only one request.
    pub fn once(self) -> Self {
        self.times(1)
    }

    fn wants(&self, request: &Value) -> bool {
        let is = |wanted: &Option<String>, field: &str| {
            wanted.as_deref().is_none_or(|wanted| request[field].as_str().unwrap_or_default() == wanted)
        };
        self.times != Some(0)
            && is(&self.subresource, "subResource")
            && is(&self.name, "name")
            && is(&self.operation, "operation")
            && self.when.as_ref().is_none_or(|holds| holds(request))
    }
}

/// All orders, oldest first. The first that wants a request decides its answer.
#[derive(Default)]
pub(crate) struct Orders {
    all: Vec<(u64, Order, u64)>,
    last_id: u64,
}

impl Orders {
    pub fn add(&mut self, order: Order) -> u64 {
        self.last_id += 1;
        self.all.push((self.last_id, order, 0));
        self.last_id
    }

    /// False if the order is unknown.
    pub fn clear(&mut self, id: u64) -> bool {
        let before = self.all.len();
        self.all.retain(|(of, ..)| *of != id);
        self.all.len() < before
    }

    pub fn clear_all(&mut self) {
        self.all.clear();
    }

    /// How many requests an order has met; 0 if it is unknown.
    pub fn hits(&self, id: u64) -> u64 {
        self.all.iter().find(|(of, ..)| *of == id).map_or(0, |(_, _, hits)| *hits)
    }

    /// The order that a request meets, and the answer to give.
    pub fn answer(&mut self, request: &Value) -> (Option<u64>, Answer) {
        let Some((id, order, hits)) = self.all.iter_mut().find(|(_, order, _)| order.wants(request)) else {
            return (None, Answer::Allow);
        };
        *hits += 1;
        order.times = order.times.map(|times| times - 1);
        (Some(*id), order.answer.clone())
    }
}
