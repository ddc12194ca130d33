//! What the program says to a user who gets something wrong.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn operator(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unkey-operator"));
    command.args(args).stdin(Stdio::null());
    // Nothing of the user's own settings: no kubeconfig by the home folder, no cluster, no key.
    command.env_clear().env("HOME", "/nonexistent");
    command
}

/// One line on standard error that begins with the program's name, and nothing on standard output.
fn sentence(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let line = text.strip_prefix("unkey-operator: ").and_then(|text| text.strip_suffix('\n'));
    let line = line.unwrap_or_else(|| panic!("not a line of ours: {text}"));
    assert!(!line.contains('\n') && !line.contains("panicked"), "more than one line: {text}");
    line.to_owned()
}

const KEY: &str = "unkey_root_CANARYq7x2v9";

#[test]
fn what_cannot_work_is_refused_in_one_sentence() {
    let files = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = write("key", KEY);
    // A kubeconfig that was cut off within the token, and a file that is none: their content must not be shown.
    let broken = write("broken", &format!("apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user: {{token: {KEY}"));
    let other = write("other", KEY);
    let empty = write("empty", "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n");
    let with_key: &[&str] = &["run", "--root-key-file", &key];
    let rows: &[(&[&str], &[&str], &str)] = &[
        (&[], &["--nope"], "unexpected argument '--nope' found; see --help"),
        (&[], &["crdd"], "unrecognized subcommand 'crdd'; tip: a similar subcommand exists: 'crd'; see --help"),
        (&["run"], &["--consistency-window", "soon"], "'soon' is not a duration such as 500ms, 30s or 10m"),
        (&["run"], &["--consistency-window", "30"], "'30' is not a duration"),
        (&["run"], &["--request-timeout", "0s"], "'--request-timeout <REQUEST_TIMEOUT>': must be more than zero"),
        (&["run"], &["--scan-interval", "often"], "'often' is not a duration"),
        (&["run"], &["--scan-interval=-10m"], "must not be negative"),
        (&["run"], &["--consistency-window=-30s"], "must not be negative"),
        (&["run"], &["--deletion-hold", "soon"], "'soon' is not a duration"),
        (&["run"], &["--deletion-window", "0"], "must be more than zero"),
        (&["run"], &["--max-deletions-share", "2"], "must be between 0 and 1"),
        (&["run"], &["--max-deletions", "-1"], "unexpected argument '-1'"),
        (
            &["run"],
            &["--deletion-approved-namespaces", "Pr_*"],
            "'Pr_*' is not a namespace name or a pattern such as pr-*",
        ),
        (&["run"], &["--workers", "0"], "0 is not in 1..=1024"),
        (&["run"], &["--default-deletion-policy", "Retain"], "[possible values: Delete, Orphan]"),
        (&["run"], &["--default-adoption-policy", "never"], "[possible values: Never, IfLossless, Always]"),
        (&["run"], &["--admin-address", "8080"], "'--admin-address <ADMIN_ADDRESS>'"),
        (&["run"], &["--namespace", "a,B"], "'B' is not a valid namespace name"),
        (&["run"], &["--namespace", ""], "'' is not a valid namespace name"),
        (&["run"], &["--log-level", "loud=x=y"], "--log-level"),
        (
            &["run"],
            &[],
            "UNKEY_ROOT_KEY does not exist; name a file with --root-key-file, or set UNKEY_ROOT_KEY to the key",
        ),
        (with_key, &["--api-url", "api.unkey.com"], "the API URL is not an absolute URL such as https://api.unkey.com"),
        (with_key, &["--api-url", "https://me:secret@api.unkey.com"], "must not contain a user name or password"),
        (with_key, &[], "name one with --kubeconfig or KUBECONFIG"),
        (
            with_key,
            &["--kubeconfig", "/nonexistent/config"],
            "'/nonexistent/config' cannot be read: No such file or directory",
        ),
        (with_key, &["--kubeconfig", &broken], "is not valid kubeconfig YAML"),
        (with_key, &["--kubeconfig", &other], "line 1 column 1 is not valid kubeconfig YAML"),
        (with_key, &["--kubeconfig", &empty, "--context", "prod"], "the file has no context 'prod'"),
        (&["unmanage"], &["--yes"], "the following required arguments were not provided: --all; see --help"),
        (&["unmanage", "--all"], &[], "standard input is not a terminal"),
        (&["unmanage", "--all"], &["--yes"], "name one with --kubeconfig or KUBECONFIG"),
        (&["unmanage", "--all"], &["--yes", "--namespace", ""], "'' is not a valid namespace name"),
        (&["unmanage", "--all"], &["--root-key-file", "key"], "unexpected argument '--root-key-file' found"),
    ];
    for (command, args, expected) in rows {
        let said = sentence(&operator(command).args(*args).output().unwrap());
        assert!(said.contains(expected), "{args:?}: '{expected}' is not in: {said}");
        assert!(!said.contains(KEY) && !said.contains("secret@"), "a secret is shown: {said}");
    }
}

