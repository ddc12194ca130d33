//! One request from its last byte to its answer: the book, the fault it meets, the state machine. It runs as a task of its own, so that a
//! client that goes away cancels nothing. It must not touch sockets.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::Shared;
use super::book::Entry;
use super::fault::{FaultKind, Strike};
use crate::state::{Operation, Request, Response, target};

/// A request of its own.
pub(super) struct Incoming {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    pub authorization: Option<String>,
    pub content_type: Option<String>,
    pub accept: Option<String>,
    pub body: Vec<u8>,
}

/// What goes onto the wire.
pub(super) enum Outcome {
    /// The answer.
    Whole(Response),
    /// The answer, at so many bytes per second.
    Slow(Response, u64),
    /// Half of the answer, then a closed connection.
    Half(Response),
    /// A closed connection.
    Cut,
}

/// Where a request is noted.
struct Ticket {
    workspace: String,
    number: u64,
}

/// Answers a request.
pub(super) async fn answer(shared: Arc<Shared>, incoming: Incoming) -> Outcome {
    let Some(operation) = Operation::of_path(&incoming.path) else {
        return Outcome::Whole(shared.handle(&incoming, shared.now_ms()));
    };
    let (ticket, strike) = open(&shared, operation, &incoming);
    let outcome = match strike {
        None => Outcome::Whole(handle(&shared, &ticket, &incoming).await),
        Some(strike) => suffer(&shared, &ticket, &incoming, strike).await,
    };
    let answered = match &outcome {
        Outcome::Whole(response) | Outcome::Slow(response, _) | Outcome::Half(response) => Some(response.status),
        Outcome::Cut => None,
    };
    shared.note(&ticket.workspace, |book| book.close(ticket.number, answered));
    outcome
}

fn open(shared: &Shared, operation: Operation, incoming: &Incoming) -> (Ticket, Option<Strike>) {
    let at_ms = shared.now_ms();
    let identity = target(&incoming.body);
    let mut inner = shared.lock();
    let workspace = inner.state.workspace_of(incoming.authorization.as_deref()).unwrap_or_default();
    let names = identity.as_deref().and_then(|identity| inner.state.names(&workspace, identity));
    let external_id = names.as_ref().map(|(_, external_id)| external_id.clone()).or_else(|| identity.clone());
    let book = inner.books.entry(workspace.clone()).or_default();
    let mut aliases: Vec<&str> = identity.as_deref().into_iter().collect();
    aliases.extend(names.iter().flat_map(|(id, external_id)| [id.as_str(), external_id.as_str()]));
    let strike = book.faults.strike(operation, &aliases);
    let fault = strike.as_ref().map(|strike| strike.fault.kind.name());
    let number = book.open(Entry {
        number: 0,
        at_ms,
        operation,
        identity,
        external_id,
        handled: None,
        answered: None,
        fault,
        done: false,
    });
    drop(inner);
    shared.changed();
    (Ticket { workspace, number }, strike)
}

/// Reads now, commits one latency later.
async fn handle(shared: &Shared, ticket: &Ticket, incoming: &Incoming) -> Response {
    let read_at = shared.now_ms();
    let latency = shared.lock().state.settings(&ticket.workspace).map_or(0, |settings| settings.latency_ms);
    if latency > 0 {
        sleep(Duration::from_millis(latency)).await;
    }
    let response = shared.handle(incoming, read_at);
    let status = response.status;
    shared.note(&ticket.workspace, |book| book.update(ticket.number, |entry| entry.handled = Some(status)));
    response
}

async fn suffer(shared: &Shared, ticket: &Ticket, incoming: &Incoming, strike: Strike) -> Outcome {
    let Strike { fault, mut released } = strike;
    sleep(Duration::from_millis(fault.delay_ms)).await;
    match fault.kind {
        FaultKind::Delay { ms } => sleep(Duration::from_millis(ms)).await,
        // An error means that the order was cleared, which lets go as well.
        FaultKind::Hold => drop(released.wait_for(|released| *released).await),
        _ => {}
    }
    let handled = if fault.handled.unwrap_or(fault.kind.is_handled()) {
        Some(handle(shared, ticket, incoming).await)
    } else {
        None
    };
    match fault.kind {
        FaultKind::DelayAnswer { ms } => sleep(Duration::from_millis(ms)).await,
        FaultKind::HoldAnswer => drop(released.wait_for(|released| *released).await),
        _ => {}
    }
    if let Some(response) = fault.kind.replacement() {
        return Outcome::Whole(response);
    }
    match (fault.kind, handled) {
        (FaultKind::DropBefore | FaultKind::DropAfter, _) | (_, None) => Outcome::Cut,
        (FaultKind::SlowBody { bytes_per_second }, Some(response)) => Outcome::Slow(response, bytes_per_second.max(1)),
        (FaultKind::Truncated, Some(response)) => Outcome::Half(response),
        (_, Some(response)) => Outcome::Whole(response),
    }
}

impl Incoming {
    pub(super) fn request(&self, read_at_ms: u64) -> Request<'_> {
        Request {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            authorization: self.authorization.as_deref(),
            content_type: self.content_type.as_deref(),
            accept: self.accept.as_deref(),
            body: &self.body,
            read_at_ms,
        }
    }
}
