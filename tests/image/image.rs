//! What the last stage of the Dockerfile makes, and that it is what a cluster with the strictest rules takes.

use std::collections::BTreeMap;

use super::dockerfile::{Stage, stages};
use super::read;

/// The folder that the stage which compiles leaves: the program, and its second name.
pub const PROGRAMS: &str = "/programs/";

/// A file that a stage takes over.
#[derive(Debug, PartialEq, Eq)]
pub struct Copied {
    /// The stage that it comes from; `None`: the build context.
    pub stage: Option<String>,
    pub from: String,
    pub to: String,
}

/// How a container begins, and what it holds besides its base.
#[derive(Debug)]
pub struct Image {
    pub copied: Vec<Copied>,
    pub environment: Vec<(String, String)>,
    pub user: String,
    pub folder: String,
    pub port: u16,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    pub labels: BTreeMap<String, String>,
}

/// `a=b "c"=d e="f g"`.
fn pairs(text: &str) -> Vec<(String, String)> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    let pair = |word: String| {
        let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("not a pair: {word}"));
        (name.to_owned(), value.to_owned())
    };
    words.into_iter().map(pair).collect()
}

/// The files that a COPY takes.
pub fn copied(text: &str) -> Vec<Copied> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let stage = words.iter().find_map(|word| word.strip_prefix("--from=")).map(ToOwned::to_owned);
    let [from @ .., to] = &words.iter().filter(|word| !word.starts_with("--")).collect::<Vec<_>>()[..] else {
        panic!("COPY {text}")
    };
    from.iter().map(|from| Copied { stage: stage.clone(), from: (**from).to_owned(), to: (**to).to_owned() }).collect()
}

impl Image {
    /// Of the Dockerfile of this repository.
    pub fn ours() -> Self {
        Self::of(stages(&read("Dockerfile")).last().unwrap())
    }

    fn of(stage: &Stage) -> Self {
        for (word, rest) in &stage.instructions {
            let known = ["ARG", "LABEL", "COPY", "ENV", "WORKDIR", "USER", "EXPOSE", "ENTRYPOINT", "CMD"];
            assert!(known.contains(&word.as_str()), "these tests cannot do what '{word} {rest}' does");
        }
        let list = |word| serde_json::from_str(stage.only(word)).unwrap_or_else(|_| panic!("{word} needs a shell"));
        Self {
            copied: stage.all("COPY").flat_map(copied).collect(),
            environment: stage.all("ENV").flat_map(pairs).collect(),
            user: stage.only("USER").to_owned(),
            folder: stage.only("WORKDIR").to_owned(),
            port: stage.only("EXPOSE").parse().unwrap(),
            entrypoint: list("ENTRYPOINT"),
            command: list("CMD"),
            labels: stage.all("LABEL").flat_map(pairs).collect(),
        }
    }

    /// User and group, as numbers.
    pub fn ids(&self) -> (u32, u32) {
        let ids = self.user.split_once(':').and_then(|(user, group)| Some((user.parse().ok()?, group.parse().ok()?)));
        ids.unwrap_or_else(|| panic!("USER {} is not two numbers", self.user))
    }
}

#[test]
fn it_holds_the_program_and_nothing_else() {
    let image = Image::ours();
    let programs = Copied { stage: Some("build".into()), from: PROGRAMS.into(), to: "/usr/local/bin/".into() };
    assert_eq!(image.copied, [programs]);
    assert_eq!(image.entrypoint, ["/usr/local/bin/unkey-operator"]);
    assert_eq!(image.command, ["run"], "the chart's arguments begin with it and take its place");
}

/// A link, so that the image does not hold the program twice.
#[test]
fn the_plugin_is_the_program_by_another_name() {
    let stages = stages(&read("Dockerfile"));
    let build: Vec<&str> = stages[0].all("RUN").filter(|run| run.contains(PROGRAMS)).collect();
    let [build] = build[..] else { panic!("{build:?}") };
    let has = |words: &str| build.split("&&").any(|step| step.trim() == words);
    assert!(has("ln -s unkey-operator /programs/kubectl-unkey"), "{build}");
    assert!(build.contains("/release/unkey-operator\" /programs/unkey-operator"), "{build}");
}

#[test]
fn it_is_what_a_restricted_namespace_takes() {
    let image = Image::ours();
    assert_eq!(image.ids(), (65532, 65532), "the chart's runAsUser");
    assert!(image.port >= 1024, "a lower port needs a capability");
    assert_eq!(image.folder, "/");
}

#[test]
fn it_says_what_it_is() {
    let labels = Image::ours().labels;
    let of = |name: &str| labels[&format!("org.opencontainers.image.{name}")].clone();
    assert_eq!((of("title").as_str(), of("licenses").as_str()), ("unkey-operator", "Apache-2.0"));
    assert_eq!(of("description"), env!("CARGO_PKG_DESCRIPTION"));
    // Filled in by whoever builds it.
    for name in ["version", "revision", "source"] {
        assert_eq!(of(name), format!("${{{}}}", name.to_uppercase()));
    }
}

#[test]
fn the_bases_are_named_by_version_and_of_one_debian() {
    let stages = stages(&read("Dockerfile"));
    let tag = |stage: &Stage| stage.base.rsplit_once('/').unwrap().1.to_owned();
    let (build, last) = (tag(&stages[0]), tag(stages.last().unwrap()));
    let version = build.strip_prefix("rust:").and_then(|tag| tag.split('-').next()).unwrap();
    let numbers: Vec<u32> = version.split('.').map(|number| number.parse().unwrap()).collect();
    let oldest: Vec<u32> = env!("CARGO_PKG_RUST_VERSION").split('.').map(|number| number.parse().unwrap()).collect();
    assert!(numbers.len() == 3 && numbers >= oldest, "{build}");
    assert!(build.contains("-trixie") && last.starts_with("cc-debian13:nonroot"), "{build} and {last}");
}

#[test]
fn pairs_and_copies_are_read() {
    let own = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
    assert_eq!(pairs("a=b  c=\"d e\" f="), [("a", "b"), ("c", "d e"), ("f", "")].map(own));
    let one = |stage: Option<&str>, from: &str, to: &str| Copied {
        stage: stage.map(str::to_owned),
        from: from.to_owned(),
        to: to.to_owned(),
    };
    assert_eq!(copied("a b c/"), [one(None, "a", "c/"), one(None, "b", "c/")]);
    assert_eq!(copied("--from=x --chmod=0755 /a /b"), [one(Some("x"), "/a", "/b")]);
}
