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
use super::failure::finish_with;
use super::output::{print, print_by};
use super::words::say;
use crate::plan::{Report, Style, schema, text};

pub(super) fn main(args: &PlanArgs) -> ExitCode {
    finish_with(printed(args))
}

/// Exits with 3 if the plan holds what `--fail-on` names.
async fn printed(args: &PlanArgs) -> Result<ExitCode, Failure> {
    if args.schema {
        print(&format!("{:#}\n", schema())).map_err(Failure::Output)?;
        return Ok(ExitCode::SUCCESS);
    }
    let report = if args.no_cluster || !args.base.is_empty() {
        without_cluster(args).await?
    } else {
        with_cluster(args).await?
    };
    if !report.answers(&args.fail_on) {
        return Err(Failure::Unanswered);
    }
    let failed = report.fails(&args.fail_on);
    // The report is whole by now: what is cut off must not pass for a plan.
    let changes = |report: &mut Report| std::mem::take(&mut report.changes);
    let style = Style { colour: args.output.has_colour(), unmanaged: args.unmanaged };
    let written = print_by(|out| args.output.report(out, report, ("changes", changes), |report| text(report, style)));
    written.map_err(Failure::Output)?;
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let words = failed.iter().filter_map(ValueEnum::to_possible_value).map(|it| it.get_name().to_owned());
    say(format_args!("the plan holds what --fail-on names: {}", words.collect::<Vec<_>>().join(", ")));
    Ok(ExitCode::from(3))
}
