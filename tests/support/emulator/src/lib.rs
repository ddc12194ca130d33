//! An Unkey v2 identities API in memory: a test double, not a server to keep data in.
//!
//! [`state`] is the API as a pure state machine. [`Emulator`] puts it on a port, with faults to order and books to look into; what a test may
//! do to it is on [`Control`] (root keys, workspaces) and [`Workspace`]. Workspaces share nothing, so tests that run at once each take one.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! use unkey_emulator::{Emulator, Fault, FaultKind, Operation, Options, Permissions};
//!
//! let emulator = Emulator::start(Options::default()).await?;
//! let workspace = emulator.workspace("acme");
//! workspace.add_root_key("unkey_acme", Permissions::ALL);
//! // The next create commits, but its client never hears of it.
//! workspace.order(Fault::new(FaultKind::DropAfter).on(Operation::Create).once());
//! let base_url = emulator.base_url();
//! # assert!(base_url.starts_with("http://127.0.0.1:"));
//! # Ok(())
//! # }
//! ```
//!
//! # Control endpoints
//!
//! The same by HTTP, JSON in and out, under `/_emulator`. Done is 204, unknown is 404, a body that is not understood 422. `W` is
//! `/_emulator/workspaces/{workspace}`, `I` an id or externalId.
//!
//! | request | does |
//! |---|---|
//! | `GET /_emulator/` | the names of all workspaces |
//! | `POST /_emulator/keys` `{"key","workspace","permissions"?:{"read","create","update","delete"}}` | adds a root key, and its workspace; all four permissions when none is named |
//! | `POST /_emulator/keys/{key}` `{"status":"active"\|"disabled"\|"expired"}` | makes a root key good or bad |
//! | `DELETE /_emulator/keys/{key}` | revokes a root key |
//! | `GET W` | the settings and all identities: `{"settings","live":[…],"dead":[…]}` |
//! | `POST W` `{"replicaLagMs"?,"latencyMs"?,"limitPerMinute"?,"disabled"?,"maskPermissions"?}` | makes the workspace and sets all of its settings; what is left out is 0, none, false |
//! | `DELETE W` | removes the workspace; its root keys answer `workspace_not_found` |
//! | `POST W/reset` | removes identities, faults, log and counts |
//! | `GET W/counts` | requests: `{"total","byOperation","byIdentity","byStatus"}`; status 0 is a cut connection |
//! | `GET W/requests`, `DELETE W/requests` | the log (see [`Entry`]), and forgetting it with the counts |
//! | `POST W/identities` `{"externalId","meta"?,"ratelimits"?}` | creates an identity as another client; `{"id"}`, or 409 |
//! | `POST W/identities/I` `{"meta"?,"ratelimits"?}` | changes an identity as another client |
//! | `DELETE W/identities/I` | deletes an identity as another client |
//! | `GET W/faults`, `DELETE W/faults` | the faults with their hits (see [`Ordered`]), and forgetting all |
//! | `POST W/faults` `{"kind",…,"operation"?,"identity"?,"skip"?,"times"?,"delayMs"?,"handled"?}` | orders a fault (see [`Fault`]); `{"id"}` |
//! | `DELETE W/faults/{id}` | forgets a fault |
//! | `POST W/faults/{id}/release` | lets go what a `hold` or `holdAnswer` holds |
//!
//! A request meets the oldest fault that matches it, and no other. The kinds, with their fields:
//! `status` (`status`, `body`?, `contentType`?, `headers`?), `tooMany` (`retryAfter`?), `redirect` (`location`), `dropBefore`, `dropAfter`,
//! `delay` (`ms`), `delayAnswer` (`ms`), `hold`, `holdAnswer`, `slowBody` (`bytesPerSecond`), `garbage`, `html200`, `empty200`,
//! `truncated`; what each does is told at [`FaultKind`].

mod http;
pub mod state;

pub use http::{Control, Counts, Emulator, Entry, Fault, FaultKind, Options, Ordered, Workspace};
pub use state::{IdentityView, KeyStatus, Operation, Permissions, RatelimitView, Seed, Settings, Snapshot};
