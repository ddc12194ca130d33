//! The API server's answer to a write, read from status, headers and bytes. The client that kube offers for it keeps neither `Retry-After` nor,
//! where a proxy answers, the HTTP status.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderMap, Request};
use kube::Client;
use kube::client::Body;
use kube::core::Status;

use super::kind::Kind;
use crate::domain::Refused;

/// What became of a write.
#[derive(Debug)]
pub enum WriteAnswer<K> {
    /// It was accepted; the object as it is now.
    Now(Box<K>),
    /// A test in the patch failed, or the object is gone, or it is refused in a way that looks like one of these.
    Stale(Refused),
    /// It was not accepted.
    Refused(Refused),
}

/// Sends a write and reads its answer. An error means that there was none, or none that can be read.
pub async fn send<K: Kind>(client: &Client, request: Request<Vec<u8>>) -> kube::Result<WriteAnswer<K>> {
    let (head, body) = client.send(request.map(Body::from)).await?.into_parts();
    let body = body.collect_bytes().await?;
    if head.status.is_success() {
        let mut object: K = serde_json::from_slice(&body).map_err(kube::Error::SerdeError)?;
        object.prune_reply();
        return Ok(WriteAnswer::Now(Box::new(object)));
    }
    Ok(refused(head.status.as_u16(), &head.headers, &body))
}

fn refused<K>(code: u16, headers: &HeaderMap, body: &[u8]) -> WriteAnswer<K> {
    let status: Option<Status> = serde_json::from_slice(body).ok();
    let details = status.as_ref().and_then(|status| status.details.as_ref());
    let header = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    // Where the body says nothing of it there is a zero.
    let in_body = details.map(|details| u64::from(details.retry_after_seconds)).filter(|seconds| *seconds > 0);
    let retry_after = header.or(in_body).map(Duration::from_secs);
    let said = status.as_ref().map(|status| status.message.trim()).filter(|message| !message.is_empty());
    let words = match said {
        Some(said) => said.to_owned(),
        None => match String::from_utf8_lossy(body).trim() {
            "" => format!("HTTP {code} without a message"),
            text => format!("HTTP {code}: {text}"),
        },
    };
    // A failed test names no causes; a schema or a policy that refuses does. A condition that is there twice was put there between our read and our
    // patch.
    let causes = details.into_iter().flat_map(|details| &details.causes);
    let blamed = causes.into_iter().any(|cause| cause.reason != "FieldValueDuplicate");
    let answer = Refused { code, words, retry_after };
    match code {
        404 | 409 => WriteAnswer::Stale(answer),
        422 if !blamed => WriteAnswer::Stale(answer),
        _ => WriteAnswer::Refused(answer),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(code: u16, retry_after: Option<&str>, body: &str) -> WriteAnswer<()> {
        let headers = retry_after.map(|value| (RETRY_AFTER, value.parse().unwrap()));
        refused(code, &headers.into_iter().collect(), body.as_bytes())
    }

    fn status(code: u16, details: &Value) -> String {
        json!({"kind": "Status", "status": "Failure", "code": code, "message": "no", "details": details}).to_string()
    }

    /// What is refused, and what may be a test that failed: a look tells.
    #[test]
    fn what_an_answer_means() {
        let causes = json!({"causes": [{"message": "no"}]});
        for code in [400, 401, 403, 405, 413, 422, 429, 500, 503, 504] {
            assert!(
                matches!(read(code, None, &status(code, &causes)), WriteAnswer::Refused(it) if it.code == code),
                "{code}"
            );
        }
        for code in [404, 409, 422] {
            assert!(
                matches!(read(code, None, &status(code, &json!({}))), WriteAnswer::Stale(it) if it.code == code),
                "{code}"
            );
        }
        let twice =
            json!({"causes": [{"reason": "FieldValueDuplicate", "message": "no", "field": "status.conditions[2]"}]});
        assert!(
            matches!(read(422, None, &status(422, &twice)), WriteAnswer::Stale(_)),
            "a condition that came in between"
        );
        // The code on the wire counts, not what a body says.
        assert!(matches!(read(403, None, &status(422, &json!({}))), WriteAnswer::Refused(it) if it.code == 403));
    }

    #[test]
    fn how_long_to_wait_is_said_in_either_place() {
        let waits = |answer| match answer {
            WriteAnswer::Refused(refused) => refused.retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            waits(read(429, Some("7"), "Too many requests, please try again later.")),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            waits(read(429, None, &status(429, &json!({"retryAfterSeconds": 3})))),
            Some(Duration::from_secs(3))
        );
        assert_eq!(waits(read(429, Some("later"), &status(429, &json!({})))), None);
        assert_eq!(waits(read(503, None, "")), None);
    }

    #[test]
    fn its_words_are_the_api_servers_or_what_else_answered() {
        let words = |answer| match answer {
            WriteAnswer::Refused(refused) => refused.words,
            other => panic!("{other:?}"),
        };
        assert_eq!(words(read(403, None, &status(403, &json!({})))), "no");
        assert_eq!(words(read(502, None, "<html> bad gateway\n")), "HTTP 502: <html> bad gateway");
        assert_eq!(words(read(500, None, "{}")), "HTTP 500: {}");
        assert_eq!(words(read(503, None, " ")), "HTTP 503 without a message");
    }
}
