//! The control endpoints under `/_emulator/` (described in the crate's documentation) and the way to the API for everything else.
//! It must not do what `control` does not offer as a method.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::control::{Control, Workspace};
use super::fault::Fault;
use super::flow::{self, Outcome};
use super::wire;
use crate::state::{KeyStatus, Permissions, Seed, Settings};

/// A refusal, told as JSON.
type Refusal = (StatusCode, Json<Value>);

pub(super) fn router(control: Control) -> Router {
    Router::new()
        .route("/_emulator/", get(overview))
        .route("/_emulator/keys", post(add_key))
        .route("/_emulator/keys/{key}", post(set_key).delete(revoke_key))
        .route("/_emulator/workspaces/{workspace}", get(snapshot).post(set_workspace).delete(remove_workspace))
        .route("/_emulator/workspaces/{workspace}/reset", post(reset))
        .route("/_emulator/workspaces/{workspace}/counts", get(counts))
        .route("/_emulator/workspaces/{workspace}/requests", get(requests).delete(clear_requests))
        .route("/_emulator/workspaces/{workspace}/identities", post(seed))
        .route("/_emulator/workspaces/{workspace}/identities/{identity}", post(mutate).delete(delete_identity))
        .route("/_emulator/workspaces/{workspace}/faults", get(faults).post(order).delete(clear_faults))
        .route("/_emulator/workspaces/{workspace}/faults/{fault}", delete(clear_fault))
        .route("/_emulator/workspaces/{workspace}/faults/{fault}/release", post(release))
        .fallback(api)
        .with_state(control)
}

async fn api(State(control): State<Control>, request: Request) -> Response {
    let Some(incoming) = wire::read(request).await else { return wire::write(Outcome::Cut) };
    // A task of its own: hyper drops this future when the client goes away, and the commit must not go with it.
    let task = tokio::spawn(flow::answer(control.shared, incoming));
    wire::write(task.await.unwrap_or(Outcome::Cut))
}

fn found(control: &Control, name: &str) -> Result<Workspace, Refusal> {
    let workspace = control.find_workspace(name);
    workspace.settings().map(|_| workspace).ok_or_else(|| missing("workspace"))
}

fn missing(what: &str) -> Refusal {
    (StatusCode::NOT_FOUND, Json(json!({"error": format!("no such {what}")})))
}

fn yes(done: bool, what: &str) -> Result<StatusCode, Refusal> {
    if done { Ok(StatusCode::NO_CONTENT) } else { Err(missing(what)) }
}

async fn overview(State(control): State<Control>) -> Json<Value> {
    Json(json!({"emulator": env!("CARGO_PKG_VERSION"), "workspaces": control.workspaces()}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    key: String,
    workspace: String,
    permissions: Option<Permissions>,
}

async fn add_key(State(control): State<Control>, Json(new): Json<NewKey>) -> StatusCode {
    control.add_root_key(&new.key, &new.workspace, new.permissions.unwrap_or(Permissions::ALL));
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    status: KeyStatus,
}

async fn set_key(
    State(control): State<Control>,
    Path(key): Path<String>,
    Json(new): Json<NewStatus>,
) -> Result<StatusCode, Refusal> {
    yes(control.set_key_status(&key, new.status), "key")
}

async fn revoke_key(State(control): State<Control>, Path(key): Path<String>) -> Result<StatusCode, Refusal> {
    yes(control.revoke(&key), "key")
}

async fn snapshot(State(control): State<Control>, Path(name): Path<String>) -> Result<Json<Value>, Refusal> {
    let workspace = found(&control, &name)?;
    let snapshot = workspace.snapshot();
    Ok(Json(json!({"settings": workspace.settings(), "live": snapshot.live, "dead": snapshot.dead})))
}

async fn set_workspace(
    State(control): State<Control>,
    Path(name): Path<String>,
    Json(new): Json<Settings>,
) -> StatusCode {
    control.workspace(&name).set(|settings| *settings = new);
    StatusCode::NO_CONTENT
}

async fn remove_workspace(State(control): State<Control>, Path(name): Path<String>) -> Result<StatusCode, Refusal> {
    yes(control.find_workspace(&name).remove(), "workspace")
}

async fn reset(State(control): State<Control>, Path(name): Path<String>) -> Result<StatusCode, Refusal> {
    found(&control, &name)?.reset();
    Ok(StatusCode::NO_CONTENT)
}

async fn counts(State(control): State<Control>, Path(name): Path<String>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!(found(&control, &name)?.counts())))
}

async fn requests(State(control): State<Control>, Path(name): Path<String>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!(found(&control, &name)?.requests())))
}

async fn clear_requests(State(control): State<Control>, Path(name): Path<String>) -> Result<StatusCode, Refusal> {
    found(&control, &name)?.clear_requests();
    Ok(StatusCode::NO_CONTENT)
}

async fn seed(
    State(control): State<Control>,
    Path(name): Path<String>,
    Json(new): Json<Seed>,
) -> Result<Json<Value>, Refusal> {
    let taken = || (StatusCode::CONFLICT, Json(json!({"error": "the externalId is taken"})));
    let id = found(&control, &name)?.seed(new).ok_or_else(taken)?;
    Ok(Json(json!({"id": id})))
}

async fn mutate(
    State(control): State<Control>,
    Path((name, identity)): Path<(String, String)>,
    Json(new): Json<Seed>,
) -> Result<StatusCode, Refusal> {
    yes(found(&control, &name)?.mutate(&identity, new), "identity")
}

async fn delete_identity(
    State(control): State<Control>,
    Path((name, identity)): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    yes(found(&control, &name)?.delete(&identity), "identity")
}

async fn faults(State(control): State<Control>, Path(name): Path<String>) -> Result<Json<Value>, Refusal> {
    Ok(Json(json!(found(&control, &name)?.faults())))
}

async fn order(
    State(control): State<Control>,
    Path(name): Path<String>,
    Json(fault): Json<Fault>,
) -> Result<Response, Refusal> {
    let id = found(&control, &name)?.order(fault);
    Ok(Json(json!({"id": id})).into_response())
}

async fn clear_faults(State(control): State<Control>, Path(name): Path<String>) -> Result<StatusCode, Refusal> {
    found(&control, &name)?.clear_faults();
    Ok(StatusCode::NO_CONTENT)
}

async fn clear_fault(
    State(control): State<Control>,
    Path((name, fault)): Path<(String, u64)>,
) -> Result<StatusCode, Refusal> {
    yes(found(&control, &name)?.clear_fault(fault), "fault")
}

async fn release(
    State(control): State<Control>,
    Path((name, fault)): Path<(String, u64)>,
) -> Result<StatusCode, Refusal> {
    yes(found(&control, &name)?.release(fault), "fault")
}
