//! The webhook behind a real API server, as a client of that sees it: every order does what it says, and no other namespace feels it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)] // A test says what is wrong by failing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use admission_webhook::{Answer, Kind, Order, Rules, Webhook};
use controlplane::ControlPlane;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ValidatingWebhookConfiguration};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::Status;
use kube::{Api, Client};
use serde_json::json;

struct Setup {
    plane: &'static ControlPlane,
    client: Client,
    namespace: String,
    webhook: Webhook,
}

fn rules() -> Rules {
    Rules::on("", &["secrets"])
}

impl Setup {
    async fn new(kind: Kind, rules: &Rules) -> Self {
        let plane = controlplane::shared().await.unwrap();
        let namespace = plane.namespace("webhook").await.unwrap();
        let webhook = Webhook::start(&plane.kubeconfig(), kind, &namespace, rules).await.unwrap();
        Self { plane, client: plane.client().await.unwrap(), namespace, webhook }
    }

    fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn create(&self, name: &str) -> kube::Result<Secret> {
        create(&self.secrets(), name).await
    }

    /// The API server's refusal of a create.
    async fn refused(&self, name: &str) -> Status {
        refused(self.create(name).await)
    }
}

/// How many configurations of this namespace there are.
async fn registered(client: &Client, namespace: &str) -> usize {
    let params = ListParams::default();
    let validating = Api::<ValidatingWebhookConfiguration>::all(client.clone()).list(&params).await.unwrap();
    let mutating = Api::<MutatingWebhookConfiguration>::all(client.clone()).list(&params).await.unwrap();
    let validating = validating.items.into_iter().map(|it| it.metadata);
    let names = validating.chain(mutating.items.into_iter().map(|it| it.metadata)).filter_map(|meta| meta.name);
    names.filter(|name| name.starts_with(&format!("{namespace}-"))).count()
}

async fn create(api: &Api<Secret>, name: &str) -> kube::Result<Secret> {
    let annotations = BTreeMap::from([("tests/a".to_owned(), "kept".to_owned())]);
    let metadata = ObjectMeta { name: Some(name.to_owned()), annotations: Some(annotations), ..ObjectMeta::default() };
    api.create(&PostParams::default(), &Secret { metadata, ..Secret::default() }).await
}

