//! Bodies and headers where the recording does not reach: numbers, strings, depth, sizes, fields by other case, content types.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // A test says what is wrong by failing.

mod server;

use serde_json::{Value, json};
use server::{Answer, Server};
use unkey_emulator::Operation::{self, Create, Get, List, Update};
use unkey_emulator::state::{MAX_BODY_BYTES, Request};

fn server() -> Server {
    Server::lagging(0)
}

fn raw(server: &mut Server, operation: Operation, body: impl AsRef<[u8]>) -> Answer {
    server.ask_as("key", operation, body.as_ref())
}

/// The text of the meta that is answered after `meta` was created.
fn stored(meta: impl AsRef<[u8]>) -> String {
    let mut server = server();
    let body = [br#"{"externalId":"a","meta":{"v":"#, meta.as_ref(), b"}}"].concat();
    let created = raw(&mut server, Create, body);
    assert_eq!(created.status, 200, "{}", created.text);
    let text = server.get("a").text;
    let start = text.find(r#""meta":{"v":"#).unwrap() + 12;
    let end = start + text[start..].find(r#"}},"meta":{"requestId""#).unwrap();
    text[start..end].to_owned()
}

#[test]
fn numbers_go_through_a_double_and_are_printed_by_go() {
    for (sent, got) in [
        ("9007199254740993", "9007199254740992"),
        ("12345678901234567890", "12345678901234567000"),
        ("1.0", "1"),
        ("1e3", "1000"),
        ("1e21", "1e+21"),
        ("1e20", "100000000000000000000"),
        ("1.5e-7", "1.5e-7"),
        ("0.000001", "0.000001"),
        ("123456789.123456789", "123456789.12345679"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1e-400", "0"),
        ("1.7976931348623157e308", "1.7976931348623157e+308"),
    ] {
        assert_eq!(stored(sent), got, "{sent}");
    }
    for sent in ["1e309", "-1e400", "01", "1.", "+1", ".5", "NaN", "1e", "--1"] {
        let body = format!(r#"{{"externalId":"a","meta":{{"v":{sent}}}}}"#);
        assert_eq!(raw(&mut server(), Create, body).locations(), ["requestBody"], "{sent}");
    }
}

#[test]
fn strings_are_read_and_written_by_go() {
    for (sent, got) in [
        (&br#""\ud800""#[..], "\"\u{fffd}\""),
        (br#""\ud800\u0041""#, "\"\u{fffd}A\""),
        (br#""\udc00\ud83c\udf89""#, "\"\u{fffd}\u{1f389}\""),
        (b"\"\xff\xe2\x82\"", "\"\u{fffd}\u{fffd}\u{fffd}\""),
        (br#""<>&\u2028\u2029""#, r#""\u003c\u003e\u0026\u2028\u2029""#),
        (br#""\b\f\n\r\t\/\u0001""#, r#""\b\f\n\r\t/\u0001""#),
        (br#"{"b":1,"a":2,"b":3}"#, r#"{"a":2,"b":3}"#),
    ] {
        assert_eq!(stored(sent), got);
    }
    for sent in [&b"\"\n\""[..], br#""\x""#, br#""\u12g4""#, b"\"open", b"[1,]", b"{\"a\"}", b"tru", b""] {
        let body = [br#"{"externalId":"a","meta":{"v":"#, sent, b"}}"].concat();
        assert_eq!(raw(&mut server(), Create, body).locations(), ["requestBody"]);
    }
}

#[test]
fn an_update_answers_minus_zero_as_it_was_sent() {
    let mut server = server();
    server.create("a", &[]);
    let answer = raw(&mut server, Update, r#"{"identity":"a","meta":{"v":-0}}"#);
    assert!(answer.text.contains(r#""meta":{"v":-0}"#), "{}", answer.text);
    assert!(server.get("a").text.contains(r#""meta":{"v":0}"#));
}

#[test]
fn size_is_counted_after_escaping() {
    let mut server = server();
    let body = |angles: usize, letters: usize| json!({"externalId": "a", "meta": {"a": "<".repeat(angles) + &"x".repeat(letters)}});
    let angles = 100_000;
    let letters = 1_048_576 - 8 - 6 * angles;
    assert_eq!(server.ask(Create, &body(angles, letters + 1)).error(), "invalid_input");
    assert_eq!(server.ask(Create, &body(angles, letters)).status, 200);
}

#[test]
fn the_database_refuses_deep_meta_and_long_keys_and_the_parser_deeper_ones() {
    let nested = |levels: usize| {
        let inner = "[".repeat(levels - 1) + &"]".repeat(levels - 1);
        format!(r#"{{"externalId":"a","meta":{{"v":{inner}}}}}"#)
    };
    let kind = |body: &str| {
        let answer = raw(&mut server(), Create, body);
        (answer.status, answer.error().to_owned())
    };
    assert_eq!(kind(&nested(100)).0, 200);
    assert_eq!(kind(&nested(101)), (500, "unexpected_error".to_owned()));
    assert_eq!(kind(&nested(9999)), (500, "unexpected_error".to_owned()));
    assert_eq!(kind(&nested(10_000)), (400, "invalid_input".to_owned()));
    let bomb = "[".repeat(5_000_000);
    assert_eq!(kind(&bomb), (400, "invalid_input".to_owned()));
    let key = |length: usize| json!({"externalId": "a", "meta": {"k".repeat(length): 1}}).to_string();
    assert_eq!(kind(&key(65_535)).0, 200);
    assert_eq!(kind(&key(65_536)), (500, "unexpected_error".to_owned()));
}

#[test]
fn integers_must_be_plain_and_fit_64_bits() {
    let mut server = server();
    for number in ["1000.0", "1e3", "9223372036854775808"] {
        for (limit, duration) in [(number, "1000"), ("1", number)] {
            let body = format!(
                r#"{{"externalId":"a","ratelimits":[{{"name":"abc","limit":{limit},"duration":{duration},"autoApply":true}}]}}"#
            );
            let answer = raw(&mut server, Create, body);
            assert_eq!((answer.status, answer.error(), answer.locations()), (400, "invalid_input", vec![]));
        }
    }
    assert_eq!(raw(&mut server, List, r#"{"limit":1.0}"#).locations(), Vec::<&str>::new());
    assert_eq!(raw(&mut server, List, r#"{"limit":1e1}"#).locations(), Vec::<&str>::new());
}

#[test]
fn fields_by_other_case_slip_past_the_schema_on_create() {
    let mut server = server();
    let body = r#"{"externalId":"a","Meta":{"x":1},"RATELIMITS":[{"Name":"n","LIMIT":0,"duration":0}]}"#;
    assert_eq!(raw(&mut server, Create, body).status, 200);
    let got = server.get("a").body["data"].clone();
    assert_eq!(got["meta"], json!({"x": 1}));
    let limit = &got["ratelimits"][0];
    assert_eq!((&limit["name"], &limit["limit"], &limit["duration"]), (&json!("n"), &json!(0), &json!(0)));
    assert_eq!(limit["autoApply"], false);
    let update = raw(&mut server, Update, r#"{"identity":"a","Meta":{}}"#);
    assert_eq!(update.locations(), ["/additionalProperties"]);
    let item = r#"{"identity":"a","ratelimits":[{"name":"abc","limit":5,"duration":1000,"autoApply":true,"LIMIT":0}]}"#;
    assert_eq!(raw(&mut server, Update, item).body["data"]["ratelimits"][0]["limit"], 0);
    assert_eq!(raw(&mut server, Create, r#"{"externalId":"b","Meta":"text"}"#).locations(), Vec::<&str>::new());
    assert_eq!(raw(&mut server, Create, r#"{"externalId":"b","identity":7,"limit":"x"}"#).status, 200);
}

#[test]
fn all_violations_are_told_at_once() {
    let mut server = server();
    let body = json!({
        "externalId": "a b".repeat(100), "meta": [], "ratelimits": [{"name": "ab", "limit": 0, "duration": 1.5}, 7],
    });
    let path = "/properties/ratelimits/items";
    assert_eq!(
        server.ask(Create, &body).locations(),
        [
            "/properties/externalId/maxLength",
            "/properties/externalId/pattern",
            "/properties/meta/type",
            &format!("{path}/properties/duration/type"),
            &format!("{path}/properties/limit/minimum"),
            &format!("{path}/properties/name/minLength"),
            &format!("{path}/required"),
            &format!("{path}/type"),
        ]
    );
}

#[test]
fn a_body_of_more_than_10_mib_looks_empty() {
    let mut body = br#"{"identity":"a"}"#.to_vec();
    body.resize(MAX_BODY_BYTES, b' ');
    assert_eq!(raw(&mut server(), Get, &body).status, 404);
    body.push(b' ');
    let answer = raw(&mut server(), Get, &body);
    assert_eq!((answer.status, answer.locations()), (400, vec!["requestBody"]));
    assert!(answer.body["error"]["detail"].as_str().unwrap().contains("request body is empty"));
}

#[test]
fn the_media_type_of_an_error_follows_the_accept_header() {
    let problem = "application/problem+json";
    let ask = |accept: Option<&'static str>, body: &'static [u8]| {
        server().send(Get, body, |request| Request { accept, ..request }, "Bearer key").content_type
    };
    let absent = br#"{"identity":"nobody"}"#;
    for accept in ["*/*", "application/*", problem, "text/html, */*;q=0.8"] {
        assert_eq!(ask(Some(accept), absent), problem, "{accept}");
        assert_eq!(ask(Some(accept), b"{}"), "application/json", "what the schema refuses is always plain JSON");
    }
    assert_eq!(ask(Some("application/json"), absent), "application/json");
    assert_eq!(ask(None, absent), "application/json");
}

#[test]
fn the_authorization_header_has_one_form() {
    let ask = |authorization: &'static str| {
        let answer = server().send(Get, br#"{"identity":"a"}"#, |request| request, authorization);
        (answer.status, answer.error().to_owned())
    };
    assert_eq!(ask("Bearer key   ").0, 404);
    for header in ["Bearer", "Bearer ", "bearer key", "Basic a2V5", "key"] {
        assert_eq!(ask(header), (400, "malformed".to_owned()), "{header}");
    }
    assert_eq!(ask("  "), (400, "invalid_input".to_owned()));
    assert_eq!(ask("Bearer other"), (401, "key_not_found".to_owned()));
}

#[test]
fn paths_and_methods_are_those_of_gos_router() {
    let ask = |method: &'static str, path: &'static str| {
        server().send(Get, b"{}", |request| Request { method, path, ..request }, "Bearer key")
    };
    let wrong_method = ask("GET", "/v2/identities.getIdentity");
    assert_eq!((wrong_method.status, wrong_method.header("Allow")), (405, Some("POST")));
    assert!(wrong_method.content_type.starts_with("text/plain"));
    let doubled = ask("POST", "//v2/identities.getIdentity");
    assert_eq!((doubled.status, doubled.header("Location")), (307, Some("/v2/identities.getIdentity")));
    for path in ["/v2/identities.getIdentity/", "/v1/identities.getIdentity", "/v2/identities.getidentity"] {
        assert_eq!(ask("POST", path).text, "404 page not found\n", "{path}");
    }
    assert_eq!(ask("GET", "/health/ready").body, json!({"status": "ok"}));
    assert_eq!(ask("POST", "/v2/liveness").status, 405);
    assert_eq!(ask("GET", "/v2/liveness").body["data"], json!({"message": "we're cooking"}));
    assert!(matches!(ask("GET", "/").body, Value::Null));
}
