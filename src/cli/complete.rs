//! `kubectl_complete-unkey`: kubectl runs it with the words behind `kubectl unkey`, the last of them begun only, and offers what it prints. It
//! says nothing else: an error would be printed into the command line that somebody is typing.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::ValueHint;
use clap::{Arg, Command};

use super::output::print;
use super::words::AGENT;
use crate::apiserver::{self, Access};
use crate::gather::list_names;

/// What kubectl is told behind the candidates: offer no names of files beside them.
const NO_FILES: &str = ":4";
/// The shell's own completion, which offers files.
const FILES: &str = ":0";
/// Nobody waits longer for a completion.
const PATIENCE: Duration = Duration::from_secs(3);
/// More names help nobody.
const NAMES: u32 = 500;

/// What may stand where the cursor is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Candidates {
    /// Words that are known from the parser alone.
    words: Vec<String>,
    /// The names of Identities, in this namespace or that of the context.
    names: Option<WhereFrom>,
    /// Names of files.
    files: bool,
}

/// Where names are from, as the words so far tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct WhereFrom {
    namespace: Option<String>,
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
}

pub(super) fn main(mut parser: Command) -> ExitCode {
    parser.build();
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let candidates = candidates(&parser, &words);
    let begun = words.last().map_or("", String::as_str);
    let mut lines: Vec<String> = candidates.words;
    if let Some(from) = candidates.names
        && let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build()
    {
        let names = runtime.block_on(async { tokio::time::timeout(PATIENCE, names(from)).await });
        lines.extend(names.ok().flatten().unwrap_or_default());
    }
    lines.retain(|line| line.starts_with(begun));
    lines.push(if candidates.files { FILES } else { NO_FILES }.to_owned());
    // Nobody would read why not.
    let _ = print(&format!("{}\n", lines.join("\n")));
    ExitCode::SUCCESS
}

/// By the last word: what fits in its place, whether or not it begins so.
fn candidates(parser: &Command, words: &[String]) -> Candidates {
    let Some((begun, before)) = words.split_last() else { return Candidates::default() };
    let (mut command, mut from, mut open, mut placed) = (parser, WhereFrom::default(), None::<&Arg>, 0);
    for word in before {
        if let Some(arg) = open.take() {
            from.learn(arg, word);
        } else if word.starts_with('-') {
            let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            match (flag(command, name), value) {
                (Some(arg), Some(value)) => from.learn(arg, value),
                (Some(arg), None) if arg.get_action().takes_values() => open = Some(arg),
                _ => {}
            }
        } else if let Some(next) = command.find_subcommand(word) {
            (command, placed) = (next, 0);
        } else {
            placed += 1;
        }
    }
    if let Some(arg) = open {
        return of_value(arg, from);
    }
    if begun.starts_with('-') {
        let longs = command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(Arg::get_long);
        return Candidates { words: longs.map(|long| format!("--{long}")).collect(), ..Candidates::default() };
    }
    let subcommands = command.get_subcommands().filter(|it| !it.is_hide_set()).map(|it| it.get_name().to_owned());
    let mut found = Candidates { words: subcommands.collect(), ..Candidates::default() };
    let positionals: Vec<&Arg> = command.get_positionals().filter(|arg| !arg.is_last_set()).collect();
    let place = positionals.get(placed).or_else(|| positionals.last().filter(|arg| is_repeatable(arg)));
    if let Some(arg) = place.copied() {
        let Candidates { words, names, files } = of_value(arg, from);
        found.words.extend(words);
        (found.names, found.files) = (names, files);
    }
    found
}

fn is_repeatable(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|count| count.max_values() > 1)
}

fn flag<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let is_meant = |arg: &&Arg| {
        let long = arg.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long));
        long || arg.get_short().is_some_and(|short| word == format!("-{short}"))
    };
    command.get_arguments().find(is_meant)
}

fn of_value(arg: &Arg, from: WhereFrom) -> Candidates {
    let words = arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
    let is_name = arg.is_positional() && arg.get_id() == "name";
    let files = matches!(arg.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath);
    Candidates { words, names: is_name.then_some(from), files }
}

impl WhereFrom {
    /// Takes in the value of a flag, if it tells where to look.
    fn learn(&mut self, arg: &Arg, value: &str) {
        match arg.get_long() {
            Some("namespace") => self.namespace = Some(value.to_owned()),
            Some("kubeconfig") => self.kubeconfig = Some(value.into()),
            Some("context") => self.context = Some(value.to_owned()),
            _ => {}
        }
    }
}

async fn names(from: WhereFrom) -> Option<Vec<String>> {
    let config = apiserver::config(from.kubeconfig.as_deref(), from.context, AGENT).await.ok()?;
    let namespace = from.namespace.unwrap_or_else(|| config.default_namespace.clone());
    let client = Access::new(config).await.ok()?.client().ok()?;
    list_names(&client, &namespace, NAMES).await.ok()
}

#[cfg(test)]
mod tests {
    use clap::{ArgAction, value_parser};

    use super::*;

    fn parser() -> Command {
        let name = Arg::new("name").num_args(1..);
        let namespace = Arg::new("namespace").long("namespace").short('n');
        let all = Arg::new("all").long("all").action(ArgAction::SetTrue);
        let file = Arg::new("file").short('f').value_parser(value_parser!(PathBuf));
        let output = Arg::new("output").long("output").value_parser(["text", "json"]);
        let mut parser = Command::new("kubectl-unkey")
            .subcommand(Command::new("plan").arg(file))
            .subcommand(Command::new("resume").args([name.clone(), namespace.clone(), all, output]))
            .subcommand(Command::new("deletions").subcommand(Command::new("approve").args([name, namespace])))
            .disable_help_subcommand(true);
        parser.build();
        parser
    }

    fn of(words: &[&str]) -> Candidates {
        candidates(&parser(), &words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn commands_come_first_and_then_their_own() {
        assert_eq!(of(&[""]).words, ["plan", "resume", "deletions"]);
        assert_eq!(of(&["deletions", "a"]).words, ["approve"]);
        assert_eq!(of(&[]), Candidates::default());
    }

    #[test]
    fn flags_and_their_values() {
        assert_eq!(of(&["resume", "-"]).words, ["--namespace", "--all", "--output", "--help"]);
        assert_eq!(of(&["resume", "--output", ""]).words, ["text", "json"]);
        assert!(of(&["plan", "-f", ""]).files);
        assert_eq!(of(&["resume", "--namespace", ""]), Candidates::default());
    }

    #[test]
    fn names_are_those_of_the_namespace() {
        assert_eq!(of(&["resume", ""]).names, Some(WhereFrom::default()));
        for words in [&["resume", "-n", "shop", ""][..], &["resume", "a", "--all", "--namespace=shop", "b"]] {
            let namespace = of(words).names.and_then(|from| from.namespace);
            assert_eq!(namespace.as_deref(), Some("shop"), "{words:?}");
        }
        assert_eq!(of(&["deletions", "approve", "x", ""]).names, Some(WhereFrom::default()), "it is repeatable");
    }
}
