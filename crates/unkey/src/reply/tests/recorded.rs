use super::*;

/// Answers of a real server, without what the recording leaves out: the request id and the error's detail.
#[test]
fn recorded_answers_are_understood() {
    let recorded = include_str!("../../../../../tests/contract/recorded.json");
    let cases: Vec<Value> = serde_json::from_str(recorded).unwrap();
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for step in cases.iter().flat_map(|case| case["steps"].as_array().unwrap()) {
        let answer = &step["answer"];
        let Some(operation) = operation_of(&step["op"]) else { continue };
        let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
        let mut body = json!({"meta": {"requestId": "req_abc"}});
        for name in ["data", "error"] {
            if let Some(value) = answer.get(name) {
                body[name] = value.clone();
            }
        }
        if answer["data"].is_number() {
            body["data"] = json!([]); // only the number of items was kept
        }
        if let Some(pagination) = answer.get("pagination") {
            body["pagination"] = json!({"hasMore": pagination["hasMore"]});
            if pagination["cursor"] == true {
                body["pagination"]["cursor"] = json!("id_2");
            }
        }
        let head = head(status, answer["contentType"].as_str());
        let outcome = match judge(operation, head, body.to_string().as_bytes()) {
            Ok(()) => "Ok".to_owned(),
            Err(error) => {
                assert_eq!(error.effect(), Effect::Refused, "{error}");
                format!("{:?}", error.class()).split([' ', '{']).next().unwrap().to_owned()
            }
        };
        *counts.entry(format!("{status} {outcome}")).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(outcome, count)| (outcome.as_str(), *count)).collect();
    let expected = [
        ("200 Ok", 151),
        ("400 Credential", 1),
        ("400 Terminal", 50),
        ("401 Credential", 4),
        ("403 Permission", 5),
        ("404 NotFound", 23),
        ("409 Conflict", 1),
    ];
    assert_eq!(counts, expected);
}

fn operation_of(op: &Value) -> Option<Operation> {
    let op = op.as_str()?;
    Operation::ALL.into_iter().find(|operation| operation.path().ends_with(&format!(".{op}")))
}
