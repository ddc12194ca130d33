//! The workflows of GitHub, as far as they can be read here: they ask for no more rights than they use, nobody can change what they run,
//! and what they call exists.

use std::path::Path;
use std::process::Command;

use serde_yaml::Value;

use super::tree::{ROOT, files};

fn workflows() -> Vec<(String, String, Value)> {
    let found: Vec<_> = files(&Path::new(ROOT).join(".github/workflows"))
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let parsed = serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_name().unwrap().to_str().unwrap().to_owned(), text, parsed)
        })
        .collect();
    assert_eq!(found.len(), 2);
    found
}

/// Every job, as `file/job`.
fn jobs() -> Vec<(String, Value)> {
    let of = |(file, _, workflow): (String, String, Value)| {
        let jobs = workflow["jobs"].as_mapping().unwrap().clone();
        jobs.into_iter().map(move |(name, job)| (format!("{file}/{}", name.as_str().unwrap()), job))
    };
    workflows().into_iter().flat_map(of).collect()
}

/// Every script, by its job.
fn scripts() -> Vec<(String, String)> {
    let of = |(name, job): (String, Value)| {
        let steps = job["steps"].as_sequence().cloned().unwrap_or_default();
        steps.into_iter().filter_map(move |step| Some((name.clone(), step["run"].as_str()?.to_owned())))
    };
    let found: Vec<_> = jobs().into_iter().flat_map(of).collect();
    assert!(found.len() > 5);
    found
}

/// What each job may write; nothing else writes anything.
const MAY_WRITE: [(&str, &[&str]); 3] = [
    ("release.yaml/chart", &["id-token", "packages"]),
    ("release.yaml/image", &["id-token", "packages"]),
    ("release.yaml/release", &["contents", "id-token"]),
];

#[test]
fn each_job_has_the_rights_it_needs() {
    for (file, text, workflow) in workflows() {
        assert!(
            workflow["permissions"].as_mapping().is_some_and(serde_yaml::Mapping::is_empty),
            "{file}: none for all jobs"
        );
        assert!(!text.contains("pull_request_target") && !text.contains("secrets."), "{file}");
    }
    for (name, job) in jobs() {
        let given = job["permissions"].as_mapping().unwrap_or_else(|| panic!("{name} names none"));
        let mut written: Vec<&str> = given
            .iter()
            .filter(|(_, may)| may.as_str() != Some("read"))
            .map(|(what, _)| what.as_str().unwrap())
            .collect();
        written.sort_unstable();
        let expected = MAY_WRITE.iter().find(|(job, _)| *job == name).map_or(&[][..], |(_, may)| may);
        assert_eq!(written, expected, "{name}");
    }
}

#[test]
fn actions_are_pinned_by_commit() {
    for (file, text, _) in workflows() {
        let used = text.lines().filter_map(|line| line.trim_start().trim_start_matches("- ").strip_prefix("uses: "));
        for action in used.filter(|action| !action.starts_with("./")) {
            let (commit, version) =
                action.split_once('@').and_then(|(_, pin)| pin.split_once(" # v")).unwrap_or_default();
            let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit && version.starts_with(|c: char| c.is_ascii_digit()), "{file}: {action}");
        }
        // The token of the run is not left in the folder, where any later step could read it.
        assert_eq!(
            text.matches("actions/checkout@").count(),
            text.matches("persist-credentials: false").count(),
            "{file}"
        );
    }
}

#[test]
fn scripts_are_sound() {
    for (name, script) in scripts() {
        assert!(
            !script.contains("${{"),
            "{name}: a value put into a script can be a script; hand it over by env:\n{script}"
        );
        let checked = Command::new("bash").args(["-n", "-c", &script]).output().unwrap();
        assert!(checked.status.success(), "{name}: {}", String::from_utf8_lossy(&checked.stderr));
        let words = || script.split_whitespace().map(|word| word.trim_matches('"'));
        for file in words().filter(|word| word.starts_with(".ci/")) {
            assert!(Path::new(ROOT).join(file).exists(), "{name}: there is no {file}");
        }
    }
}

/// One place says which compiler it is.
#[test]
fn the_compiler_is_that_of_the_image() {
    const LOOK: &str = r"sed -n 's/^ARG RUST=.*rust:\([0-9.]*\)-.*/\1/p' Dockerfile";
    let users: Vec<_> = scripts().into_iter().filter(|(_, script)| script.contains("rustup")).collect();
    // Installed, a toolchain is not used yet.
    let is_used = |script: &str| script.contains(LOOK) && script.contains("\nrustup default \"$version\"");
    assert!(users.len() == 2 && users.iter().all(|(_, script)| is_used(script)), "{users:?}");
    let output = Command::new("sh").args(["-c", LOOK]).current_dir(ROOT).output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    assert_eq!(version.trim().split('.').count(), 3, "{version:?}");
}

/// Runs the step that makes the release, `gh` being none; what it was called with, one argument a line, and the notes.
fn release_of(tag: &str, changelog: &str) -> (Vec<String>, String) {
    let (_, script) = scripts().into_iter().find(|(_, script)| script.contains("gh release create")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("dist")).unwrap();
    for (file, text) in [("dist/image.txt", "i@1\n"), ("dist/chart.txt", "c@2\n"), ("CHANGELOG.md", changelog)] {
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    // As GitHub runs it.
    let script = format!("gh() {{ printf '%s\\n' \"$@\" > called; }}\n{script}");
    let mut shell = Command::new("bash");
    shell.args(["-e", "-c", &script]).env("GITHUB_REF_NAME", tag).current_dir(folder.path());
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{tag}: {}", String::from_utf8_lossy(&output.stderr));
    let read = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
    (read("called").lines().map(str::to_owned).collect(), read("notes.md"))
}

#[test]
fn a_release_has_its_notes_and_only_a_full_one_is_the_latest() {
    let changelog = "# Changelog\n\n## 1.0.0-rc.1 - 2027-02-01\n\n- C\n\n## 0.2.0 - 2027-01-31\n\n- B\n\n## 0.1.0 - 2026-12-01\n\n- A\n";
    let pre = ["--prerelease", "--latest=false"];
    for (tag, listed, is_pre) in [("v0.2.0", "- B", false), ("v1.0.0-rc.1", "- C", true)] {
        let (called, notes) = release_of(tag, changelog);
        assert_eq!(called[..3], ["release", "create", tag]);
        assert_eq!(called[3..].starts_with(&pre.map(str::to_owned)), is_pre, "{called:?}");
        assert!(called.ends_with(&["dist/chart.txt", "dist/image.txt"].map(str::to_owned)), "{called:?}");
        let listed_notes: Vec<&str> = notes.lines().filter(|line| line.starts_with("- ")).collect();
        assert_eq!(listed_notes, [listed], "{notes}");
        assert!(notes.contains("`i@1`") && notes.contains("`c@2`"), "{notes}");
    }
}