#[test]
fn a_key_in_the_environment_is_checked_and_not_shown() {
    for (value, expected) in
        [("", "is empty"), ("two words", "has spaces"), ("new\nline", "has several lines"), ("'quoted'", "has quotes")]
    {
        let said = sentence(&operator(&["run"]).env("UNKEY_ROOT_KEY", value).output().unwrap());
        assert!(said.contains(expected), "{value:?}: {said}");
        assert!(value.is_empty() || !said.contains(value), "{said}");
    }
    let said = sentence(&operator(&["run"]).env("UNKEY_OPERATOR_WORKERS", "many").output().unwrap());
    assert!(said.contains("'many'") && said.contains("--workers"), "{said}");
}

#[test]
fn an_api_server_that_is_not_there() {
    // Free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let files = tempfile::tempdir().unwrap();
    let kubeconfig = files.path().join("config");
    let text = format!(
        "{{apiVersion: v1, kind: Config, current-context: a, users: [{{name: a, user: {{}}}}],
          contexts: [{{name: a, context: {{cluster: a, user: a}}}}],
          clusters: [{{name: a, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]}}"
    );
    std::fs::write(&kubeconfig, text).unwrap();
    let args = ["unmanage", "--all", "--yes", "--kubeconfig", kubeconfig.to_str().unwrap()];
    let output = operator(&args).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "unkey-operator: the Identities cannot be listed: the API server cannot be reached: Connection refused (os error 111)\n"
    );
}

#[test]
fn the_version_and_the_help() {
    let expected = format!("unkey-operator {}\n", env!("CARGO_PKG_VERSION"));
    for args in [&["--version"][..], &["-V"], &["version"]] {
        let output = operator(args).output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }
    let help = operator(&["run", "--help"]).output().unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(
        help.status.success() && text.contains("--root-key-file") && text.contains("UNKEY_OPERATOR_NAMESPACE"),
        "{text}"
    );
    let help = operator(&["unmanage", "--help"]).output().unwrap();
    let text = String::from_utf8(help.stdout).unwrap();
    assert!(help.status.success() && text.contains("Scale the Deployment to 0 first"), "{text}");
    assert!(!text.contains("UNKEY_OPERATOR_NAMESPACE"), "consent is not given by a variable: {text}");
}

/// The program by another name, in a folder of its own.
fn linked(name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join(name);
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_unkey-operator"), &link).unwrap();
    (folder, link)
}

/// Runs it without anything of the user's own settings.
fn bare(program: &Path, args: &[&str]) -> Output {
    Command::new(program).args(args).stdin(Stdio::null()).env_clear().env("HOME", "/nonexistent").output().unwrap()
}

