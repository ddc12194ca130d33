//! Whole answers over the wire: what is sent, and what is made of good, strange and hostile replies.

use serde_json::json;
use unkey::{Class, CreateIdentity, Effect, Fault, Operation, RatelimitSpec, UpdateIdentity};

use crate::server::{Server, http, ok};
use crate::support::{KEY, PATIENT, assert_lost, call, client, failures};

fn absent() -> String {
    json!({"meta": {"requestId": "req_1"}, "error": {
        "title": "Not Found", "detail": "This identity does not exist.", "status": 404,
        "type": "https://unkey.com/docs/errors/unkey/data/identity_not_found"}})
    .to_string()
}

#[tokio::test]
async fn requests_are_what_the_api_reference_asks_for() {
    let server = Server::saying("").await;
    let client = client(&format!("{}/prefix//", server.url()), PATIENT);
    let meta = json!({"b": 1, "a": {"c": null}}).as_object().unwrap().clone();
    let ratelimits = [RatelimitSpec { name: "requests".into(), limit: i64::MAX, duration: 1000, auto_apply: false }];
    let full = CreateIdentity { external_id: "user_1", meta: Some(&meta), ratelimits: Some(&ratelimits) };
    client.create(&full).await.unwrap_err();
    client.create(&CreateIdentity { external_id: "user_1", meta: None, ratelimits: None }).await.unwrap_err();
    client.get("user_1").await.unwrap_err();
    client.update(&UpdateIdentity { identity: "id_1", meta: None, ratelimits: Some(&[]) }).await.unwrap_err();
    client.delete("id_1").await.unwrap_err();
    client.list(7, None).await.unwrap_err();
    client.list(100, Some("id_2")).await.unwrap_err();

    let limits = json!([{"name": "requests", "limit": i64::MAX, "duration": 1000, "autoApply": false}]);
    let expected = [
        ("createIdentity", json!({"externalId": "user_1", "meta": meta, "ratelimits": limits})),
        ("createIdentity", json!({"externalId": "user_1"})),
        ("getIdentity", json!({"identity": "user_1"})),
        ("updateIdentity", json!({"identity": "id_1", "ratelimits": []})),
        ("deleteIdentity", json!({"identity": "id_1"})),
        ("listIdentities", json!({"limit": 7})),
        ("listIdentities", json!({"limit": 100, "cursor": "id_2"})),
    ];
    let requests = server.requests();
    assert_eq!(requests.len(), expected.len());
    for (request, (name, body)) in requests.iter().zip(expected) {
        let (head, sent) = request.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        assert_eq!(lines.next().unwrap(), format!("POST /prefix/v2/identities.{name} HTTP/1.1"));
        let mut headers: Vec<_> = lines.map(|line| line.split_once(": ").unwrap()).collect();
        headers.retain(|(name, _)| !["host", "content-length"].contains(name));
        headers.sort_unstable();
        let bearer = format!("Bearer {KEY}");
        let agent = concat!("unkey-operator/", env!("CARGO_PKG_VERSION"));
        // Nothing else: no accept-encoding, so that no answer is a compressed bomb.
        assert_eq!(
            headers,
            [
                ("accept", "application/json"),
                ("authorization", bearer.as_str()),
                ("content-type", "application/json"),
                ("user-agent", agent)
            ]
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(sent).unwrap(), body);
    }
}

#[tokio::test]
async fn good_answers_are_read() {
    let identity = json!({"id": "id_1", "externalId": "user_1", "meta": {"plan": "pro"}, "ratelimits": [
        {"id": "rl_1", "name": "requests", "limit": 1, "duration": 1000, "autoApply": true}]});
    let meta = json!({"requestId": "req_1"});
    let say = |answer: serde_json::Value| async move {
        let server = Server::saying(ok(&answer.to_string())).await;
        (client(&server.url(), PATIENT), server)
    };

    let (client, _server) = say(json!({"meta": meta, "data": {"identityId": "id_1"}})).await;
    let request = CreateIdentity { external_id: "user_1", meta: None, ratelimits: None };
    let created = client.create(&request).await.unwrap();
    assert_eq!((created.identity_id.as_str(), created.request_id.as_str()), ("id_1", "req_1"));

    let (client, _server) = say(json!({"meta": meta, "data": identity})).await;
    let read = client.get("user_1").await.unwrap();
    assert_eq!((read.id.as_str(), read.external_id.as_str()), ("id_1", "user_1"));
    assert_eq!((read.meta["plan"].as_str(), read.ratelimits.len()), (Some("pro"), 1));
    let updated = client.update(&UpdateIdentity { identity: "id_1", meta: None, ratelimits: None }).await.unwrap();
    assert_eq!((updated.id, updated.external_id), (read.id, read.external_id));

    let (client, _server) = say(json!({"meta": meta})).await;
    client.delete("id_1").await.unwrap();

    let more = json!({"hasMore": true, "cursor": "id_2"});
    let (client, _server) = say(json!({"meta": meta, "data": [identity], "pagination": more})).await;
    let page = client.list(1, None).await.unwrap();
    assert_eq!((page.identities.len(), page.next_cursor.as_deref()), (1, Some("id_2")));
    assert_lost(&client.list(1, Some("id_2")).await.unwrap_err());
}

