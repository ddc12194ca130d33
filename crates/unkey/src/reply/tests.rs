use serde_json::{Value, json};

use super::*;
use crate::class::{Class, Effect, Permission};

mod properties;
mod recorded;

const KEY: &str = "unkey_root_canary";
const JSON: Option<&str> = Some("application/json");
const PROBLEM: Option<&str> = Some("application/problem+json; charset=utf-8");
const HTML: Option<&str> = Some("text/html");
const TEXT: Option<&str> = Some("text/plain; charset=utf-8");

fn judge(operation: Operation, head: Head<'_>, body: &[u8]) -> Result<(), Error> {
    let redact = |text: &str| text.replace(KEY, "[root key]");
    match operation {
        Operation::Create => read::<Created>(operation, head, body, redact).map(drop),
        Operation::Get => read::<Identity>(operation, head, body, redact).map(drop),
        Operation::Update => read::<Updated>(operation, head, body, redact).map(drop),
        Operation::Delete => read::<Deleted>(operation, head, body, redact).map(drop),
        Operation::List => read::<Page>(operation, head, body, redact).map(drop),
    }
}

fn head(status: u16, content_type: Option<&str>) -> Head<'_> {
    Head { status, content_type, retry_after: None }
}

fn error(operation: Operation, status: u16, content_type: Option<&str>, body: &str) -> Error {
    judge(operation, head(status, content_type), body.as_bytes()).unwrap_err()
}

fn envelope(status: u16, kind: &str, detail: &str) -> String {
    json!({
        "meta": {"requestId": "req_abc"},
        "error": {
            "title": "Some Title", "detail": detail, "status": status,
            "type": format!("https://unkey.com/docs/errors/{kind}"), "errors": []
        }
    })
    .to_string()
}

/// What each class reads as in the tables; `Lost` is the one that depends on the operation.
enum Is {
    Transient,
    RateLimited,
    Credential,
    Permission,
    NotFound,
    Conflict,
    Terminal,
    Lost,
    Misconfigured,
}

fn assert_is(error: &Error, is: &Is, effect: Effect) {
    let operation = error.operation();
    let expected = match is {
        Is::RateLimited => Class::RateLimited { retry_after: None },
        Is::Credential => Class::Credential,
        Is::Permission => Class::Permission { which: Permission::of(operation) },
        Is::NotFound => Class::NotFound,
        Is::Conflict => Class::Conflict,
        Is::Terminal => match error.class() {
            class @ Class::Terminal { .. } => class,
            other => panic!("{error}: {other:?} is not terminal"),
        },
        Is::Lost if operation.is_write() => Class::UnknownOutcome,
        Is::Transient | Is::Lost => Class::Transient,
        Is::Misconfigured => Class::Misconfigured,
    };
    assert_eq!((error.class(), error.effect()), (expected, effect), "{error:?}");
}

/// A smaller page helps against an answer that is too large, and against a server that fails on it.
#[test]
fn what_may_be_too_much_is_asked_for_in_smaller_parts() {
    let list = |status, kind| error(Operation::List, status, JSON, &envelope(status, kind, ""));
    for status in [500, 503] {
        assert!(list(status, "unkey/application/unexpected_error").may_be_too_much(), "{status}");
    }
    for status in [400, 401, 404, 429, 499] {
        assert!(!list(status, "unkey/application/invalid_input").may_be_too_much(), "{status}");
    }
    assert!(Error::new(Operation::List, Fault::TooLarge { limit: 1 }).may_be_too_much());
    let late = Fault::Deadline(std::time::Duration::from_secs(1));
    assert!(!Error::new(Operation::List, late).may_be_too_much(), "there was no answer");
}

/// What fails by itself is told from what fails whatever is asked for.
#[test]
fn what_may_be_the_trouble_of_one_identity() {
    let get = |status, kind| error(Operation::Get, status, JSON, &envelope(status, kind, ""));
    for status in [400, 500, 503] {
        assert!(get(status, "unkey/application/unexpected_error").may_be_its_own(), "{status}");
    }
    assert!(error(Operation::Get, 200, JSON, "{}").may_be_its_own());
    assert!(Error::new(Operation::Get, Fault::TooLarge { limit: 1 }).may_be_its_own());
    for status in [401, 403, 408, 429] {
        assert!(!get(status, "unkey/application/unexpected_error").may_be_its_own(), "{status}");
    }
    let late = Fault::Deadline(std::time::Duration::from_secs(1));
    assert!(!Error::new(Operation::Get, late).may_be_its_own());
}

