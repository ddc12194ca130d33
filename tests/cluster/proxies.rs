//! A proxy on the way to the API server, found as kubectl finds it; and one on the way to Unkey, by a flag alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cutting_proxy::Proxy;
use middlebox::{Authority, ConnectProxy, TlsFront, Validity};
use serde_json::{Value, json};

use super::harness::{Operator, World};
use super::kubeconfigs;

/// A name that nobody but the proxies can resolve.
const KUBE: &str = "kube.invalid";
const UNKEY: &str = "unkey.invalid";

/// An API server that is known as [`KUBE`], with TLS.
struct Hidden {
    world: World,
    own: Authority,
    authority: PathBuf,
    front: TlsFront,
    /// Between the TLS and the API server.
    _plain: Proxy,
}

impl Hidden {
    async fn new(name: &str) -> Self {
        let world = World::new(name).await;
        let plain = Proxy::start(&world.plane.kubeconfig()).await.unwrap();
        let own = Authority::new().unwrap();
        let authority = world.files.path().join("ca.crt");
        std::fs::write(&authority, own.pem()).unwrap();
        let leaf = own.leaf(&[KUBE, "127.0.0.1"], Validity::Present).unwrap();
        let front = TlsFront::start(&leaf, plain.address()).await.unwrap();
        Self { world, own, authority, front, _plain: plain }
    }

    async fn proxy(&self, user: Option<&str>) -> ConnectProxy {
        ConnectProxy::start(&[(KUBE, self.front.address())], user).await.unwrap()
    }

    /// A kubeconfig for the API server by its name, or by its address.
    fn kubeconfig(&self, name: &str, host: &str, proxy_url: Option<&str>) -> PathBuf {
        let server = format!("https://{host}:{}", self.front.address().port());
        let mut cluster = kubeconfigs::cluster(&server, &self.authority);
        if let Some(proxy) = proxy_url {
            cluster["proxy-url"] = json!(proxy);
        }
        kubeconfigs::write(&self.world, name, &cluster, None)
    }

    fn args(&self, kubeconfig: &Path) -> Vec<String> {
        let mut args = self.world.args();
        let at = args.iter().position(|arg| arg == "--kubeconfig").unwrap();
        kubeconfig.to_str().unwrap().clone_into(&mut args[at + 1]);
        args
    }

