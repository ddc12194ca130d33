//! What serves a custom resource of any kind: it is watched, queued, permitted to go on, read and written.
//!
//! | module | does |
//! |---|---|
//! | `watch` / `merge` | one flat stream of changes out of one or more watches |
//! | `coverage` | which of the watched namespaces are known, and which watches stand |
//! | `dispatcher` | who may go on: workers, lanes and the budget of calls |
//! | `api_server` | ONE request to Kubernetes |
//! | `answer` | what the API server's answer to a write means |
//! | `clock` | time since this process acts, and whether it stood still |

pub mod answer;
pub mod api_server;
pub mod clock;
pub mod coverage;
pub mod dispatcher;
pub mod merge;
pub mod watch;
