//! `examples/admission`: what tenants may do, decided by the API server as the files say it.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{World, condition, eventually, identity, succeeded};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/admission");
const ANNOTATION: &str = "unkey.com/external-id-prefix";
const CEILING: &str = "unkey.com/limit-ceiling";

async fn apply_policy(world: &World, name: &str) {
    succeeded(&world.run_kubectl(&["apply", "-f", &format!("{FOLDER}/{name}.yaml")], "").await);
}

/// What the API server says to this command; `None`: it does as it is told.
async fn refused(world: &World, args: &[&str], manifest: &str) -> Option<String> {
    let output = world.run_kubectl(args, manifest).await;
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The same to an Identity of this spec, in a dry run.
async fn refusal_of(world: &World, spec: &Value) -> Option<String> {
    refused(world, &["create", "--dry-run=server", "-f", "-"], &identity("tried", spec).to_string()).await
}

/// The same to one of this externalId.
async fn refusal(world: &World, external_id: &str) -> Option<String> {
    refusal_of(world, &json!({"externalId": external_id})).await
}

/// Changes the metadata of the namespace; a null takes away.
async fn set(world: &World, metadata: Value) {
    let namespaces: Api<Namespace> = Api::all(world.client.clone());
    let patch = json!({"metadata": metadata});
    namespaces.patch(&world.namespace, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

/// Sets the namespace's prefix, and waits until the policy heeds it.
async fn set_prefix(world: &World, prefix: &str) {
    set(world, json!({"annotations": {ANNOTATION: prefix}})).await;
    let allowed = format!("{prefix}probe");
    let heeded = async || refusal(world, &allowed).await.is_none().then_some(());
    eventually(&format!("the prefix '{prefix}' to be heeded"), heeded).await;
}

#[tokio::test]
async fn external_ids_are_bound_to_namespaces() {
    let world = World::alone("tenant").await;
    let operator = world.start().await;
    // There before the policy, and against it.
    for name in ["edited", "deleted", "left"] {
        world.create(name, &json!({"externalId": name, "meta": {"n": 1}})).await;
        world.ready(name).await;
    }
    apply_policy(&world, "externalid-prefix").await;
    eventually("the policy to be heeded", async || refusal(&world, "acme").await).await;

    let namespace = &world.namespace;
    let own = |rest: &str| format!("{namespace}.{rest}");
    let base = namespace.split('-').next().unwrap();
    for external_id in [own("acme"), own(""), own("eu.acme"), own("x").repeat(2)] {
        assert_eq!(refusal(&world, &external_id).await, None, "{external_id}");
    }
    let others = [
        "acme".to_owned(),
        namespace.clone(),
        format!("{namespace}-eu.acme"),
        format!("{namespace}acme"),
        format!("x{namespace}.acme"),
        format!("{base}.acme"),
        "other.acme".to_owned(),
        own("acme").to_uppercase(),
    ];
    for external_id in others {
        let said = refusal(&world, &external_id).await.unwrap_or_else(|| panic!("{external_id} passes"));
        assert!(said.contains("externalid-prefix.unkey.com"), "{said}");
        assert!(said.contains(&format!("spec.externalId must begin with \"{namespace}.\"")), "{said}");
    }
    // By every way to make one.
    let manifest = identity("tried", &json!({"externalId": "acme"})).to_string();
    for verb in [&["create"][..], &["apply"], &["apply", "--server-side"]] {
        let output = world.run_kubectl(&[verb, &["-f", "-"]].concat(), &manifest).await;
        assert!(!output.status.success(), "{verb:?}: {output:?}");
    }
    assert_eq!(world.get("tried").await, None);

    // A prefix of its own takes the place of the default, and an empty one lets everything reconcile.
    set_prefix(&world, "acme.").await;
    assert_eq!(refusal(&world, "acme.eu").await, None);
    for external_id in [own("acme"), "acme".to_owned(), "acmeeu".to_owned(), "Acme.eu".to_owned()] {
        assert!(refusal(&world, &external_id).await.is_some(), "{external_id} passes");
    }
    set_prefix(&world, "").await;
    assert_eq!(refusal(&world, "whatever").await, None);
    set_prefix(&world, "acme.").await;

    // What was there before is edited, held, let go and deleted as ever.
    world.edit("edited", &json!({"meta": {"n": 2}})).await;
    world.ready("edited").await;
    world.delete("deleted").await;
    world.gone("deleted").await;
    assert_eq!(world.upstream("deleted"), Value::Null);
    let copy = identity("left", &json!({"externalId": "left", "meta": {"n": 1}})).to_string();
    succeeded(&world.run_kubectl(&["replace", "-f", "-"], &copy).await);
    world.until("left", "claimed again", |it| it["metadata"]["annotations"]["unkey.com/claim"].is_string()).await;
    assert_eq!(condition(&world.get("left").await.unwrap(), "Ready")["status"], "True");
    world.create("made", &json!({"externalId": "acme.made"})).await;
    world.ready("made").await;
    world.assert_in_step().await;
    assert!(operator.terminate().await.success());
}

/// The ceiling, limits as requests in so many ms, and which of them is above it.
type Row = (&'static str, &'static [(i64, i64)], Option<usize>);

fn limited(limits: &[(i64, i64)]) -> Value {
    let limits = limits.iter().enumerate().map(|(at, (limit, duration))| {
        json!({"name": format!("limit-{at}"), "limit": limit, "duration": duration, "autoApply": true})
    });
    json!({"externalId": "tried", "ratelimits": limits.collect::<Vec<_>>()})
}

#[tokio::test]
async fn rate_limits_stay_under_the_ceiling_of_the_namespace() {
    let world = World::alone("ceiling").await;
    let operator = world.start().await;
    for name in ["edited", "deleted", "left"] {
        let mut spec = limited(&[(1_000, 1_000)]);
        spec["externalId"] = json!(name);
        world.create(name, &spec).await;
        world.ready(name).await;
    }
    apply_policy(&world, "limit-ceiling").await;
    let said = eventually("the policy to be heeded", async || refusal_of(&world, &limited(&[(1, 1_000)])).await).await;
    assert!(said.contains("may set no rate limits") && said.contains("unkey.com/limit-ceiling is missing"), "{said}");
    // What names no limit needs no ceiling.
    for spec in [json!({"externalId": "tried"}), json!({"externalId": "tried", "ratelimits": []})] {
        assert_eq!(refusal_of(&world, &spec).await, None, "{spec}");
    }

    for not_a_number in ["", "many", "1e3", "-1", "1,5", ".5", "10 "] {
        set(&world, json!({"annotations": {CEILING: not_a_number}})).await;
        let heeded = async || {
            let said = refusal_of(&world, &limited(&[(1, 1_000)])).await?;
            let expected = format!("is \"{not_a_number}\", which is not a number");
            (said.contains(&expected) || (not_a_number.is_empty() && said.contains("is missing"))).then_some(())
        };
        eventually(&format!("'{not_a_number}' to be refused"), heeded).await;
    }

    let rows: [Row; 11] = [
        ("100", &[(100, 1_000)], None),
        ("100", &[(101, 1_000)], Some(0)),
        ("100", &[(6_000, 60_000)], None),
        ("100", &[(6_001, 60_000)], Some(0)),
        ("100", &[(1, 1_000), (50, 1_000), (1_000, 1_000)], Some(2)),
        ("100", &[(8_640_000, 86_400_000)], None),
        ("0.5", &[(30, 60_000)], None),
        ("0.5", &[(31, 60_000)], Some(0)),
        ("0", &[(1, 86_400_000)], Some(0)),
        ("999999999", &[(9_007_199_254_740_991, 1_000)], Some(0)),
        ("999999999", &[(999_999_999, 1_000)], None),
    ];
    for (ceiling, limits, above) in rows {
        set(&world, json!({"annotations": {CEILING: ceiling}})).await;
        let heeded = async || match (refusal_of(&world, &limited(limits)).await, above) {
            (None, None) => Some(()),
            (Some(said), Some(at)) => {
                let (limit, duration) = limits[at];
                let words = [
                    format!("The rate limit \"limit-{at}\" allows {limit} requests in {duration} ms"),
                    format!("may allow at most {ceiling} a second"),
                ];
                words.iter().all(|words| said.contains(words)).then_some(())
            }
            _ => None,
        };
        eventually(&format!("{limits:?} under {ceiling}: {above:?}"), heeded).await;
    }

    // What was there before and is above is edited down, held and deleted as ever, though an edit that leaves it above is refused.
    set(&world, json!({"annotations": {CEILING: "100"}})).await;
    eventually("the ceiling to be heeded", async || refusal_of(&world, &limited(&[(101, 1_000)])).await).await;
    let label = world.run_kubectl(&["label", "identities.unkey.com", "left", "team=a"], "").await;
    succeeded(&label);
    let edit = |n: i64| {
        json!({"spec": {"ratelimits": [{"name": "limit-0", "limit": n, "duration": 1_000, "autoApply": true}]}})
            .to_string()
    };
    let patch = |patch: String| async {
        let patch = patch;
        refused(&world, &["patch", "identities.unkey.com", "edited", "--type=merge", "-p", &patch], "").await
    };
    assert!(patch(edit(900)).await.is_some_and(|said| said.contains("allows 900 requests")));
    assert_eq!(patch(edit(90)).await, None);
    world.ready("edited").await;
    world.delete("deleted").await;
    world.gone("deleted").await;
    assert_eq!(world.upstream("deleted"), Value::Null);
    let mut copy = limited(&[(1_000, 1_000)]);
    copy["externalId"] = json!("left");
    succeeded(&world.run_kubectl(&["replace", "-f", "-"], &identity("left", &copy).to_string()).await);
    world.until("left", "claimed again", |it| it["metadata"]["annotations"]["unkey.com/claim"].is_string()).await;
    world.assert_in_step().await;
    assert!(operator.terminate().await.success());
}

#[tokio::test]
async fn identities_are_kept_where_the_namespace_says_so() {
    let world = World::alone("keep").await;
    let operator = world.start().await;
    for name in ["kept", "leaving", "last"] {
        world.create(name, &json!({"externalId": name})).await;
        world.ready(name).await;
    }
    // Its deletion began before, and goes on.
    world.edit("leaving", &json!({"suspend": true})).await;
    world.delete("leaving").await;
    set(&world, json!({"labels": {"unkey.com/keep-identities": "true"}})).await;
    apply_policy(&world, "keep-identities").await;
    let dry = async || refused(&world, &["delete", "identities.unkey.com", "kept", "--dry-run=server"], "").await;
    let said = eventually("the policy to be heeded", dry).await;
    let words = format!("Identities of namespace {} may not be deleted", world.namespace);
    assert!(said.contains(&words) && said.contains("take the label off first"), "{said}");
    for args in [
        &["delete", "identities.unkey.com", "kept", "--wait=false"][..],
        &["delete", "identities.unkey.com", "--all", "--wait=false"],
    ] {
        assert!(refused(&world, args, "").await.is_some_and(|said| said.contains(&words)), "{args:?}");
    }
    world.edit("leaving", &json!({"suspend": false})).await;
    world.gone("leaving").await;
    assert_eq!(world.upstream("leaving"), Value::Null);
    world.edit("kept", &json!({"meta": {"n": 2}})).await;
    world.ready("kept").await;

    // The namespace's own deletion hangs, as the file says, until the label is gone.
    succeeded(&world.run_kubectl(&["delete", "namespace", &world.namespace, "--wait=false"], "").await);
    assert!(dry().await.is_some_and(|said| said.contains(&words)), "in a namespace that ends too");
    set(&world, json!({"labels": {"unkey.com/keep-identities": null}})).await;
    eventually("deletions to be taken again", async || dry().await.is_none().then_some(())).await;
    world.delete("last").await;
    world.gone("last").await;
    assert!(world.get("kept").await.is_some_and(|it| it["metadata"]["deletionTimestamp"].is_null()));
    assert!(operator.terminate().await.success());
}