fn refused(answer: kube::Result<Secret>) -> Status {
    match answer.unwrap_err() {
        kube::Error::Api(status) => *status,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn without_orders_everything_is_allowed_and_written_into_the_book() {
    let setup = Setup::new(Kind::Validating, &rules()).await;
    setup.create("a").await.unwrap();
    let patch = Patch::Merge(json!({"metadata": {"labels": {"x": "y"}}}));
    setup.secrets().patch("a", &PatchParams::default(), &patch).await.unwrap();
    let book: Vec<_> = setup.webhook.requests().into_iter().map(|entry| entry.request).collect();
    let asked: Vec<_> =
        book.iter().map(|it| (it["operation"].as_str().unwrap(), it["name"].as_str().unwrap())).collect();
    assert_eq!(asked, [("CREATE", "a"), ("UPDATE", "a")]);
    assert_eq!(book[1]["object"]["metadata"]["labels"], json!({"x": "y"}));
}

#[tokio::test]
async fn a_denial_reaches_the_client_as_ordered() {
    let setup = Setup::new(Kind::Validating, &rules()).await;
    let full = Answer::deny(422, "Invalid", "no such luck").because(&[("metadata.name", "is bad luck")]);
    let id = setup.webhook.order(Order::new(full).of("a").operation("CREATE").once());
    let status = setup.refused("a").await;
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    assert!(status.message.ends_with("denied the request: no such luck"), "{}", status.message);
    let causes = status.details.unwrap().causes;
    assert_eq!((causes[0].field.as_str(), causes[0].message.as_str()), ("metadata.name", "is bad luck"));
    // It was for one request, and for that name.
    setup.create("a").await.unwrap();
    assert_eq!(setup.webhook.hits(id), 1);

    for (code, reason) in [(403, "Forbidden"), (404, "NotFound"), (409, "Conflict"), (500, "InternalError"), (418, "")]
    {
        let id = setup.webhook.order(Order::new(Answer::deny(code, reason, "by order")));
        let status = setup.refused("b").await;
        assert_eq!((status.code, status.reason.as_str()), (code, reason));
        assert!(setup.webhook.clear(id) && !setup.webhook.clear(id));
    }
    setup.webhook.order(Order::new(Answer::deny(429, "TooManyRequests", "slowly").retry_after(7)));
    // The oldest order decides.
    setup.webhook.order(Order::new(Answer::Allow));
    assert_eq!(setup.refused("b").await.details.unwrap().retry_after_seconds, 7);
    setup.webhook.clear_all();
    setup.create("b").await.unwrap();
}

#[tokio::test]
async fn a_mutating_one_changes_what_is_stored() {
    let setup = Setup::new(Kind::Mutating, &rules()).await;
    let label = json!([{"op": "add", "path": "/metadata/labels", "value": {"by": "webhook"}}]);
    let labels = setup.webhook.order(Order::new(Answer::Patch(label)).when(|request| request["name"] == "labelled"));
    setup.webhook.order(Order::new(Answer::strip_annotation("tests/a")).of("stripped"));
    let labelled = setup.create("labelled").await.unwrap().metadata;
    assert_eq!(labelled.labels, Some(BTreeMap::from([("by".to_owned(), "webhook".to_owned())])));
    assert!(labelled.annotations.is_some());
    assert_eq!(setup.create("stripped").await.unwrap().metadata.annotations, None);
    assert_eq!(setup.webhook.hits(labels), 1);
}

#[tokio::test]
async fn a_webhook_that_fails_fails_the_request_unless_it_is_passed_over() {
    let rules = rules().timeout_seconds(1);
    let failing = || {
        [
            Answer::Hang,
            Answer::Http(404, "404 page not found".to_owned()),
            Answer::Http(200, "{".to_owned()),
            Answer::Drop,
        ]
    };
    let setup = Setup::new(Kind::Validating, &rules).await;
    for answer in failing() {
        let id = setup.webhook.order(Order::new(answer.clone()));
        let status = setup.refused("a").await;
        assert_eq!((status.code, status.reason.as_str()), (500, "InternalError"), "{answer:?}");
        assert!(status.message.contains("failed calling webhook"), "{answer:?}: {}", status.message);
        setup.webhook.clear(id);
    }
    let setup = Setup::new(Kind::Validating, &rules.ignores_failure()).await;
    for (number, answer) in failing().into_iter().enumerate() {
        setup.webhook.clear_all();
        let id = setup.webhook.order(Order::new(answer));
        setup.create(&format!("a{number}")).await.unwrap();
        assert!(setup.webhook.hits(id) > 0);
    }
}

#[tokio::test]
async fn a_late_answer_is_waited_for() {
    const LATE: Duration = Duration::from_millis(300);
    let setup = Setup::new(Kind::Validating, &rules()).await;
    setup.webhook.order(Order::new(Answer::Late(LATE)));
    let begun = Instant::now();
    setup.create("a").await.unwrap();
    assert!(begun.elapsed() >= LATE, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn it_concerns_one_namespace_and_ends_without_a_trace() {
    for kind in [Kind::Validating, Kind::Mutating] {
        let Setup { plane, client, namespace, webhook } = Setup::new(kind, &rules()).await;
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
        let beside = plane.namespace("beside").await.unwrap();
        webhook.order(Order::new(Answer::deny(403, "Forbidden", "not here")));
        create(&Api::namespaced(client.clone(), &beside), "a").await.unwrap();
        assert_eq!((refused(create(&secrets, "a").await).code, registered(&client, &namespace).await), (403, 1));
        webhook.end().await.unwrap();
        create(&secrets, "a").await.unwrap();
        assert_eq!(registered(&client, &namespace).await, 0, "{kind:?}");
        drop(Webhook::start(&plane.kubeconfig(), kind, &namespace, &rules()).await.unwrap());
        assert_eq!(registered(&client, &namespace).await, 0, "{kind:?}");
    }
}

#[tokio::test]
async fn who_waits_sees_a_request_come() {
    let setup = Setup::new(Kind::Validating, &rules()).await;
    let (created, ()) = tokio::join!(setup.create("a"), setup.webhook.wait_until(|it| !it.requests().is_empty()));
    created.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(50), setup.webhook.wait_until(|_| false)).await;
    assert!(waited.is_err());
}
