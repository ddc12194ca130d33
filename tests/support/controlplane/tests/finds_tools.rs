//! The binaries are found or built once, and each failure says what to do. Go is played by a script here; `make` runs the real one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    reason = "a test that cannot go on has failed"
)]

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use controlplane::{Error, Resolver};

const SOON: Duration = Duration::from_secs(60);

/// Writes what `-o` names: a directory, which ends in a slash, gets a file per package.
const BUILDS: &str = r#"#!/bin/sh
echo "$*" >>"${0%go}calls"
while [ "$1" != -o ]; do shift; done
out=$2; shift 2
for package; do
    case $out in */) file=$out${package##*/} ;; *) file=$out ;; esac
    echo x >"$file"; chmod +x "$file"
done
"#;

const FAILS: &str = "#!/bin/sh\necho 'dial tcp: lookup nowhere: no such host' >&2; exit 1\n";

/// Signals that it has begun, and then takes for ever in a child, as a compiler would.
const HANGS: &str = "#!/bin/sh\n: >\"${0%go}calls\"\nsleep 1000 & wait\n";

/// A resolver with an empty cache and with this script as the only `go`.
struct Scratch {
    directory: tempfile::TempDir,
    resolver: Resolver,
}

impl Scratch {
    fn new(go: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let bin = directory.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("go"), go).unwrap();
        fs::set_permissions(bin.join("go"), fs::Permissions::from_mode(0o755)).unwrap();
        let resolver = Resolver {
            assets: None,
            cache: Some(directory.path().join("cache")),
            modules: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tools"),
            kubernetes: None,
            path: path_after(&bin),
        };
        Self { directory, resolver }
    }

    fn calls(&self) -> PathBuf {
        self.directory.path().join("bin/calls")
    }

    /// The one directory for these versions.
    fn cache(&self) -> PathBuf {
        let tools = self.directory.path().join("cache/unkey-operator/tools");
        fs::read_dir(tools).unwrap().next().unwrap().unwrap().path()
    }
}

/// The scripts need `chmod` and `sleep`, wherever these are.
#[allow(clippy::disallowed_methods, reason = "it is passed on, not used to decide")]
fn path_after(first: &Path) -> OsString {
    let rest = env::var_os("PATH").unwrap_or_default();
    env::join_paths([first.to_owned()].into_iter().chain(env::split_paths(&rest))).unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_missing_go_is_one_sentence() {
    let mut scratch = Scratch::new(BUILDS);
    scratch.resolver.path = OsString::new();
    let error = scratch.resolver.resolve().unwrap_err();
    assert_eq!(
        error.to_string(),
        "building kube-apiserver, kubectl needs Go 1.26.0 or newer, and PATH has no `go`: install Go \
         (https://go.dev/dl) or set KUBEBUILDER_ASSETS to a directory that holds these binaries"
    );
}

#[test]
fn the_command_says_so_too() {
    let scratch = Scratch::new(BUILDS);
    let output = Command::new(env!("CARGO_BIN_EXE_controlplane"))
        .arg("tools")
        .env_remove("KUBEBUILDER_ASSETS")
        .env_remove("KUBERNETES")
        .env("XDG_CACHE_HOME", scratch.directory.path())
        .env("PATH", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("controlplane: building ") && message.lines().count() == 1, "{message}");
}

#[test]
fn builds_into_a_directory_named_by_the_versions_and_then_finds_it() {
    let scratch = Scratch::new(BUILDS);
    let tools = scratch.resolver.resolve().unwrap();
    assert_eq!(tools.directory(), scratch.cache());
    assert_eq!(names(tools.directory()), [".lock", "etcd", "kube-apiserver", "kubectl"]);
    let name = tools.directory().file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("kubernetes-v1.") && name.contains("_etcd-v3."), "{name}");
    let calls = fs::read_to_string(scratch.calls()).unwrap();
    let version = name.split(['-', '_']).nth(1).unwrap();
    assert!(calls.contains(&format!("gitVersion={version} ")), "{calls}");

    // Only what is missing is built, and nothing when nothing is.
    fs::remove_file(tools.directory().join("etcd")).unwrap();
    scratch.resolver.resolve().unwrap();
    scratch.resolver.resolve().unwrap();
    assert_eq!(fs::read_to_string(scratch.calls()).unwrap().lines().count(), 3);
}

/// What `make matrix` runs on.
#[test]
fn another_version_is_another_directory_and_leaves_the_usual_one_alone() {
    let mut scratch = Scratch::new(BUILDS);
    let usual = scratch.resolver.resolve().unwrap();
    let versions = scratch.resolver.versions().unwrap();
    assert!(versions.len() > 1, "{versions:?}");
    for version in &versions {
        scratch.resolver.kubernetes = Some(version.clone());
        let tools = scratch.resolver.resolve_controllers().unwrap();
        let name = tools.directory().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("kubernetes-v{version}.")) && name.contains("_etcd-v3."), "{name}");
        assert_eq!(names(tools.directory()), [".lock", "etcd", "kube-apiserver", "kube-controller-manager", "kubectl"]);
    }
    let calls = fs::read_to_string(scratch.calls()).unwrap();
    assert_eq!(calls.lines().count(), 3 * versions.len(), "the usual version was built once: {calls}");
    // Helm and promtool are of no version.
    assert!(scratch.resolver.resolve_helm().is_ok());
    scratch.resolver.kubernetes = None;
    assert_eq!(scratch.resolver.resolve().unwrap().directory(), usual.directory());
}

