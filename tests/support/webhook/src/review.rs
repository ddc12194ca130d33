//! `AdmissionReview`s as bytes. It must not decide anything.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::order::Answer;

/// What goes onto the wire.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// An HTTP status and a body.
    Http(u16, String),
    /// Nothing, for ever.
    Never,
    /// Nothing, and the connection is closed.
    Closed,
}

/// The `request` of a review; `None` if it is none.
pub(crate) fn request(body: &[u8]) -> Option<Value> {
    let mut review: Value = serde_json::from_slice(body).ok()?;
    let request = review.get_mut("request")?.take();
    request.get("uid").is_some().then_some(request)
}

/// The answer to a request.
pub(crate) fn reply(request: &Value, answer: &Answer) -> Reply {
    let uid = &request["uid"];
    match answer {
        Answer::Allow | Answer::Late(_) => review(&json!({"uid": uid, "allowed": true})),
        Answer::Deny(status) => review(&json!({"uid": uid, "allowed": false, "status": status})),
        Answer::Patch(patch) => {
            let patch = BASE64_STANDARD.encode(patch.to_string());
            review(&json!({"uid": uid, "allowed": true, "patchType": "JSONPatch", "patch": patch}))
        }
        Answer::Hang => Reply::Never,
        Answer::Http(status, body) => Reply::Http(*status, body.clone()),
        Answer::Drop => Reply::Closed,
        Answer::By(respond) => reply(request, &respond(request)),
    }
}

fn review(response: &Value) -> Reply {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
    Reply::Http(200, review.to_string())
}
