//! The command line: one file a command. Parses, and hands over to the library; what it refuses is one sentence on standard error and
//! exit code 2.

mod check;
mod connect;
mod crd;
mod deletions;
mod failure;
mod import;
mod output;
mod plan;
mod run;
mod setup;
mod unmanage;
mod values;
mod words;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, Subcommand};

use self::words::{program, sentence};

/// Keeps Unkey identities in sync with the Identity resources of a Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(name = "unkey-operator", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator.
    Run(Box<run::RunArgs>),
    Plan(Box<plan::PlanArgs>),
    Check(Box<check::CheckArgs>),
    Import(Box<import::ImportArgs>),
    Unmanage(unmanage::UnmanageArgs),
    /// Print the CustomResourceDefinition as YAML.
    Crd,
    /// Print the version.
    Version,
}

/// The command line as the parser knows it, for its reference page.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            error.exit()
        }
        Err(error) => {
            eprintln!("{}: {}", program(), sentence(&error.to_string()));
            return ExitCode::from(2);
        }
    };
    match cli.command {
        Command::Run(args) => run::main(*args),
        Command::Plan(args) => plan::main(&args),
        Command::Check(args) => check::main(&args),
        Command::Import(args) => import::main(&args),
        Command::Unmanage(args) => unmanage::main(args),
        Command::Crd => crd::main(),
        Command::Version => {
            println!("unkey-operator {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn a_refusal_is_one_sentence() {
        let said = |args: &[&str]| sentence(&Cli::try_parse_from(args).unwrap_err().to_string());
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
