//! What one small request shows: who asks the API server, whether they may do something, and what time it is where an answer comes from.

use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::fmt::rfc2822::DateTimeParser;
use kube::api::PostParams;
use kube::{Api, Client};

use crate::controller::{KubeError, within_deadline};

static PARSER: DateTimeParser = DateTimeParser::new();

/// Whom the API server takes this command for; `None`: it does not say.
pub async fn caller(client: &Client) -> Result<Option<String>, KubeError> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let (params, review) = (PostParams::default(), SelfSubjectReview::default());
    let answer = within_deadline(reviews.create(&params, &review)).await?.map_err(KubeError::Api)?;
    Ok(answer.status.and_then(|status| status.user_info?.username))
}

/// Whether the caller may do that.
pub async fn may(client: &Client, what: ResourceAttributes) -> Result<bool, KubeError> {
    let spec =
        SelfSubjectAccessReviewSpec { resource_attributes: Some(what), ..SelfSubjectAccessReviewSpec::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = within_deadline(reviews.create(&PostParams::default(), &review)).await?.map_err(KubeError::Api)?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// The time of a header `Date`, in seconds since 1970.
pub fn seconds_of_date(date: &str) -> Option<i64> {
    PARSER.parse_timestamp(date).ok().map(Timestamp::as_second)
}