    /// An operator with this kubeconfig and environment, and what it does for an Identity.
    async fn works(&self, name: &str, kubeconfig: &Path, env: &[(&str, &str)]) {
        let operator = self.world.start_as(&self.args(kubeconfig), env).await;
        self.world.create(name, &json!({"externalId": name})).await;
        self.world.ready(name).await;
        operator.kill();
    }
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_the_environment_leads_to_the_api_server() {
    let hidden = Hidden::new("proxy-env").await;
    let kubeconfig = hidden.kubeconfig("by-name", KUBE, None);
    for (name, variable, with_scheme) in
        [("capital", "HTTPS_PROXY", true), ("small", "https_proxy", true), ("bare", "HTTPS_PROXY", false)]
    {
        let proxy = hidden.proxy(None).await;
        let value = if with_scheme { url(proxy.address()) } else { proxy.address().to_string() };
        hidden.works(name, &kubeconfig, &[(variable, &value), ("NO_PROXY", "127.0.0.1,10.0.0.0/8,.svc")]).await;
        let asked = proxy.asked();
        assert!(!asked.is_empty() && asked.iter().all(|it| it.starts_with(KUBE)), "{name}: {asked:?}");
    }
    // The same for those who leave.
    let proxy = hidden.proxy(None).await;
    let said = release(&kubeconfig, &[("HTTPS_PROXY", &url(proxy.address()))]);
    assert!(said.status.success() && !proxy.asked().is_empty(), "{said:?}");
}

#[tokio::test]
async fn what_no_proxy_names_and_this_machine_are_reached_directly() {
    let hidden = Hidden::new("no-proxy").await;
    let by_address = hidden.kubeconfig("by-address", "127.0.0.1", None);
    let proxy = hidden.proxy(None).await;
    hidden.works("loopback", &by_address, &[("HTTPS_PROXY", &url(proxy.address()))]).await;
    assert_eq!(proxy.asked(), [""; 0]);
    // Directly it has no such name: that nobody asks the proxy shows in what is said.
    let by_name = hidden.kubeconfig("by-name", KUBE, None);
    let env = [("HTTPS_PROXY", url(proxy.address())), ("NO_PROXY", "x, *.invalid".to_owned())];
    let env = env.each_ref().map(|(name, value)| (*name, value.as_str()));
    let operator = Operator::start(hidden.world.files.path().join("spared.log"), &hidden.args(&by_name), &env);
    operator.until_logged("the API server cannot be reached: ").await;
    assert_eq!(proxy.asked(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_of_the_kubeconfig_comes_first_and_gets_its_password() {
    let hidden = Hidden::new("proxy-url").await;
    let (own, env) = (hidden.proxy(Some("me:p@ss")).await, hidden.proxy(None).await);
    let proxy_url = format!("http://me:p%40ss@{}", own.address());
    let kubeconfig = hidden.kubeconfig("own", KUBE, Some(&proxy_url));
    hidden.works("own", &kubeconfig, &[("HTTPS_PROXY", &url(env.address())), ("NO_PROXY", "*")]).await;
    assert!(!own.asked().is_empty() && env.asked().is_empty());

    // A proxy that is spoken to by TLS, and has a name of its own.
    let leaf = hidden.own.leaf(&["127.0.0.1"], Validity::Present).unwrap();
    let secured = TlsFront::start(&leaf, own.address()).await.unwrap();
    let kubeconfig = hidden.kubeconfig("secured", KUBE, Some(&format!("https://me:p%40ss@{}", secured.address())));
    hidden.works("secured", &kubeconfig, &[]).await;

    let wrong = hidden.kubeconfig("wrong", KUBE, Some(&format!("http://me:hunter2@{}", own.address())));
    let operator = Operator::start(hidden.world.files.path().join("wrong.log"), &hidden.args(&wrong), &[]);
    let named = format!("the API server cannot be reached through the proxy http://{}: ", own.address());
    operator.until_logged(&named).await;
    let log = operator.log();
    assert!(log.contains("proxy authorization required") && !log.contains("hunter2"), "{log}");

    let unfit = hidden.kubeconfig("unfit", KUBE, Some("ftp://me:hunter2@proxy.example"));
    let said = release(&unfit, &[]);
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(2), "{text}");
    assert!(text.contains("use http, https or socks5") && !text.contains("hunter2"), "{text}");
}

fn release(kubeconfig: &Path, env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unkey-operator"));
    command.args(["unmanage", "--all", "--dry-run", "--kubeconfig"]).arg(kubeconfig).envs(env.iter().copied());
    // The proxies run on other threads of the test's runtime than the one that waits here.
    tokio::task::block_in_place(|| command.output().unwrap())
}

/// The environment's proxy is not Unkey's: the root key takes a way that a flag names.
#[tokio::test]
async fn a_proxy_on_the_way_to_unkey_is_named_by_its_flag_alone() {
    let world = World::new("api-proxy").await;
    let own = Authority::new().unwrap();
    let authority = world.files.path().join("ca.crt");
    std::fs::write(&authority, own.pem()).unwrap();
    let emulator = world.emulator.base_url().split_once("://").unwrap().1.parse().unwrap();
    let front = TlsFront::start(&own.leaf(&[UNKEY], Validity::Present).unwrap(), emulator).await.unwrap();
    let names = [(UNKEY, front.address())];
    let (flag, env) = (
        ConnectProxy::start(&names, Some("me:secret")).await.unwrap(),
        ConnectProxy::start(&names, None).await.unwrap(),
    );
    let world = world.with_args(&["--api-url", &format!("https://{UNKEY}")]);
    let environment = |more: Option<&'static str>| -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("SSL_CERT_FILE", authority.to_str().unwrap().to_owned()),
            ("HTTPS_PROXY", url(env.address())),
            ("ALL_PROXY", url(env.address())),
        ];
        all.extend(more.map(|user| ("UNKEY_OPERATOR_API_PROXY", format!("http://{user}@{}", flag.address()))));
        all
    };
    let start = async |more| {
        let environment = environment(more);
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.start_as(&world.args(), &environment).await
    };
    let operator = start(None).await;
    world.create("a", &json!({"externalId": "a"})).await;
    operator.until_logged("Unkey cannot be reached: the host name cannot be resolved").await;
    operator.kill();
    let operator = start(Some("me:hunter2")).await;
    operator.until_logged("Unkey cannot be reached: the connection through the proxy failed").await;
    assert!(!operator.log().contains("hunter2"));
    operator.kill();
    let _operator = start(Some("me:secret")).await;
    world.ready("a").await;
    assert_eq!(env.asked(), [""; 0]);
    let asked: Vec<Value> = flag.asked().into_iter().map(Value::from).collect();
    assert!(asked.iter().all(|it| *it == format!("{UNKEY}:443")), "{asked:?}");
}
