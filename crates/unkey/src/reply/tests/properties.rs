use proptest::prelude::*;

use super::*;

/// Bodies from noise to nearly right, so that the conditions are met and missed often.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop::sample::select(vec![
        "https://unkey.com/docs/errors/unkey/data/identity_not_found",
        "https://unkey.com/docs/errors/unkey/data/workspace_not_found",
        "identity_not_found",
        "identity_not_found/",
        "x/identity_not_found2",
    ]);
    let errors =
        kinds.prop_map(|kind| json!({"meta": {"requestId": "r"}, "error": {"type": kind}}).to_string().into_bytes());
    let answers = prop::sample::select(Operation::ALL.to_vec()).prop_map(|op| answer(op).to_string().into_bytes());
    let whole = prop_oneof![errors, answers];
    let damaged = (whole.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut body, at, byte)| {
        let at = at.index(body.len());
        body[at] = byte;
        body
    });
    prop_oneof![prop::collection::vec(any::<u8>(), 0..200), whole, damaged]
}

/// Found by the property below: a parser that skips what it does not need does not see that it is no text.
#[test]
fn a_success_has_to_be_text_throughout() {
    let mut body = json!({"meta": {"requestId": "req_1"}, "data": {"?": 1}}).to_string().into_bytes();
    let head = Head { status: 200, content_type: JSON, retry_after: None };
    assert!(judge(Operation::Delete, head, &body).is_ok());
    let at = body.iter().position(|byte| *byte == b'?').unwrap();
    body[at] = 0x80;
    let error = judge(Operation::Delete, head, &body).unwrap_err();
    assert_eq!((error.class(), error.effect()), (Class::UnknownOutcome, Effect::Unknown));
}

proptest! {
    #[test]
    fn absence_and_success_need_all_their_conditions(
        operation in prop::sample::select(Operation::ALL.to_vec()),
        status in prop_oneof![Just(200), Just(404), 100..600_u16, any::<u16>()],
        content_type in prop_oneof![Just(JSON.map(str::to_owned)), Just(TEXT.map(str::to_owned)), prop::option::of(".{0,40}")],
        retry_after in prop::option::of(".{0,20}"),
        body in bodies(),
    ) {
        let head = Head { status, content_type: content_type.as_deref(), retry_after: retry_after.as_deref() };
        let json = serde_json::from_slice::<Value>(&body).ok().filter(|_| head.is_json());
        match judge(operation, head, &body) {
            Ok(()) => {
                let json = json.unwrap();
                prop_assert_eq!(status, 200);
                prop_assert!(json["meta"]["requestId"].as_str().is_some_and(|id| !id.is_empty()));
                prop_assert!(json["error"].is_null());
                prop_assert!(operation == Operation::Delete || !json["data"].is_null());
            }
            Err(error) => {
                let absent = status == 404
                    && json.is_some_and(|json| json["error"]["type"].as_str().is_some_and(|kind| kind.ends_with("/identity_not_found")));
                prop_assert!(absent || error.class() != Class::NotFound);
                // A write is called refused or not sent only on the word of a status that says so.
                if error.effect() == Effect::Refused {
                    prop_assert!((300..500).contains(&status) || status == 511);
                }
                prop_assert!(error.effect() != Effect::NotSent);
            }
        }
    }
}
