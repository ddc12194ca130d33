//! `plan`: reads, has the plan made, prints it. It writes nothing anywhere.

mod alone;
mod args;
mod cluster;
mod dry_run;
mod present;

use std::process::ExitCode;

use clap::ValueEnum;

use self::alone::without_cluster;
use self::args::Failure;
pub(super) use self::args::PlanArgs;
use self::cluster::with_cluster;
use super::output::{Format, print};
use super::words::program;
use crate::plan::{Report, Style, schema, text};

pub(super) fn main(args: &PlanArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::Runtime);
    let printed = runtime.and_then(|runtime| runtime.block_on(printed(args)));
    match printed {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::from(3),
        Err(error) => super::failure::failed(&error, error.is_usage()),
    }
}

/// True if the plan holds what `--fail-on` names.
async fn printed(args: &PlanArgs) -> Result<bool, Failure> {
    if args.schema {
        print(&format!("{:#}\n", schema())).map_err(Failure::Output)?;
        return Ok(false);
    }
    let report = if args.no_cluster || !args.base.is_empty() {
        without_cluster(args).await?
    } else {
        with_cluster(args).await?
    };
    print(&rendered(&report, args)?).map_err(Failure::Output)?;
    let failed = report.fails(&args.fail_on);
    if !failed.is_empty() {
        let words = failed.iter().filter_map(ValueEnum::to_possible_value).map(|it| it.get_name().to_owned());
        eprintln!("{}: the plan holds what --fail-on names: {}", program(), words.collect::<Vec<_>>().join(", "));
    }
    Ok(!failed.is_empty())
}

/// Whole before any of it is printed: what is cut off must not pass for a plan.
fn rendered(report: &Report, args: &PlanArgs) -> Result<String, serde_json::Error> {
    Ok(match args.output.output {
        Format::Text => text(report, Style { colour: args.output.has_colour(), unmanaged: args.unmanaged }),
        Format::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
        Format::Jsonl => {
            let mut lines = String::new();
            for change in &report.changes {
                lines.push_str(&serde_json::to_string(change)?);
                lines.push('\n');
            }
            let mut rest = serde_json::to_value(report)?;
            if let Some(fields) = rest.as_object_mut() {
                fields.remove("changes");
            }
            format!("{lines}{rest}\n")
        }
    })
}
