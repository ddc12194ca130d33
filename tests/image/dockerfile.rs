//! A Dockerfile as a list of stages and instructions. Reads what ours is made of, and refuses what it would misread.

/// One stage, with the instructions behind its FROM.
#[derive(Debug)]
pub struct Stage {
    /// What it begins with, `ARG`s filled in.
    pub base: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Keyword and the rest of the line, joined lines as one.
    pub instructions: Vec<(String, String)>,
}

impl Stage {
    /// The rest of each line that begins with this keyword.
    pub fn all<'a>(&'a self, keyword: &'a str) -> impl Iterator<Item = &'a str> {
        self.instructions.iter().filter(move |(word, _)| word == keyword).map(|(_, rest)| rest.as_str())
    }

    /// The only one of these.
    pub fn only<'a>(&'a self, keyword: &'a str) -> &'a str {
        let all: Vec<&str> = self.all(keyword).collect();
        assert_eq!(all.len(), 1, "{keyword} in the stage of {}: {all:?}", self.base);
        all[0]
    }
}

/// Lines without comments, joined where one ends with a backslash.
fn lines(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let spoken = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in spoken {
        let (part, goes_on) = line.strip_suffix('\\').map_or((line, false), |part| (part, true));
        assert!(!part.contains("<<"), "a heredoc is not read here: {part}");
        if let Some(last) = lines.last_mut() {
            last.push_str(part);
        }
        if !goes_on {
            lines.push(String::new());
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// The stages of a Dockerfile.
pub fn stages(text: &str) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    let mut arguments: Vec<(String, String)> = Vec::new();
    for line in lines(text) {
        let (word, rest) = line.split_once(' ').unwrap_or_else(|| panic!("not an instruction: {line}"));
        let (word, rest) = (word.to_uppercase(), rest.trim().to_owned());
        match (word.as_str(), stages.last_mut()) {
            ("FROM", _) => {
                let mut base = rest.split_whitespace().filter(|word| !word.starts_with("--"));
                let name = base.clone().skip_while(|word| !word.eq_ignore_ascii_case("as")).nth(1);
                let filled = arguments.iter().fold(base.next().unwrap().to_owned(), |base, (name, value)| {
                    base.replace(&format!("${{{name}}}"), value)
                });
                stages.push(Stage { base: filled, name: name.map(ToOwned::to_owned), instructions: Vec::new() });
            }
            ("ARG", None) => {
                let (name, value) = rest.split_once('=').unwrap_or_else(|| panic!("an ARG without a value: {rest}"));
                arguments.push((name.to_owned(), value.to_owned()));
            }
            (_, Some(stage)) => stage.instructions.push((word, rest)),
            (_, None) => panic!("before the first FROM: {line}"),
        }
    }
    stages
}

#[test]
fn stages_are_read() {
    let text = "# a comment\nARG BASE=b:1\nFROM --platform=x one AS first\nRUN a \\\n  # within\n  && b\n\nfrom ${BASE}\nCMD [\"c\"]";
    let stages = stages(text);
    let [first, last] = &stages[..] else { panic!("{stages:?}") };
    assert_eq!((first.base.as_str(), first.name.as_deref(), first.only("RUN")), ("one", Some("first"), "a && b"));
    assert_eq!((last.base.as_str(), last.name.as_deref(), last.only("CMD")), ("b:1", None, "[\"c\"]"));
    assert_eq!(first.all("COPY").count(), 0);
}