#[tokio::test]
async fn absence_is_told_by_unkey_alone() {
    for (content_type, class) in [
        ("application/json", Class::NotFound),
        ("application/problem+json", Class::NotFound),
        ("text/plain", Class::Misconfigured),
    ] {
        let server = Server::saying(http("404 Not Found", content_type, &absent())).await;
        for error in failures(&client(&server.url(), PATIENT)).await {
            assert_eq!((error.class(), error.effect()), (class.clone(), Effect::Refused), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_key_goes_nowhere() {
    let other = Server::saying(ok(r#"{"meta":{"requestId":"req_1"}}"#)).await;
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let head = format!("HTTP/1.1 {status}\r\nLocation: {}/v2/x\r\nContent-Length: 0\r\n\r\n", other.url());
        let server = Server::saying(head).await;
        for error in failures(&client(&server.url(), PATIENT)).await {
            assert_eq!((error.class(), error.effect()), (Class::Misconfigured, Effect::Refused), "{error:?}");
        }
    }
    assert_eq!(other.connections(), 0);
}

#[tokio::test]
async fn a_page_with_status_200_is_no_success() {
    let portal = http("200 OK", "text/html; charset=utf-8", "<html>Please log in</html>");
    let endless = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    for answer in [portal, endless] {
        let server = Server::saying(answer).await;
        for error in failures(&client(&server.url(), PATIENT)).await {
            assert_eq!((error.class(), error.effect()), (Class::Misconfigured, Effect::Unknown), "{error:?}");
        }
    }
}

#[tokio::test]
async fn unreadable_answers_are_lost_answers() {
    let deep = format!(
        r#"{{"meta":{{"requestId":"req_1"}},"data":{{"id":"id_1","externalId":"user_1","identityId":{}"#,
        "[".repeat(10_000)
    );
    let zipped = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\u{1f}\u{8}xx";
    for answer in [
        ok(""),
        ok(r#"{"meta":{"requestId":"req_"#),
        ok(r#"{"data":{"identityId":"id_1"}}"#),
        ok(&absent()),
        ok(&deep),
        zipped.to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        http("201 Created", "application/json", r#"{"meta":{"requestId":"req_1"}}"#),
        http("503 Service Unavailable", "text/html", "<html>"),
        http("504 Gateway Timeout", "application/json", "{}"),
    ] {
        let server = Server::saying(answer).await;
        for error in failures(&client(&server.url(), PATIENT)).await {
            assert_lost(&error);
        }
    }
}

#[tokio::test]
async fn an_answer_may_end_with_the_connection() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"meta\":{\"requestId\":\"req_1\"}}";
    let server = Server::saying(answer).await;
    call(&client(&server.url(), PATIENT), Operation::Delete).await.unwrap();
}

#[tokio::test]
async fn a_limit_tells_when_to_come_back() {
    let answer =
        http("429 Too Many Requests", "text/html", "").replace("\r\n\r\n", "\r\nRetry-After: 1000000000\r\n\r\n");
    let server = Server::saying(answer).await;
    for error in failures(&client(&server.url(), PATIENT)).await {
        let retry_after = Some(unkey::MAX_RETRY_AFTER);
        assert_eq!((error.class(), error.effect()), (Class::RateLimited { retry_after }, Effect::Refused));
        assert!(matches!(error.fault(), Fault::Foreign { status: 429, .. }));
    }
}
