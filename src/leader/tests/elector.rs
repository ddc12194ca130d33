//! The elector with an API server that stands still.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::super::{LeaderElector, LeaderError, Leadership, LeaseRef, Timing};

/// An API server that takes every lease; with the first renewal the process stands still for `pause`.
fn server(pause: Duration) -> Client {
    let renewals = Arc::new(AtomicU32::new(0));
    let serve = move |request: Request<Body>| {
        let renewals = Arc::clone(&renewals);
        async move {
            let (head, body) = request.into_parts();
            let (code, answer) = if head.method == Method::GET {
                let details = json!({"group": "coordination.k8s.io", "kind": "leases", "name": "lease"});
                let status = json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404, "details": details});
                (StatusCode::NOT_FOUND, status)
            } else {
                if head.method == Method::PUT && renewals.fetch_add(1, Ordering::SeqCst) == 0 {
                    std::thread::sleep(pause);
                }
                let mut lease: Value = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap();
                lease["metadata"]["resourceVersion"] = renewals.load(Ordering::SeqCst).to_string().into();
                (StatusCode::OK, lease)
            };
            let response = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
            Ok::<_, Infallible>(response.unwrap())
        }
    };
    Client::new(tower::service_fn(serve), "default")
}

/// It sent the renewal in time, and has it, but the term before ended meanwhile: reconciles have ended on that, and nothing begins them again.
#[tokio::test]
async fn a_term_that_ended_before_the_answer_came_is_not_taken_up_again() {
    let lead = Leadership::to_be_won();
    let place = LeaseRef { namespace: "default".to_owned(), name: "lease".to_owned(), holder: "me".to_owned() };
    // A term lasts 1 s, and is renewed after 0.2 s: the answer comes between the ends of the first and of the second one.
    let (timing, pause) = (Timing::of(Duration::from_millis(1_500)), Duration::from_millis(900));
    let mut elector = LeaderElector::new(server(pause), &place, timing, lead.clone());
    let ended = tokio::time::timeout(Duration::from_secs(10), elector.run()).await;
    assert!(matches!(ended, Ok(LeaderError::NotRenewed(_))), "{ended:?}");
    assert!(!lead.holds());
}
