//! A state machine with a clock that the test sets. It must not do more than put requests into it.
// Each test program uses its own part of it.
#![allow(dead_code)]

use serde_json::{Value, json};
use unkey_emulator::state::{KeyStatus, Request, RootKey, State};
use unkey_emulator::{Operation, Permissions, Settings};

/// One workspace `ws` with a root key for everything, and the time.
pub struct Server {
    pub state: State,
    pub now: u64,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub content_type: String,
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// What follows the last slash of the error's type.
    pub fn error(&self) -> &str {
        self.body["error"]["type"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default()
    }

    /// The distinct locations of its violations.
    pub fn locations(&self) -> Vec<&str> {
        let errors = self.body["error"]["errors"].as_array().expect("errors");
        let mut locations: Vec<_> = errors.iter().filter_map(|error| error["location"].as_str()).collect();
        locations.sort_unstable();
        locations.dedup();
        locations
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
    }

    /// The names of its rate limits, sorted.
    pub fn names(&self) -> Vec<&str> {
        let limits = self.body["data"]["ratelimits"].as_array();
        let mut names: Vec<_> = limits.into_iter().flatten().filter_map(|limit| limit["name"].as_str()).collect();
        names.sort_unstable();
        names
    }
}

impl Server {
    pub fn new(settings: Settings) -> Self {
        let mut state = State::new(7);
        state.add_workspace("ws", settings);
        let mut server = Self { state, now: 1_000_000_000 };
        server.key("key", Permissions::ALL);
        server
    }

    pub fn lagging(replica_lag_ms: u64) -> Self {
        Self::new(Settings { replica_lag_ms, ..Settings::default() })
    }

    pub fn key(&mut self, key: &str, permissions: Permissions) {
        let root_key = RootKey { workspace: "ws".to_owned(), permissions, status: KeyStatus::Active };
        self.state.add_key(key, root_key);
    }

    /// A request with the key for everything.
    pub fn ask(&mut self, operation: Operation, body: &Value) -> Answer {
        self.ask_as("key", operation, body.to_string().as_bytes())
    }

    pub fn ask_as(&mut self, key: &str, operation: Operation, body: &[u8]) -> Answer {
        self.send(operation, body, |request| request, &format!("Bearer {key}"))
    }

    /// A request that is changed before it is handled.
    pub fn send<'a>(
        &mut self,
        operation: Operation,
        body: &'a [u8],
        change: impl FnOnce(Request<'a>) -> Request<'a>,
        authorization: &'a str,
    ) -> Answer {
        let path = match operation {
            Operation::Create => "/v2/identities.createIdentity",
            Operation::Get => "/v2/identities.getIdentity",
            Operation::Update => "/v2/identities.updateIdentity",
            Operation::Delete => "/v2/identities.deleteIdentity",
            Operation::List => "/v2/identities.listIdentities",
        };
        let request = change(Request {
            method: "POST",
            path,
            query: None,
            authorization: Some(authorization),
            content_type: Some("application/json"),
            accept: None,
            body,
            read_at_ms: self.now,
        });
        let response = self.state.handle(self.now, &request);
        Answer {
            status: response.status,
            headers: response.headers,
            content_type: response.content_type,
            body: serde_json::from_slice(&response.body).unwrap_or(Value::Null),
            text: String::from_utf8(response.body).expect("UTF-8"),
        }
    }

    /// Creates an identity; its id.
    pub fn create(&mut self, external_id: &str, limits: &[&str]) -> String {
        let answer = self.ask(Operation::Create, &json!({"externalId": external_id, "ratelimits": ratelimits(limits)}));
        answer.body["data"]["identityId"].as_str().expect("an id").to_owned()
    }

    pub fn get(&mut self, identity: &str) -> Answer {
        self.ask(Operation::Get, &json!({"identity": identity}))
    }

    pub fn delete(&mut self, identity: &str) -> Answer {
        self.ask(Operation::Delete, &json!({"identity": identity}))
    }

    pub fn update_limits(&mut self, identity: &str, limits: &[&str]) -> Answer {
        self.ask(Operation::Update, &json!({"identity": identity, "ratelimits": ratelimits(limits)}))
    }
}

/// Rate limits of those names.
pub fn ratelimits(names: &[&str]) -> Value {
    let limit = |name: &&str| json!({"name": name, "limit": 10, "duration": 1000, "autoApply": true});
    names.iter().map(limit).collect()
}
