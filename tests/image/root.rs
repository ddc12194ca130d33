//! A folder that holds what the image holds, and a program that has it as its root. Needs to be root, or a kernel that lets users make
//! namespaces; where neither is so it says so and fails.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::image::{Image, PROGRAMS};

/// What of the base image (packages libc6, libgcc-s1 and ca-certificates of gcr.io/distroless/cc-debian13) the program may use: names of
/// shared libraries, by which they are looked for on this machine.
pub const BASE: [&str; 4] = [LOADER, "libc.so.6", "libm.so.6", "libgcc_s.so.1"];
const LOADER: &str = if cfg!(target_arch = "aarch64") { "ld-linux-aarch64.so.1" } else { "ld-linux-x86-64.so.2" };
/// Where the base image has its CA certificates.
pub const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Where this machine may have them.
const HERE: [&str; 3] = [CERTIFICATES, "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem"];

/// The program: that of these tests, or another one, such as a release build.
#[allow(clippy::disallowed_methods)] // a test's own variable
fn program() -> PathBuf {
    std::env::var_os("IMAGE_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_unkey-operator").into()).into()
}

/// How a folder becomes a read-only root: `$0` is the folder, the rest the command that goes into it.
const READ_ONLY: &str = r#"set -eu
mount --bind "$0" "$0"
mount --options remount,bind,ro,nosuid,nodev "$0"
cd "$0"
exec "$@""#;

/// How this machine lets a test mount something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Root,
    UserNamespace,
}

impl Way {
    const BOTH: [Self; 2] = [Self::Root, Self::UserNamespace];

    fn outer(self) -> &'static [&'static str] {
        match self {
            Self::Root => &["--mount"],
            Self::UserNamespace => &["--user", "--map-root-user", "--mount"],
        }
    }

    /// `unshare` gives up what it was allowed when the program begins.
    fn inner(self, (user, group): (u32, u32)) -> Vec<String> {
        match self {
            Self::Root => vec![format!("--setuid={user}"), format!("--setgid={group}")],
            Self::UserNamespace => vec!["--user".into(), format!("--map-user={user}"), format!("--map-group={group}")],
        }
    }

    fn of_this_machine() -> Self {
        static WAY: OnceLock<Way> = OnceLock::new();
        *WAY.get_or_init(|| {
            let mut refusals = String::new();
            // One with nothing mounted inside: what a namespace inherits it may not take apart.
            let folder = TempDir::new().unwrap();
            for way in Self::BOTH {
                let tried = Command::new("unshare")
                    .args(way.outer())
                    .args(["mount", "--bind"])
                    .args([folder.path(); 2])
                    .output();
                match tried {
                    Ok(output) if output.status.success() => return way,
                    Ok(output) => refusals += &String::from_utf8_lossy(&output.stderr),
                    Err(error) => refusals += &error.to_string(),
                }
            }
            panic!(
                "the image cannot be tried on this machine: it takes root, or user namespaces (on Ubuntu: \
                 sysctl kernel.apparmor_restrict_unprivileged_userns=0). It was refused so:\n{refusals}"
            )
        })
    }
}

/// The image as a folder.
pub struct Root {
    folder: TempDir,
    image: Image,
}

/// The libraries that the program names, and where this machine has each.
fn libraries() -> Vec<(String, PathBuf)> {
    let output = Command::new("ldd").arg(program()).output().expect("ldd");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "ldd: {said}");
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    let found: Vec<PathBuf> = said.lines().filter_map(path).collect();
    assert!(!found.is_empty(), "{said}");
    found.into_iter().map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path)).collect()
}

impl Root {
    /// All that the image holds, less what `leaves_out` names.
    pub fn without(leaves_out: &str) -> Self {
        let root = Self { folder: TempDir::new().unwrap(), image: Image::ours() };
        // A TempDir is its maker's alone, and another user is to look into this one.
        std::fs::set_permissions(root.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        for copied in &root.image.copied {
            assert_eq!((copied.stage.as_deref(), copied.from.as_str()), (Some("build"), PROGRAMS));
            root.put(&program(), &format!("{}unkey-operator", copied.to));
            symlink("unkey-operator", root.place(&format!("{}kubectl-unkey", copied.to))).unwrap();
        }
        for (name, path) in libraries() {
            assert!(
                BASE.contains(&name.as_str()),
                "the program needs {name}, and the base image is not known to have it"
            );
            if name != leaves_out {
                root.put(&path, path.to_str().unwrap());
            }
        }
        if leaves_out != CERTIFICATES {
            let here = HERE.iter().find(|path| Path::new(path).exists());
            root.put(Path::new(here.expect("no CA certificates on this machine")), CERTIFICATES);
        }
        root
    }

    /// All that the image holds.
    pub fn new() -> Self {
        Self::without("")
    }

    fn place(&self, path: &str) -> PathBuf {
        let place = self.folder.path().join(path.trim_start_matches('/'));
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    }

    fn put(&self, from: &Path, to: &str) {
        std::fs::copy(from, self.place(to)).unwrap();
    }

    /// A file as the kubelet would mount it.
    pub fn mount(&self, path: &str, text: &str) {
        std::fs::write(self.place(path), text).unwrap();
    }

    /// Every file in it.
    pub fn files(&self) -> Vec<String> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        walk(self.folder.path(), &mut found);
        let inside = |path: PathBuf| format!("/{}", path.strip_prefix(self.folder.path()).unwrap().display());
        found.into_iter().map(inside).collect()
    }

    /// The container: `args` in place of the image's own command, and variables besides the image's own.
    pub fn command(&self, args: &[String], variables: &[(&str, String)]) -> Command {
        let image = &self.image;
        self.program(&image.entrypoint, if args.is_empty() { &image.command } else { args }, variables)
    }

    /// Another program of the container, as `kubectl exec` starts it.
    pub fn program(&self, program: &[String], args: &[String], variables: &[(&str, String)]) -> Command {
        let (way, folder) = (Way::of_this_machine(), self.folder.path().to_str().unwrap());
        let mut command = Command::new("unshare");
        command.args(way.outer()).args(["sh", "-c", READ_ONLY, folder, "env", "-i"]);
        command.args(self.image.environment.iter().map(|(name, value)| format!("{name}={value}")));
        command.args(variables.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg("unshare").args(way.inner(self.image.ids()));
        command.args([&format!("--root={folder}"), &format!("--wd={}", self.image.folder), "--"]);
        command.args(program).args(args);
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn output(&self, args: &[String], variables: &[(&str, String)]) -> Output {
        self.command(args, variables).output().unwrap()
    }
}
