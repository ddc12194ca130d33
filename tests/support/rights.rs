//! What the operator may do, by the program's own list. `tests/chart` compares it with the roles that the chart makes, `tests/cluster` with what the
//! API server logs, right by right. Read in by both; asserts nothing.

use std::collections::BTreeSet;

use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;
use unkey_operator::check::Needs;
pub use unkey_operator::check::Right;

/// Asks the API server whether a user has a right.
pub async fn is_granted(right: &Right, user: &str, client: &Client) -> bool {
    let review = json!({"metadata": {}, "spec": {"user": user, "resourceAttributes": right.attributes()}});
    let review: SubjectAccessReview = serde_json::from_value(review).unwrap();
    let answer = Api::all(client.clone()).create(&PostParams::default(), &review).await.unwrap();
    answer.status.unwrap().allowed
}

/// How an operator is set up, as far as its rights depend on it.
pub struct Setup<'a> {
    /// The namespaces that it watches; none: all.
    pub watched: &'a [String],
    /// It has its rights in the whole cluster although it watches some namespaces only.
    pub wide: bool,
    /// Where its lease is.
    pub home: &'a str,
    pub lease: &'a str,
}

impl Setup<'_> {
    /// All that this operator ever needs.
    pub fn rights(&self) -> BTreeSet<Right> {
        let needs = Needs { watched: self.watched, lease: Some((self.home, self.lease)) }.rights();
        let is_wide = |right: &Right| self.wide && right.resource != "leases";
        needs.into_iter().map(|it| if is_wide(&it) { Right { namespace: None, ..it } } else { it }).collect()
    }
}