#[test]
fn the_plugin_calls_itself_as_the_user_does() {
    let (_folder, plugin) = linked("kubectl-unkey");
    let said = |args: &[&str]| String::from_utf8(bare(&plugin, args).stderr).unwrap();
    assert!(said(&[]).contains("Usage: kubectl unkey <COMMAND>"), "{}", said(&[]));
    assert_eq!(said(&["list", "--nope"]), "kubectl unkey: unexpected argument '--nope' found; see --help\n");
    for not_for_people in ["run", "crd"] {
        let output = bare(&plugin, &[not_for_people]);
        assert_eq!(output.status.code(), Some(2), "{not_for_people}");
        assert!(said(&[not_for_people]).starts_with("kubectl unkey: unrecognized subcommand"), "{not_for_people}");
    }
}

#[test]
fn a_shell_gets_a_script_for_either_name() {
    let (_folder, plugin) = linked("kubectl-unkey");
    for (shell, words) in [("bash", "complete -F"), ("zsh", "#compdef"), ("fish", "complete -c")] {
        for (program, name) in
            [(Path::new(env!("CARGO_BIN_EXE_unkey-operator")), "unkey-operator"), (&plugin, "kubectl-unkey")]
        {
            let output = bare(program, &["completion", shell]);
            let script = String::from_utf8(output.stdout).unwrap();
            assert!(output.status.success() && script.contains(words) && script.contains(name), "{shell}: {script}");
            assert_eq!(script.contains("crd"), name == "unkey-operator", "{shell} for {name}");
        }
    }
}

/// Without a cluster there are no names, and no word of that: it would stand in somebody's command line.
#[test]
fn kubectl_is_told_what_may_follow() {
    let (_folder, completer) = linked("kubectl_complete-unkey");
    let lines = |args: &[&str]| {
        let output = bare(&completer, args);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines(&["re"]), ["reconcile", "resume", ":4"]);
    assert_eq!(lines(&["deletions", "app"]), ["approve", ":4"]);
    assert_eq!(lines(&["list", "--sta"]), ["--state", ":4"]);
    assert_eq!(lines(&["list", "--state", "un"]), ["unmanaged", ":4"]);
    assert_eq!(lines(&["resume", ""]), [":4"]);
    assert_eq!(lines(&["plan", "-f", ""]), [":0"]);
    assert_eq!(lines(&["nonsense", "more", ""]).last().map(String::as_str), Some(":4"));
}

/// `make install-plugin`, less the build.
#[test]
fn the_plugin_is_installed_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (target, prefix) = (folder.path().join("target"), folder.path().join("home"));
    std::fs::create_dir_all(target.join("release")).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_unkey-operator"), target.join("release/unkey-operator")).unwrap();
    let prefix_is = format!("PREFIX={}", prefix.display());
    let mut make = Command::new("make");
    make.args(["install-plugin", "CARGO=true", &prefix_is]).env("CARGO_TARGET_DIR", &target);
    let output = make.current_dir(super::tree::ROOT).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("Put that folder on PATH"), "{said}");
    let version = bare(&prefix.join("bin/kubectl-unkey"), &["version", "--client"]);
    assert!(String::from_utf8(version.stdout).unwrap().starts_with("unkey-operator "));
    let completed = bare(&prefix.join("bin/kubectl_complete-unkey"), &["pl"]);
    assert_eq!(String::from_utf8(completed.stdout).unwrap(), "plan\n:4\n");
}

#[test]
fn the_crd_goes_to_standard_output() {
    let output = operator(&["crd"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let committed = std::fs::read(Path::new(super::tree::ROOT).join("crds/identities.unkey.com.yaml")).unwrap();
    assert_eq!(output.stdout, committed);
}

/// `unkey-operator crd | head -1`, and a full disk.
#[test]
fn a_reader_that_leaves_is_no_panic() {
    let mut child = operator(&["crd"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut reader = BufReader::with_capacity(16, child.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "# Generated by `unkey-operator crd`; do not edit.\n");
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");

    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = operator(&["crd"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "a script must see that the file is not complete");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.starts_with("unkey-operator: the CustomResourceDefinition cannot be written: No space left"),
        "{said}"
    );
}