/// The message says what is wrong with an answer, and quotes nothing of it.
#[test]
fn what_cannot_be_read_is_told_by_its_kind() {
    for (body, told) in [
        (r#"{"meta":{"requestId":"r"},"data":{"id":"secret"#, "cut short"),
        (r#"{"meta":{"requestId":"r"},"data":["secret"]}"#, "another shape than documented"),
        (r#"{"meta":secret}"#, "not JSON"),
    ] {
        let text = error(Operation::Get, 200, JSON, body).to_string();
        assert!(text.contains(told) && !text.contains("secret"), "{text}");
    }
}

#[test]
fn every_documented_error_has_one_class_and_one_effect() {
    let bearer = "Error at /: Authorization header for 'bearer' scheme: missing";
    let denied = "Missing one of these permissions: identity.*.create_identity";
    let table = [
        (400, "unkey/application/invalid_input", "too large", Is::Terminal, Effect::Refused),
        (400, "unkey/application/invalid_input", bearer, Is::Credential, Effect::Refused),
        (400, "unkey/authentication/malformed", "", Is::Credential, Effect::Refused),
        (400, "unkey/authentication/missing", "", Is::Credential, Effect::Refused),
        (401, "unkey/authentication/key_not_found", "", Is::Credential, Effect::Refused),
        (403, "unkey/authorization/insufficient_permissions", denied, Is::Permission, Effect::Refused),
        (403, "unkey/authorization/forbidden", "the key has expired", Is::Credential, Effect::Refused),
        (403, "unkey/authorization/key_disabled", "", Is::Credential, Effect::Refused),
        (403, "unkey/authorization/workspace_disabled", "", Is::Credential, Effect::Refused),
        (404, "unkey/data/identity_not_found", "", Is::NotFound, Effect::Refused),
        (404, "unkey/data/workspace_not_found", "", Is::Credential, Effect::Refused),
        (404, "unkey/data/project_not_found", "", Is::Misconfigured, Effect::Refused),
        (408, "user/bad_request/request_timeout", "", Is::Lost, Effect::Unknown),
        (409, "unkey/data/other", "", Is::Transient, Effect::Refused),
        (410, "unkey/data/gone", "", Is::Terminal, Effect::Refused),
        (412, "unkey/application/precondition_failed", "", Is::Terminal, Effect::Refused),
        (413, "user/bad_request/request_body_too_large", "", Is::Terminal, Effect::Refused),
        (422, "user/unprocessable/whatever", "", Is::Terminal, Effect::Refused),
        (429, "user/too_many_requests/workspace_rate_limited", "", Is::RateLimited, Effect::Refused),
        (499, "user/bad_request/client_closed_request", "", Is::Lost, Effect::Unknown),
        (500, "unkey/application/unexpected_error", "", Is::Transient, Effect::Ended),
        (500, "unkey/application/service_unavailable", "", Is::Transient, Effect::Ended),
        (500, "unkey/application/assertion_failed", "", Is::Transient, Effect::Ended),
        (503, "unkey/data/analytics_connection_failed", "", Is::Transient, Effect::Ended),
        // The status rules: a name alone does not make a 500 an absence.
        (500, "unkey/data/identity_not_found", "", Is::Transient, Effect::Ended),
        (400, "unkey/data/identity_not_found", "", Is::Terminal, Effect::Refused),
    ];
    for (status, kind, detail, is, effect) in &table {
        for operation in Operation::ALL {
            for content_type in [JSON, PROBLEM, Some("Application/JSON")] {
                let error = error(operation, *status, content_type, &envelope(*status, kind, detail));
                assert_is(&error, is, *effect);
                assert_eq!(error.request_id(), Some("req_abc"));
                assert_eq!(error.status(), Some(*status));
                assert!(!error.to_string().contains("req_abc"), "{error}");
            }
        }
    }
    for operation in Operation::ALL {
        let body = envelope(409, "unkey/data/identity_already_exists", "");
        let is = if operation == Operation::Create { Is::Conflict } else { Is::Transient };
        assert_is(&error(operation, 409, JSON, &body), &is, Effect::Refused);
    }
}

#[test]
fn what_unkey_did_not_say_is_neither_success_nor_absence() {
    let refused = [301, 302, 303, 307, 308, 401, 404, 405, 407, 411, 414, 415, 421, 426, 431];
    let unclear = [200, 201, 202, 400, 403, 409, 410, 418, 422];
    let down = [408, 499, 500, 502, 503, 504, 520, 599];
    let page = "<html>404 page not found</html>";
    let not_ours = [r#"{"message":"no Route matched"}"#, r#"{"error":{"type":"not_found"}}"#, "[]", "{", ""];
    let bodies = not_ours.iter().map(|body| (JSON, *body)).chain([(HTML, page), (TEXT, page), (Some("garbage"), "{}")]);
    for (content_type, body) in bodies {
        for operation in Operation::ALL {
            let at = |status: u16| error(operation, status, content_type, body);
            for status in refused {
                assert_is(&at(status), &Is::Misconfigured, Effect::Refused);
            }
            for status in unclear.into_iter().filter(|status| content_type != JSON || *status >= 400) {
                assert_is(&at(status), &Is::Misconfigured, Effect::Unknown);
            }
            for status in down {
                assert_is(&at(status), &Is::Lost, Effect::Unknown);
            }
            assert_is(&at(413), &Is::Terminal, Effect::Refused);
            assert_is(&at(429), &Is::RateLimited, Effect::Refused);
        }
    }
    // The very words of Unkey count only as JSON.
    let absent = envelope(404, "unkey/data/identity_not_found", "");
    for content_type in [HTML, TEXT, None, Some("application/jsonp"), Some("text/json")] {
        assert_is(&error(Operation::Get, 404, content_type, &absent), &Is::Misconfigured, Effect::Refused);
    }
}

fn identity() -> Value {
    json!({"id": "id_1", "externalId": "user_1", "later": {"a": [1]}})
}

fn answer(operation: Operation) -> Value {
    let meta = json!({"requestId": "req_abc", "later": 1});
    match operation {
        Operation::Create => json!({"meta": meta, "data": {"identityId": "id_1"}}),
        Operation::Get | Operation::Update => json!({"meta": meta, "data": identity()}),
        Operation::Delete => json!({"meta": meta}),
        Operation::List => json!({"meta": meta, "data": [identity()], "pagination": {"hasMore": false}}),
    }
}

#[test]
fn a_success_is_believed_only_if_whole() {
    for operation in Operation::ALL {
        let whole = answer(operation);
        let text = whole.to_string();
        for content_type in [JSON, PROBLEM] {
            judge(operation, head(200, content_type), text.as_bytes()).unwrap();
        }
        let damaged = |path: &str, value: Option<Value>| {
            let mut damaged = whole.clone();
            let (parent, name) = path.rsplit_once('/').unwrap();
            let parent = damaged.pointer_mut(parent)?.as_object_mut()?;
            match value {
                Some(value) => parent.insert(name.to_owned(), value),
                None => parent.remove(name),
            };
            (damaged != whole).then(|| damaged.to_string())
        };
        let mut bodies: Vec<_> = (0..text.len()).map(|end| text[..end].to_owned()).collect();
        let mut required = vec!["/meta", "/meta/requestId"];
        required.extend(match operation {
            Operation::Create => vec!["/data", "/data/identityId"],
            Operation::Get | Operation::Update => vec!["/data", "/data/id", "/data/externalId"],
            Operation::Delete => vec![],
            Operation::List => {
                vec!["/data", "/data/0", "/data/0/id", "/data/0/externalId", "/pagination", "/pagination/hasMore"]
            }
        });
        for path in required {
            for value in [None, Some(json!(null)), Some(json!("")), Some(json!(7)), Some(json!([1]))] {
                bodies.extend(damaged(path, value));
            }
        }
        bodies.extend(damaged("/error", Some(json!({"type": "x/identity_not_found"}))));
        bodies.extend(["null", "[]", "{}", "\"\"", "{\"meta\":{}}", "{\"meta\":null}"].map(str::to_owned));
        bodies.push(format!("{text}{text}"));
        if operation == Operation::List {
            for page in [
                json!({"hasMore": true}),
                json!({"hasMore": true, "cursor": ""}),
                json!({"hasMore": true, "cursor": null}),
                json!({"hasMore": false, "cursor": "id_2"}),
            ] {
                bodies.extend(damaged("/pagination", Some(page)));
            }
        }
        for body in bodies {
            assert_is(&error(operation, 200, JSON, &body), &Is::Lost, Effect::Unknown);
        }
        // Another status or type makes no success either.
        for status in [201, 202, 204] {
            assert_is(&error(operation, status, JSON, &text), &Is::Lost, Effect::Unknown);
        }
        assert_is(&error(operation, 200, None, &text), &Is::Lost, Effect::Unknown);
        assert_is(&error(operation, 200, HTML, &text), &Is::Misconfigured, Effect::Unknown);
    }
}

#[test]
fn an_ill_formed_success_still_tells_its_request_id() {
    let error = error(Operation::Create, 200, JSON, r#"{"meta":{"requestId":"req_abc"},"data":{"identityId":7}}"#);
    assert_eq!(error.request_id(), Some("req_abc"));
}

#[test]
fn absent_and_null_read_as_empty_and_numbers_keep_their_kind() {
    let read = |data: Value| {
        let body = json!({"meta": {"requestId": "req_abc"}, "data": data}).to_string();
        super::read::<Identity>(Operation::Get, head(200, JSON), body.as_bytes(), str::to_owned).unwrap()
    };
    let bare = read(identity());
    assert!(bare.meta.is_empty() && bare.ratelimits.is_empty());
    assert_eq!(read(json!({"id": "id_1", "externalId": "user_1", "meta": null, "ratelimits": null})), bare);

    let limit = json!({"id": "rl_1", "name": "", "limit": 0, "duration": i64::MAX, "autoApply": false, "later": 1});
    let full =
        read(json!({"id": "id_1", "externalId": "user_1", "meta": {"n": i64::MAX, "f": 1e300}, "ratelimits": [limit]}));
    assert_eq!((full.ratelimits[0].limit, full.ratelimits[0].duration), (0, i64::MAX));
    assert_eq!((full.meta["n"].as_i64(), full.meta["f"].as_f64()), (Some(i64::MAX), Some(1e300)));
}

#[test]
fn nesting_without_end_is_an_error_and_no_overflow() {
    let deep = format!("{}{}", r#"{"a":"#.repeat(10_000), "1");
    let closed = format!("{deep}{}", "}".repeat(10_000));
    let meta = format!(r#"{{"meta":{{"requestId":"r"}},"data":{{"id":"i","externalId":"e","meta":{closed}}}}}"#);
    for body in [deep, closed, "[".repeat(10_000), meta] {
        for status in [200, 404, 500] {
            let error = error(Operation::Get, status, JSON, &body);
            assert_ne!(error.class(), Class::NotFound);
        }
    }
}

#[test]
fn retry_after_is_whole_seconds_within_bounds() {
    for (value, seconds) in [
        ("0", Some(1)),
        ("1", Some(1)),
        (" 17 ", Some(17)),
        ("300", Some(300)),
        ("301", Some(300)),
        ("1000000000", Some(300)),
        ("99999999999999999999999999", Some(300)),
        ("", None),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("Fri, 20 Nov 2026 10:00:00 GMT", None),
        ("soon", None),
    ] {
        assert_eq!(parse_retry_after(value), seconds.map(Duration::from_secs), "{value:?}");
    }
    let limited = envelope(429, "user/too_many_requests/workspace_rate_limited", "");
    for (content_type, body) in [(JSON, limited.as_str()), (HTML, "slow down")] {
        let head = Head { status: 429, content_type, retry_after: Some("7") };
        let class = judge(Operation::Get, head, body.as_bytes()).unwrap_err().class();
        assert_eq!(class, Class::RateLimited { retry_after: Some(Duration::from_secs(7)) });
    }
}

#[test]
fn server_text_is_bounded_escaped_and_without_the_key() {
    let nasty = format!("key {KEY}: \u{1b}[31mred\n\u{202e}gnp\0 \"it's\" é {}", "x".repeat(2000));
    let body = json!({
        "meta": {"requestId": format!("req_{KEY}\n")},
        "error": {"type": format!("https://unkey.com/docs/errors/unkey/application/invalid_input{KEY}"), "detail": nasty}
    });
    let error = error(Operation::Create, 400, JSON, &body.to_string());
    let Class::Terminal { why } = error.class() else { panic!("{error:?}") };
    assert!(why.starts_with(r#"key [root key]: \u{1b}[31mred\n\u{202e}gnp\0 "it's" é xxx"#), "{why}");
    assert!(why.chars().count() < 600 && why.ends_with('…'), "{why}");
    for shown in [error.to_string(), format!("{error:?}"), error.request_id().unwrap().to_owned()] {
        assert!(!shown.contains(KEY) && !shown.contains('\n'), "{shown}");
    }
}
