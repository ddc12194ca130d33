//! The command line: one file a command. Parses, and hands over to the library; what it refuses is one sentence on standard error and
//! exit code 2.

mod check;
mod complete;
mod completion;
mod connect;
mod consent;
mod crd;
mod deletions;
mod failure;
mod fetch;
mod get;
mod import;
mod leaving;
mod list;
mod names;
mod output;
mod people;
mod plan;
mod reconcile;
mod run;
mod setup;
mod suspend;
mod unmanage;
mod until;
mod values;
mod version;
mod words;
mod write;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};

use self::people::People;
use self::words::{StartedAs, say, sentence, started_as};

/// Keeps Unkey identities in sync with the Identity resources of a Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(name = "unkey-operator", version, propagate_version = true)]
struct Operator {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator.
    Run(Box<run::RunArgs>),
    /// Print the CustomResourceDefinition as YAML.
    Crd,
    #[command(flatten)]
    People(People),
}

/// Looks after Identity resources and their identities in Unkey.
#[derive(Debug, Parser)]
#[command(name = "kubectl-unkey", bin_name = "kubectl unkey", version, propagate_version = true)]
struct Plugin {
    #[command(subcommand)]
    command: People,
}

/// The command line as the parser knows it, for its reference page.
pub fn command() -> clap::Command {
    Operator::command()
}

/// The same of the plugin for kubectl.
pub fn plugin_command() -> clap::Command {
    Plugin::command()
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    match started_as() {
        StartedAs::Completer => complete::main(plugin_command()),
        StartedAs::Plugin => match Plugin::try_parse() {
            Ok(plugin) => plugin.command.run(plugin_command()),
            Err(error) => refused(&error),
        },
        StartedAs::Operator => match Operator::try_parse().map(|operator| operator.command) {
            Ok(Command::Run(args)) => run::main(*args),
            Ok(Command::Crd) => crd::main(),
            Ok(Command::People(command)) => command.run(self::command()),
            Err(error) => refused(&error),
        },
    }
}

/// What the parser does not take is told in one sentence; help and version are what was asked for.
fn refused(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        error.exit()
    }
    say(format_args!("{}", sentence(&error.to_string())));
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
        plugin_command().debug_assert();
    }

    #[test]
    fn the_plugin_has_the_commands_for_people() {
        let names = |command: clap::Command| -> Vec<String> {
            command.get_subcommands().map(|it| it.get_name().to_owned()).collect()
        };
        let (all, plugin) = (names(command()), names(plugin_command()));
        assert_eq!(all[..2], ["run", "crd"]);
        assert_eq!(all[2..], plugin);
    }

    #[test]
    fn usage_says_the_name_that_the_user_types() {
        let help = |args: &[&str]| Plugin::try_parse_from(args).unwrap_err().to_string();
        assert!(help(&["kubectl-unkey", "plan", "--help"]).contains("Usage: kubectl unkey plan [OPTIONS]"));
        let help = Operator::try_parse_from(["unkey-operator", "plan", "--help"]).unwrap_err().to_string();
        assert!(help.contains("Usage: unkey-operator plan [OPTIONS]"), "{help}");
    }

    #[test]
    fn a_refusal_is_one_sentence() {
        let said = |args: &[&str]| sentence(&Operator::try_parse_from(args).unwrap_err().to_string());
        assert_eq!(said(&["x", "--nope"]), "unexpected argument '--nope' found; see --help");
        assert_eq!(
            said(&["x", "run", "--workers=0"]),
            "invalid value '0' for '--workers <WORKERS>': 0 is not in 1..=1024; see --help"
        );
        assert_eq!(
            said(&["x", "run", "--default-deletion-policy", "orphan"]),
            "invalid value 'orphan' for '--default-deletion-policy <DEFAULT_DELETION_POLICY>' [possible values: Delete, \
             Orphan]; tip: a similar value exists: 'Orphan'; see --help"
        );
    }
}
