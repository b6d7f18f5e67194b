use crate::{
    figures::{Measured, OfMode, Results, Spread},
    goals::{goals, least_ratio},
    limits::Limit,
};
use comfy_table::{Table, presets::ASCII_MARKDOWN};
use std::collections::BTreeMap;

/// Returns the date, the machine and the extent of the run in one line.
pub fn heading(results: &Results) -> String {
    format!(
        "{}, {} cores of {}; {} connections, {} rounds of {} s: medians (lowest to highest)",
        results.date, results.cores, results.processor, results.connections, results.rounds, results.seconds
    )
}

/// Formats the tables of one mode as Markdown.
pub fn tables(of: &OfMode, cores: usize) -> String {
    format!(
        "\n### {}\n\n{}\n\n{}\n\n{}",
        of.mode.name(),
        rates(of),
        costs(of),
        goal_table(of, cores)
    )
}

fn rates(of: &OfMode) -> Table {
    let mut table = table(&[
        "work",
        "per second",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "limit",
        "per second",
        "ratio",
        "goal",
        "errors",
    ]);
    for work in &of.works {
        let (limit, per_second) = limit_of(of, work).unwrap_or(("-", "-".to_owned()));
        table.add_row([
            name(work),
            work.rate.as_ref().map_or("-".to_owned(), whole),
            decimal(work.p50_ms.median),
            decimal(work.p99_ms.median),
            decimal(work.p999_ms.median),
            limit.to_owned(),
            per_second,
            of.ratio(work).map_or("-".to_owned(), decimal),
            least_ratio(of.mode, work.work)
                .filter(|_| work.fixed.is_none())
                .map_or("-".to_owned(), decimal),
            errors(work),
        ]);
    }
    table
}

fn name(work: &Measured) -> String {
    let name = work.work.name();
    work.fixed.map_or(name.to_owned(), |fixed| {
        format!("{name} at {:.0}/s", fixed.wanted.median)
    })
}

/// Returns the name and the rate of the limit.
fn limit_of(of: &OfMode, work: &Measured) -> Option<(&'static str, String)> {
    if let Some(fixed) = &work.fixed {
        return Some(("closed loop", whole(&fixed.closed_loop)));
    }
    let limit = Limit::of(work.work)?;
    Some((limit.name(), whole(of.limits.get(&limit)?)))
}

/// Formats the busy cores and the peak memory of each process.
fn costs(of: &OfMode) -> Table {
    let mut table = table(&["work", "cores busy", "memory at the peak, MiB"]);
    let idle = of.idle_mib.iter().map(|(name, mib)| format!("{name} {mib:.0}"));
    table.add_row(["idle", "-", &idle.collect::<Vec<_>>().join(", ")]);
    for work in &of.works {
        table.add_row([name(work), each(&work.cores, 2), each(&work.peak_mib, 0)]);
    }
    table
}

fn goal_table(of: &OfMode, cores: usize) -> Table {
    let mut table = table(&["goal", "wanted", "found", "holds"]);
    for goal in goals(of, cores) {
        let holds = if goal.holds { "yes" } else { "NO" };
        table.add_row([goal.what, goal.wanted, goal.found, holds.to_owned()]);
    }
    table
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header);
    table
}

fn whole(spread: &Spread) -> String {
    format!("{:.0} ({:.0} to {:.0})", spread.median, spread.min, spread.max)
}

fn decimal(figure: f64) -> String {
    format!("{figure:.2}")
}

fn each(figures: &BTreeMap<String, Spread>, digits: usize) -> String {
    let each = figures
        .iter()
        .map(|(name, it)| format!("{name} {:.digits$}", it.median));
    each.collect::<Vec<_>>().join(", ")
}

fn errors(work: &Measured) -> String {
    if work.errors.is_empty() {
        return "none".to_owned();
    }
    let each = work.errors.iter().map(|(kind, times)| format!("{kind}: {times}"));
    each.collect::<Vec<_>>().join(", ")
}
