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
    assert!(users.len() == 2 && users.iter().all(|(_, script)| script.contains(LOOK)), "{users:?}");
    let output = Command::new("sh").args(["-c", LOOK]).current_dir(ROOT).output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    assert_eq!(version.trim().split('.').count(), 3, "{version:?}");
}
