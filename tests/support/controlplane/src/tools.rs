//! Finds the binaries of the servers, helm and promtool, or builds them from `tools/*/go.mod` into the user's cache. May not start a server.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::{
    env,
    error::{Context, Error, Result},
    guard::{Directory, Guarded},
};

/// Binaries that are kept in one directory, named by their versions; built when somebody asks for them.
struct Group {
    builds: &'static [Build],
    /// How long the first build takes.
    takes: &'static str,
    /// What to do beside installing Go.
    instead: &'static str,
    /// The group in whose directory they are, if that is another one's.
    beside: Option<&'static Group>,
}

/// One `go build`: a module of ours and what comes out of it.
struct Build {
    /// Our folder under `tools/`.
    folder: &'static str,
    /// The module whose version names the result.
    module: &'static str,
    packages: &'static [&'static str],
    binaries: &'static [&'static str],
    /// For `-o`, below the output directory. Empty: as many files as packages, each named after its package.
    output: &'static str,
    /// More for the linker. Without the version that a release build carries the servers call themselves v0.0.0.
    link: &'static str,
}

const KUBERNETES_VERSION: &str = "-X k8s.io/component-base/version.gitVersion={version} \
    -X k8s.io/component-base/version.gitMajor={major} -X k8s.io/component-base/version.gitMinor={minor} \
    -X k8s.io/component-base/version.gitTreeState=clean";

const SERVERS: Group = Group {
    builds: &[
        Build {
            folder: "kubernetes",
            module: "k8s.io/kubernetes",
            packages: &["k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kubectl"],
            binaries: &["kube-apiserver", "kubectl"],
            output: "",
            link: KUBERNETES_VERSION,
        },
        Build {
            folder: "etcd",
            module: "go.etcd.io/etcd/server/v3",
            packages: &["go.etcd.io/etcd/server/v3"],
            binaries: &["etcd"],
            output: "etcd",
            link: "",
        },
    ],
    takes: "4–7 minutes",
    instead: " or set KUBEBUILDER_ASSETS to a directory that holds these binaries",
    beside: None,
};

/// Apart, since the demo needs none.
const CONTROLLERS: Group = Group {
    builds: &[Build {
        folder: "kubernetes",
        module: "k8s.io/kubernetes",
        packages: &["k8s.io/kubernetes/cmd/kube-controller-manager"],
        binaries: &["kube-controller-manager"],
        // A name: one package alone would be taken for the name of the result.
        output: "kube-controller-manager",
        link: KUBERNETES_VERSION,
    }],
    takes: "1–2 minutes",
    instead: " or set KUBEBUILDER_ASSETS to a directory that holds these binaries",
    beside: Some(&SERVERS),
};

const HELMS: Group = Group {
    builds: &[
        Build {
            folder: "helm4",
            module: "helm.sh/helm/v4",
            packages: &["helm.sh/helm/v4/cmd/helm"],
            binaries: &["helm4"],
            output: "helm4",
            link: "-X helm.sh/helm/v4/internal/version.version={version}",
        },
        Build {
            folder: "helm3",
            module: "helm.sh/helm/v3",
            packages: &["helm.sh/helm/v3/cmd/helm"],
            binaries: &["helm3"],
            output: "helm3",
            link: "-X helm.sh/helm/v3/internal/version.version={version}",
        },
    ],
    takes: "2–4 minutes",
    instead: "",
    beside: None,
};

const PROMETHEUS: Group = Group {
    builds: &[Build {
        folder: "prometheus",
        module: "github.com/prometheus/prometheus",
        packages: &["github.com/prometheus/prometheus/cmd/promtool"],
        binaries: &["promtool"],
        output: "promtool",
        link: "-X github.com/prometheus/common/version.Version={version}",
    }],
    takes: "3–6 minutes",
    instead: "",
    beside: None,
};

/// A directory that holds binaries.
#[derive(Debug, Clone)]
pub struct Tools {
    directory: PathBuf,
}

impl Tools {
    /// Where they are: what `KUBEBUILDER_ASSETS` would name.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The path of one binary, known to be there.
    pub fn binary(&self, binary: &'static str) -> Result<PathBuf> {
        let path = self.directory.join(binary);
        if is_executable(&path) {
            return Ok(path);
        }
        Err(Error::Missing { directory: self.directory.clone(), binary })
    }
}

/// Where to look for binaries and what to build them with.
#[derive(Debug, Clone)]
pub struct Resolver {
    /// A directory with the servers' binaries; then none of them is ever built.
    pub assets: Option<PathBuf>,
    /// The user's cache directory.
    pub cache: Option<PathBuf>,
    /// The folder that holds `kubernetes/go.mod` and the like.
    pub modules: PathBuf,
    /// Where `go` is looked for.
    pub path: OsString,
}

impl Default for Resolver {
    /// As the environment says.
    fn default() -> Self {
        Self { assets: env::assets(), cache: env::cache(), modules: env::modules(), path: env::path() }
    }
}

impl Resolver {
    /// Finds etcd, kube-apiserver and kubectl or builds those that are missing, which takes minutes the first time and says so on stderr. Blocks.
    pub fn resolve(&self) -> Result<Tools> {
        match &self.assets {
            Some(assets) => Ok(Tools { directory: assets.clone() }),
            None => self.found_or_built(&SERVERS),
        }
    }

