//! The stage that compiles, as far as it can be tried without its base: what it copies is there and may be seen, and the files that stand in
//! for the source satisfy cargo's `--locked`. Compiling is left to the engine.

use std::path::Path;
use std::process::Command;

use super::dockerfile::{Stage, stages};
use super::image::copied;
use super::read;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn stage() -> Stage {
    let mut all = stages(&read("Dockerfile"));
    let stage = all.remove(0);
    assert_eq!(stage.name.as_deref(), Some("build"));
    stage
}

/// What compiles.
const BUILD: &str = "cargo auditable build ";

/// True if a line of .dockerignore that begins with `!` lets a path through; its first line keeps everything out.
fn is_let_through(ignore: &str, path: &str) -> bool {
    let mut rules = ignore.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    assert_eq!(rules.next(), Some("*"));
    rules.any(|rule| {
        let rule: Vec<&str> = rule.strip_prefix('!').expect("all are exceptions").split('/').collect();
        let path: Vec<&str> = path.split('/').collect();
        path.len() >= rule.len() && rule.iter().zip(&path).all(|(rule, name)| *rule == "*" || rule == name)
    })
}

#[test]
fn what_it_copies_is_there_and_may_be_seen() {
    let ignore = read(".dockerignore");
    for from in stage().all("COPY").flat_map(copied).map(|copied| copied.from) {
        assert!(Path::new(ROOT).join(&from).exists(), "there is no {from}");
        assert!(is_let_through(&ignore, &from), ".dockerignore keeps {from} out");
    }
    for secret in ["root-key", "tests/contract/recorded.json", ".git/config", "tests/support/demo/src/main.rs"] {
        assert!(!is_let_through(&ignore, secret), "{secret}");
    }
}

/// cargo, asked to build, and asking only whether the manifests are complete and agree with the lock file.
const CARGO: &str = r#"set -eu
cargo() { [ "$1 $2" = "auditable build" ] && "$CARGO" metadata --locked --offline --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" --format-version 1 > /dev/null; }
"#;

/// Runs the stage up to the first build, in a folder, without the COPY of one file; what the shell said, and whether it failed.
fn stand_ins(without: Option<&str>) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    for (word, rest) in stage().instructions {
        match word.as_str() {
            "COPY" => {
                for copied in copied(&rest).into_iter().filter(|copied| Some(copied.from.as_str()) != without) {
                    let file = Path::new(&copied.from).file_name().unwrap();
                    let to = folder.path().join(copied.to).join(file);
                    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                    std::fs::copy(Path::new(ROOT).join(&copied.from), to).unwrap();
                }
            }
            "RUN" if rest.contains(BUILD) => {
                std::fs::write(folder.path().join("triple"), "any").unwrap();
                let script = format!("{CARGO}{rest}");
                let mut shell = Command::new("sh");
                shell.env("CARGO", env!("CARGO")).args(["-c", &script]).current_dir(folder.path());
                let output = shell.output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                return if output.status.success() { Ok(()) } else { Err(said) };
            }
            _ => {}
        }
    }
    panic!("nothing is built");
}

/// Built once without it, a program would not say what it was made of, and nobody would miss it.
#[test]
fn the_program_says_which_crates_it_was_made_of() {
    let stage = stage();
    let runs: Vec<&str> = stage.all("RUN").collect();
    let install = "cargo install --locked cargo-auditable@";
    let installed = runs.iter().position(|run| run.starts_with(install)).expect("it is installed");
    let version = runs[installed].trim_start_matches(install);
    assert!(version.split('.').count() == 3 && version.bytes().all(|c| c.is_ascii_digit() || c == b'.'), "{version}");
    let builds: Vec<usize> =
        (0..runs.len()).filter(|at| runs[*at].contains("cargo ") && runs[*at].contains(" build ")).collect();
    assert_eq!(builds.len(), 2, "{runs:?}");
    assert!(builds.iter().all(|at| *at > installed && runs[*at].contains(BUILD)), "{runs:?}");
}

#[test]
fn files_that_stand_in_are_enough_for_the_lock_file() {
    stand_ins(None).unwrap();
}

/// A member that the Dockerfile forgets fails here, and not in a release.
#[test]
fn a_forgotten_member_is_noticed() {
    let said = stand_ins(Some("tests/support/proxy/Cargo.toml")).unwrap_err();
    assert!(said.contains("failed to load manifest") && said.contains("cutting-proxy"), "{said}");
}
