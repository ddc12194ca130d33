//! A check with its verdict, and all of them as data: what `--output json` prints. Ids and verdicts are promised as reasons are; messages are not.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// The operator works, and a person should know this.
    Warn,
    /// The operator cannot work so, or not for all.
    Fail,
    /// It cannot be seen from here, or not by this caller.
    CannotTell,
    /// It was not looked at.
    Skipped,
}

impl Verdict {
    /// In the order in which a summary counts them.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Warn, Self::Fail, Self::CannotTell, Self::Skipped];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::CannotTell => "cannot-tell",
            Self::Skipped => "skipped",
        }
    }
}

/// Which check it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Id {
    /// The API server answers, in a version that is tried.
    ApiServer,
    /// The CustomResourceDefinition is installed, and this program's.
    Definition,
    /// The caller has the rights that the operator needs.
    Rights,
    /// The operator's Pods are ready.
    Operator,
    /// One of them leads.
    Leader,
    /// They are of this program's version.
    Version,
    /// Every Identity is taken in by an operator.
    Unwatched,
    /// Unkey answers.
    Unkey,
    /// Unkey accepts the root key.
    RootKey,
    /// The clocks agree.
    Clock,
    /// How much the workspace allows.
    RateLimit,
    /// The root key leads to the workspace that is recorded.
    Workspace,
    /// The root key may create identities.
    PermissionCreate,
    /// The root key may read identities.
    PermissionRead,
    /// The root key may update identities.
    PermissionUpdate,
    /// The root key may delete identities.
    PermissionDelete,
}

impl Id {
    /// Those that need a cluster.
    pub const OF_CLUSTER: [Self; 7] =
        [Self::ApiServer, Self::Definition, Self::Rights, Self::Operator, Self::Leader, Self::Version, Self::Unwatched];
    /// Those that need a root key.
    pub const OF_UNKEY: [Self; 4] = [Self::Unkey, Self::RootKey, Self::RateLimit, Self::Workspace];
    /// Those of `--permissions`.
    pub const OF_PERMISSIONS: [Self; 4] =
        [Self::PermissionCreate, Self::PermissionRead, Self::PermissionUpdate, Self::PermissionDelete];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiServer => "api-server",
            Self::Definition => "definition",
            Self::Rights => "rights",
            Self::Operator => "operator",
            Self::Leader => "leader",
            Self::Version => "version",
            Self::Unwatched => "unwatched",
            Self::Unkey => "unkey",
            Self::RootKey => "root-key",
            Self::Clock => "clock",
            Self::RateLimit => "rate-limit",
            Self::Workspace => "workspace",
            Self::PermissionCreate => "permission-create",
            Self::PermissionRead => "permission-read",
            Self::PermissionUpdate => "permission-update",
            Self::PermissionDelete => "permission-delete",
        }
    }
}

/// One check, and what it came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Finding {
    /// Which one.
    pub id: Id,
    /// What it came to.
    pub verdict: Verdict,
    /// For people: the cause, then the remedy.
    pub message: String,
}

impl Finding {
    /// `message`: the cause, then the remedy; without a full stop at its end.
    pub fn new(id: Id, verdict: Verdict, message: impl fmt::Display) -> Self {
        Self { id, verdict, message: message.to_string() }
    }

    /// The same of several checks that could not be made for one reason.
    pub fn skipped(ids: &[Id], why: &str) -> Vec<Self> {
        ids.iter().map(|id| Self::new(*id, Verdict::Skipped, why)).collect()
    }
}

/// All findings.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When they were made, RFC 3339.
    pub as_of: String,
    /// This program's version.
    pub version: String,
    /// Whom the API server takes the caller for. Null: it was not asked, or does not say.
    pub caller: Option<String>,
    /// Where the operator's settings are from, one for each operator; empty: they are not known, and the defaults were taken.
    pub settings_from: Vec<String>,
    /// Where the root key is from: a flag, a file, a variable. Null: there is none.
    pub root_key_from: Option<String>,
    /// How many checks there are of each verdict.
    pub summary: BTreeMap<String, usize>,
    /// The checks, in order.
    pub checks: Vec<Finding>,
}

impl Report {
    /// Takes in findings.
    pub fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        for finding in findings {
            *self.summary.entry(finding.verdict.as_str().to_owned()).or_default() += 1;
            self.checks.push(finding);
        }
        self.checks.sort_by_key(|finding| finding.id);
    }

    /// True if a check failed.
    pub fn has_failed(&self) -> bool {
        self.checks.iter().any(|finding| finding.verdict == Verdict::Fail)
    }
}

/// The JSON schema of [`Report`].
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Report).to_value();
    schema["title"] = json!("unkey-operator check");
    schema
}