    /// The same with kube-controller-manager, in the same directory.
    pub fn resolve_controllers(&self) -> Result<Tools> {
        self.resolve()?;
        match &self.assets {
            Some(assets) => Ok(Tools { directory: assets.clone() }),
            None => self.found_or_built(&CONTROLLERS),
        }
    }

    /// The same of `helm4` and `helm3`, which nobody names a directory of: what others have there is servers.
    pub fn resolve_helm(&self) -> Result<Tools> {
        self.found_or_built(&HELMS)
    }

    /// The same of `promtool`.
    pub fn resolve_promtool(&self) -> Result<Tools> {
        self.found_or_built(&PROMETHEUS)
    }

    fn found_or_built(&self, group: &Group) -> Result<Tools> {
        let directory = self.cache_directory(group)?;
        if group.missing(&directory).next().is_some() {
            fs::create_dir_all(&directory).context(|| format!("make {}", directory.display()))?;
            // Held until the binaries are there, and by nobody once its holder is dead.
            let _lock = lock(&directory.join(".lock"))?;
            for build in group.missing(&directory) {
                self.build(group, build, &directory)?;
            }
        }
        Ok(Tools { directory })
    }

    /// Named by the versions that go.mod asks for, so that another version is another directory.
    fn cache_directory(&self, group: &Group) -> Result<PathBuf> {
        let cache = self.cache.as_ref().ok_or(Error::NoCache)?;
        let builds = group.beside.unwrap_or(group).builds.iter();
        let names: Result<Vec<String>> =
            builds.map(|build| Ok(format!("{}-{}", build.folder, self.required(build, build.module)?))).collect();
        Ok(cache.join("unkey-operator/tools").join(names?.join("_")))
    }

    /// The version that our module asks for: of a module, or of `go` itself.
    fn required(&self, build: &Build, module: &'static str) -> Result<String> {
        let file = self.modules.join(build.folder).join("go.mod");
        let text = fs::read_to_string(&file).context(|| format!("read {}", file.display()))?;
        text.lines()
            .find_map(|line| {
                let mut words = line.split_whitespace().skip_while(|word| *word == "require");
                (words.next() == Some(module)).then(|| words.next().map(str::to_owned)).flatten()
            })
            .ok_or(Error::Version { file, module })
    }

    /// Builds aside and renames: an interrupted build leaves nothing that looks like a binary.
    fn build(&self, group: &Group, build: &Build, directory: &Path) -> Result<()> {
        let binaries = build.binaries.join(", ");
        let Some(go) = std::env::split_paths(&self.path).map(|path| path.join("go")).find(|path| is_executable(path))
        else {
            return Err(Error::NoGo { binaries, version: self.required(build, "go")?, instead: group.instead });
        };
        let aside = Directory::create(directory, ".building-")?;
        let output = aside.path().join("bin");
        fs::create_dir(&output).context(|| format!("make {}", output.display()))?;
        let mut command = Command::new(go);
        let flags = build.link_flags(&self.required(build, build.module)?);
        command.args(["build", "-trimpath", "-ldflags", &flags, "-o"]);
        command.arg(output.join(build.output)).args(build.packages);
        command.current_dir(self.modules.join(build.folder));
        // Static, the same whoever builds, and not part of a workspace that this repository may lie in.
        command.env("CGO_ENABLED", "0").env("GOWORK", "off").env("PATH", &self.path);
        // Swept too, if `go` is killed.
        command.env("GOTMPDIR", aside.path());
        let mut go = Guarded::spawn(&aside, "go", &command)?;
        let begun = Instant::now();
        let mut next = Duration::ZERO;
        let status = loop {
            if let Some(status) = go.ended()? {
                break status;
            }
            if begun.elapsed() >= next {
                let (seconds, takes) = (next.as_secs(), group.takes);
                eprintln!(
                    "controlplane: building {binaries} from Go modules ({seconds} s; the first build takes {takes})"
                );
                next += Duration::from_secs(5);
            }
            thread::sleep(Duration::from_millis(50));
        };
        if !status.success() {
            return Err(Error::Build { binaries, tail: go.log_tail() });
        }
        for binary in build.binaries {
            let (from, to) = (output.join(binary), directory.join(binary));
            fs::rename(&from, &to).context(|| format!("move {} to {}", from.display(), to.display()))?;
        }
        Ok(())
    }
}

impl Group {
    fn missing(&self, directory: &Path) -> impl Iterator<Item = &'static Build> {
        self.builds.iter().filter(|build| !build.binaries.iter().all(|binary| is_executable(&directory.join(binary))))
    }
}

impl Build {
    /// Stripped, and with the version.
    fn link_flags(&self, version: &str) -> String {
        let mut numbers = version.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        let link = self.link.replace("{version}", version).replace("{major}", major).replace("{minor}", minor);
        format!("-s -w {link}")
    }
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn lock(path: &Path) -> Result<File> {
    let what = || format!("lock {}", path.display());
    let file = File::create(path).context(what)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::Error(source)) => return Err(source).context(what),
        Err(TryLockError::WouldBlock) => eprintln!("controlplane: waiting for another process that builds the same"),
    }
    file.lock().context(what)?;
    Ok(file)
}
