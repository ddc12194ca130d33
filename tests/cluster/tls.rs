//! A certificate that is not trusted is named, with what to do about it: towards the API server in the log, towards Unkey in log and condition.

use std::net::SocketAddr;
use std::path::PathBuf;

use middlebox::{Authority, Leaf, TlsFront, Validity};
use serde_json::json;

use super::harness::{Operator, World, condition};
use super::kubeconfigs;

const HERE: &[&str] = &["127.0.0.1"];

fn write(world: &World, name: &str, pem: &str) -> PathBuf {
    let path = world.files.path().join(name);
    std::fs::write(&path, pem).unwrap();
    path
}

fn address(url: &str) -> SocketAddr {
    url.split_once("://").unwrap().1.trim_end_matches('/').parse().unwrap()
}

/// What may stand in the way: a certificate, and words that name what is wrong with it.
fn certificates(own: &Authority, foreign: &Authority) -> Vec<(&'static str, Leaf, &'static str)> {
    vec![
        (
            "foreign",
            foreign.leaf(HERE, Validity::Present).unwrap(),
            "the server's certificate is issued by an unknown authority",
        ),
        ("self-signed", Leaf::self_signed(HERE).unwrap(), "the server's certificate is issued by an unknown authority"),
        (
            "other-name",
            own.leaf(&["api.example"], Validity::Present).unwrap(),
            "the server's certificate is for another name (api.example)",
        ),
        ("expired", own.leaf(HERE, Validity::Past).unwrap(), "the server's certificate has expired"),
        ("future", own.leaf(HERE, Validity::Future).unwrap(), "the server's certificate is not valid yet"),
    ]
}

#[tokio::test]
async fn what_is_wrong_with_the_api_server_s_certificate_is_named() {
    let (world, proxy) = World::new("tls-kube").await.behind_proxy().await;
    let (own, foreign) = (Authority::new().unwrap(), Authority::new().unwrap());
    let authority = write(&world, "ca.crt", own.pem());
    let run = async |name: &str, url: &str, env: &[(&str, &str)], cluster: serde_json::Value| {
        let mut cluster = cluster;
        cluster["server"] = json!(url);
        let kubeconfig = kubeconfigs::write(&world, name, &cluster, None);
        let mut args = world.args();
        let at = args.iter().position(|arg| arg == "--kubeconfig").unwrap();
        kubeconfig.to_str().unwrap().clone_into(&mut args[at + 1]);
        args.extend(["--leader-elect", "--lease-namespace", "default", "--lease-name", name].map(ToOwned::to_owned));
        Operator::start(world.files.path().join(format!("{name}.log")), &args, env)
    };
    let known = json!({"certificate-authority": authority});
    for (name, leaf, words) in certificates(&own, &foreign) {
        let front = TlsFront::start(&leaf, proxy.address()).await.unwrap();
        let operator = run(name, &format!("https://{}", front.address()), &[], known.clone()).await;
        operator.until_logged("Identities cannot be watched").await;
        operator.until_logged("the lease cannot be read").await;
        let log = operator.log();
        let told = |what: &str| log.lines().any(|line| line.contains(what) && line.contains(words));
        assert!(told("cannot be watched") && told("lease cannot be read"), "{name}: {log}");
        if words.contains("unknown authority") {
            assert!(log.contains("certificate-authority-data"), "{log}");
        }
    }
    let operator = run("plain", &format!("https://{}", proxy.address()), &[], known.clone()).await;
    operator.until_logged("the server does not speak TLS. Use http://").await;

    // Without an authority in the kubeconfig those of the machine count.
    let front = TlsFront::start(&own.leaf(HERE, Validity::Present).unwrap(), proxy.address()).await.unwrap();
    let url = format!("https://{}", front.address());
    let none = json!({"certificate-authority": null});
    let env = [("SSL_CERT_FILE", authority.to_str().unwrap())];
    run("machine", &url, &env, none).await.until_logged("listed the Identities").await;
    run("known", &url, &[], known).await.until_logged("listed the Identities").await;
}

/// However many connections are made.
#[tokio::test]
async fn that_nobody_is_checked_is_said_once() {
    let (world, proxy) = World::new("tls-insecure").await.behind_proxy().await;
    let front = TlsFront::start(&Leaf::self_signed(&["x.example"]).unwrap(), proxy.address()).await.unwrap();
    let cluster = json!({
        "server": format!("https://{}", front.address()), "certificate-authority": null, "insecure-skip-tls-verify": true,
    });
    let kubeconfig = kubeconfigs::write(&world, "insecure", &cluster, None);
    let namespace = world.namespace.clone();
    let world = world.with_args(&["--kubeconfig", kubeconfig.to_str().unwrap(), "--lease-namespace", &namespace]);
    let mut args = world.args();
    args.push("--leader-elect".to_owned());
    let operator = world.start_as(&args, &[]).await;
    for n in 0..8 {
        world.create(&format!("a-{n}"), &json!({"externalId": format!("a-{n}")})).await;
    }
    for n in 0..8 {
        world.ready(&format!("a-{n}")).await;
    }
    assert_eq!(operator.log().matches("insecure-skip-tls-verify").count(), 1, "{}", operator.log());
}

#[tokio::test]
async fn what_is_wrong_with_unkey_s_certificate_is_named() {
    let world = World::new("tls-unkey").await;
    let (own, foreign) = (Authority::new().unwrap(), Authority::new().unwrap());
    let authority = write(&world, "ca.crt", own.pem());
    let emulator = address(&world.emulator.base_url());
    let plain = format!("https://{emulator}");
    let mut cases = Vec::new();
    let mut fronts = Vec::new();
    for (name, leaf, words) in certificates(&own, &foreign) {
        let front = TlsFront::start(&leaf, emulator).await.unwrap();
        cases.push((name, format!("https://{}", front.address()), words));
        fronts.push(front);
    }
    cases.push(("plain", plain, "the server does not speak TLS; use http://"));
    for (name, url, words) in cases {
        let mut args = world.args();
        let at = args.iter().position(|arg| arg == "--api-url").unwrap();
        args[at + 1] = url;
        let operator = world.start_as(&args, &[("SSL_CERT_FILE", authority.to_str().unwrap())]).await;
        world.create(name, &json!({"externalId": name})).await;
        let shown = world.until(name, words, |object| {
            condition(object, "Ready")["message"].as_str().is_some_and(|message| message.contains(words))
        });
        let ready = condition(&shown.await, "Ready");
        assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("UpstreamUnavailable")), "{ready}");
        if words.contains("unknown authority") {
            assert!(ready["message"].as_str().unwrap().contains("SSL_CERT_FILE (the chart's caBundle)"), "{ready}");
        }
        let cause = words.split(';').next().unwrap();
        assert!(
            operator
                .log()
                .lines()
                .any(|line| line.contains("request to Unkey refused or failed") && line.contains(cause))
        );
        operator.kill();
    }
    assert_eq!(world.calls(), [0; 5], "nothing was sent");
    let front = TlsFront::start(&own.leaf(HERE, Validity::Present).unwrap(), emulator).await.unwrap();
    let world = world.with_args(&["--api-url", &format!("https://{}", front.address())]);
    let _operator = world.start_as(&world.args(), &[("SSL_CERT_FILE", authority.to_str().unwrap())]).await;
    for name in ["foreign", "expired", "plain"] {
        world.ready(name).await;
    }
}
