//! The conditions of an `Identity`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One condition, in the shape that kubectl wait, Argo CD and Flux read (metav1.Condition).
#[derive(JsonSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StatusCondition {
    /// Ready, Stalled or Suspended; any other type belongs to another tool.
    #[serde(rename = "type")]
    pub type_: String,
    /// 'True' or 'False'.
    #[schemars(extend("enum" = ["True", "False", "Unknown"]))]
    pub status: String,
    /// The metadata.generation that this condition describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When 'status' last changed.
    pub last_transition_time: Time,
    /// One word that programs can rely on.
    #[schemars(length(min = 1, max = 1024))]
    pub reason: String,
    /// What happened, why, and what to do about it.
    #[schemars(length(max = 32768))]
    pub message: String,
}

/// The types of condition that an `Identity` may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConditionType {
    /// Unkey accepted exactly this generation and no settled read contradicts it.
    Ready,
    /// Nothing will change until a person acts.
    Stalled,
    /// spec.suspend is true.
    Suspended,
}

impl ConditionType {
    /// Those that the operator writes. All others are other tools'.
    pub const ALL: [Self; 3] = [Self::Ready, Self::Stalled, Self::Suspended];

    /// The name as it stands in the condition.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Stalled => "Stalled",
            Self::Suspended => "Suspended",
        }
    }
}