#[test]
fn an_unknown_version_is_one_sentence() {
    let mut scratch = Scratch::new(BUILDS);
    scratch.resolver.kubernetes = Some("1.2".to_owned());
    let known = scratch.resolver.versions().unwrap().join(", ");
    assert_eq!(
        scratch.resolver.resolve().unwrap_err().to_string(),
        format!("KUBERNETES is 1.2, and what can be built is {known}; tools/versions/generate adds another")
    );
    scratch.resolver.assets = Some(PathBuf::from("/there"));
    assert_eq!(
        scratch.resolver.resolve().unwrap_err().to_string(),
        "KUBERNETES is 1.2 and KUBEBUILDER_ASSETS /there: unset one"
    );
}

/// The demo needs none, and should not wait for it.
#[test]
fn kube_controller_manager_is_built_on_demand_beside_the_servers() {
    let scratch = Scratch::new(BUILDS);
    let servers = scratch.resolver.resolve().unwrap();
    let all = scratch.resolver.resolve_controllers().unwrap();
    assert_eq!(all.directory(), servers.directory());
    assert_eq!(names(all.directory()), [".lock", "etcd", "kube-apiserver", "kube-controller-manager", "kubectl"]);
    let calls = fs::read_to_string(scratch.calls()).unwrap();
    assert_eq!(calls.matches("gitVersion=v1.").count(), 2, "{calls}");
    scratch.resolver.resolve_controllers().unwrap();
    assert_eq!(fs::read_to_string(scratch.calls()).unwrap(), calls, "nothing is missing");
}

#[test]
fn helm_is_built_on_demand_into_a_directory_of_its_own() {
    let mut scratch = Scratch::new(BUILDS);
    // Others put servers there, and no helm.
    scratch.resolver.assets = Some(scratch.directory.path().join("bin"));
    let helm = scratch.resolver.resolve_helm().unwrap();
    assert_eq!(helm.directory(), scratch.cache());
    assert_eq!(names(helm.directory()), [".lock", "helm3", "helm4"]);
    assert_eq!(helm.binary("helm4").unwrap(), scratch.cache().join("helm4"));
    let name = helm.directory().file_name().unwrap().to_str().unwrap().to_owned();
    assert!(name.starts_with("helm4-v4.") && name.contains("_helm3-v3."), "{name}");
    let calls = fs::read_to_string(scratch.calls()).unwrap();
    assert!(calls.contains("helm/v3/internal/version.version=v3.") && !calls.contains("kube"), "{calls}");

    scratch.resolver.path = OsString::new();
    scratch.resolver.resolve_helm().unwrap();
    fs::remove_file(helm.directory().join("helm3")).unwrap();
    let error = scratch.resolver.resolve_helm().unwrap_err().to_string();
    assert!(
        error.starts_with("building helm3 needs Go ") && error.ends_with("install Go (https://go.dev/dl)"),
        "{error}"
    );
}

#[test]
fn concurrent_builds_are_one() {
    let scratch = Scratch::new(BUILDS);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| scratch.resolver.resolve().unwrap());
        }
    });
    assert_eq!(fs::read_to_string(scratch.calls()).unwrap().lines().count(), 2, "one per module");
}

#[test]
fn a_failed_build_shows_why_and_leaves_no_binary() {
    let scratch = Scratch::new(FAILS);
    let error = scratch.resolver.resolve().unwrap_err();
    assert!(matches!(&error, Error::Build { tail, .. } if tail.contains("no such host")), "{error}");
    assert_eq!(names(&scratch.cache()), [".lock"]);
}

#[test]
fn a_killed_builder_leaves_no_process_no_binary_and_no_lock() {
    let mut scratch = Scratch::new(HANGS);
    let mut builder = Command::new(env!("CARGO_BIN_EXE_controlplane"))
        .arg("tools")
        .env_remove("KUBEBUILDER_ASSETS")
        .env_remove("KUBERNETES")
        .env("XDG_CACHE_HOME", scratch.resolver.cache.as_ref().unwrap())
        .env("PATH", &scratch.resolver.path)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("go begins", || scratch.calls().exists());
    builder.kill().unwrap();
    builder.wait().unwrap();
    // The directory aside goes when the last process that was started in it has gone.
    wait_until("all is swept", || names(&scratch.cache()) == [".lock"]);
    let second = Scratch::new(BUILDS);
    scratch.resolver.path = second.resolver.path.clone();
    scratch.resolver.resolve().unwrap();
}

#[tokio::test]
async fn assets_of_the_environment_are_taken_as_they_are() {
    let mut scratch = Scratch::new(BUILDS);
    scratch.resolver.assets = Some(scratch.directory.path().join("bin"));
    assert_eq!(scratch.resolver.resolve().unwrap().directory(), scratch.directory.path().join("bin"));
    let options = controlplane::Options { tools: scratch.resolver.clone(), ..controlplane::Options::default() };
    let error = controlplane::ControlPlane::start(options).await.unwrap_err();
    assert!(matches!(error, Error::Missing { binary: "etcd", .. }), "{error}");
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {SOON:?}");
        thread::sleep(Duration::from_millis(10));
    }
}
