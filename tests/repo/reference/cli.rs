//! `docs/reference/cli.md`: every command and flag, read from the parser.

use clap::{Arg, ArgAction, Command};

use super::{head, heading, paragraph};

/// The name of an argument as it is written on the command line.
fn spelled(arg: &Arg) -> String {
    let value = arg.get_value_names().and_then(|names| names.first()).map(|name| format!(" <{name}>"));
    let value = value.filter(|_| arg.get_action().takes_values()).unwrap_or_default();
    match (arg.get_long(), arg.get_short()) {
        (Some(long), Some(short)) => format!("-{short}, --{long}{value}"),
        (Some(long), None) => format!("--{long}{value}"),
        (None, Some(short)) => format!("-{short}{value}"),
        // One word that stands by itself, such as `-`, is its own value.
        (None, None) => match &arg.get_possible_values()[..] {
            [only] => only.get_name().to_owned(),
            _ => value.trim().to_owned(),
        },
    }
}

/// A sentence has its end, which clap leaves out.
fn sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.ends_with('.') { text } else { format!("{text}.") }
}

fn facts(arg: &Arg) -> Vec<String> {
    let mut facts = Vec::new();
    if arg.is_required_set() {
        facts.push("Required.".to_owned());
    }
    if matches!(arg.get_action(), ArgAction::Append) {
        facts.push("Repeatable.".to_owned());
    }
    let words: Vec<String> = arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if !words.is_empty() && arg.get_action().takes_values() {
        facts.push(format!("One of {}.", words.join(", ")));
    }
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|it| format!("`{}`", it.to_string_lossy())).collect();
    if !defaults.is_empty() && arg.get_action().takes_values() {
        facts.push(format!("Default: {}.", defaults.join(", ")));
    }
    if let Some(variable) = arg.get_env() {
        facts.push(format!("Environment: `{}`.", variable.to_string_lossy()));
    }
    facts
}

/// `name`: behind that of the program. `plugin`: the plugin has it too.
fn command(page: &mut String, command: &Command, name: &str, plugin: bool) {
    heading(page, "##", &format!("`unkey-operator {name}`"));
    if plugin {
        paragraph(page, &format!("Also `kubectl unkey {name}`."));
    }
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    for part in about.split("\n\n").filter(|part| !part.trim().is_empty()) {
        paragraph(page, &sentence(part));
    }
    let args: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !["help", "version"].contains(&arg.get_id().as_str()))
        .collect();
    for arg in args {
        heading(page, "###", &format!("`{}`", spelled(arg)));
        let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
        assert!(!help.is_empty(), "{name} {} has no help", spelled(arg));
        paragraph(page, &sentence(&help));
        let facts = facts(arg);
        if !facts.is_empty() {
            paragraph(page, &facts.join(" "));
        }
    }
    for inner in command.get_subcommands().filter(|it| it.get_name() != "help") {
        self::command(page, inner, &format!("{name} {}", inner.get_name()), plugin);
    }
}

/// The names of the commands of a program, its parser built.
fn names(program: &Command) -> Vec<&str> {
    program.get_subcommands().map(Command::get_name).filter(|name| *name != "help").collect()
}

pub fn page() -> String {
    let mut page = head(
        "Command line",
        "The program has two names. As `unkey-operator` it runs the operator, and has all commands. As `kubectl-unkey`, which `make install-plugin` installs, it is a \
         plugin of kubectl with the commands for people: `kubectl unkey list` is `unkey-operator list`. Every flag of `run` is an environment variable too; a flag goes \
         before its variable. Durations are a number and a unit: `500ms`, `30s`, `10m`, `1h`. Exit codes: 0: done. 1: it failed, and nothing on standard output passes \
         for a result; only of `check`, whose checks failed, the findings are printed. 2: the command line refuses what was given, in one sentence on standard error. 3: only `plan`, which holds something that `--fail-on` names.",
    );
    let (mut program, mut plugin) = (unkey_operator::cli::command(), unkey_operator::cli::plugin_command());
    program.build();
    plugin.build();
    let (all, for_people) = (names(&program), names(&plugin));
    assert!(for_people.len() >= 9 && for_people.iter().all(|name| all.contains(name)), "{all:?}, {for_people:?}");
    for name in all {
        let it = program.find_subcommand(name).unwrap();
        command(&mut page, it, name, for_people.contains(&name));
    }
    page
}
