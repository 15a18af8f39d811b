//! The report for people.

use std::io::{self, Write};

use anstyle::Style;
use mobilenet::labels::Class;
use mobilenet::metrics::Average;

use super::names;
use super::report::{EvalReport, PerClass};
use crate::cli::terminal::{Terminal, columns, padded, printable, truncate};

const HEADING: Style = Style::new().bold();

/// Classes of a table that is shown whole.
const FEW: usize = 20;
/// Of a longer one, the worst and the best.
const WORST: usize = 10;
const BEST: usize = 5;
/// Pairs of classes.
const CONFUSED: usize = 10;

/// What a name has at least.
const LEAST_NAME: usize = 10;

/// Writes it within the terminal's width.
pub fn write(
    out: &mut impl Write,
    report: &EvalReport,
    classes: &[Class],
    terminal: Terminal,
    all: bool,
) -> io::Result<()> {
    let names: Vec<String> = names::short(classes).iter().map(|n| printable(n)).collect();
    summary(out, report)?;
    if report.pictures > 0 {
        table(out, report, &names, terminal, all)?;
        confused(out, report, &names, terminal)?;
    }
    Ok(())
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".into(), |share| format!("{:.2} %", 100.0 * share))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.4}"))
}

fn summary(out: &mut impl Write, report: &EvalReport) -> io::Result<()> {
    let classes = report.per_class.iter().take(report.classes);
    let with_pictures = classes.filter(|class| class.metrics.support > 0);
    let (found, all) = (with_pictures.count(), report.classes);
    let count = |n: u64, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
    let pictures = count(report.pictures, "picture", "pictures");
    let classes = count(found as u64, "class", "classes");
    let mut line = format!("{pictures} of {classes}");
    if found < all {
        line.push_str(&format!(" (of {all})"));
    }
    for (count, what) in [(report.others, "of others"), (report.failed, "failed")] {
        if count > 0 {
            line.push_str(&format!(", {count} {what}"));
        }
    }
    writeln!(out, "{line}")?;
    let speed = report.images_per_second;
    let decimals = usize::from(speed < 100.0);
    writeln!(out, "{speed:.decimals$} pictures per second\n")?;
    let mut lines = vec![("top-1 accuracy".to_owned(), percent(report.accuracy))];
    // All classes are always right.
    if report.top_k.k < report.classes {
        let name = format!("top-{} accuracy", report.top_k.k);
        lines.push((name, percent(report.top_k.accuracy)));
    }
    lines.push(("log loss".into(), number(report.log_loss)));
    lines.push(("calibration error".into(), number(report.calibration_error)));
    if let Some(rejection) = &report.rejection {
        let accuracy = percent(rejection.accuracy_without);
        lines.push(("if none is rejected".into(), accuracy));
        lines.push((
            "rejected members".into(),
            percent(rejection.members_rejected),
        ));
        if report.others > 0 {
            lines.push(("rejected others".into(), percent(rejection.others_rejected)));
        }
        let accuracy = percent(rejection.accuracy_of_accepted);
        lines.push(("accuracy of accepted".into(), accuracy));
    } else if report.others > 0 {
        lines.push(("rejected others".into(), "none: no threshold".into()));
    }
    for (name, value) in lines {
        writeln!(out, "{name:<22}{value}")?;
    }
    Ok(())
}

/// The figures of classes, and their means.
fn table(
    out: &mut impl Write,
    report: &EvalReport,
    names: &[String],
    terminal: Terminal,
    all: bool,
) -> io::Result<()> {
    let (upper, lower, title) = chosen(&report.per_class, all);
    let figures = "  precision  recall      F1  pictures";
    let means = [
        ("macro average", report.macro_average),
        ("weighted average", report.weighted_average),
    ];
    let longest = upper.iter().chain(&lower).map(|&i| columns(&names[i]));
    let others = means.iter().map(|(name, _)| columns(name));
    let longest = longest.chain(others).chain([columns(title)]).max();
    let room = terminal.width.unwrap_or(usize::MAX);
    let room = room.saturating_sub(columns(figures)).max(LEAST_NAME);
    let width = longest.unwrap_or(0).min(room);
    let line = |out: &mut dyn Write, name: &str, [p, r, f]: [f64; 3], count: u64| {
        let name = padded(name, width);
        writeln!(out, "{name}  {p:>9.4}  {r:>6.4}  {f:>6.4}  {count:>8}")
    };
    let heading = format!("{}{figures}", padded(title, width));
    writeln!(out, "\n{}", terminal.paint(HEADING, &heading))?;
    let classes = |out: &mut dyn Write, chosen: &[usize]| {
        for &i in chosen {
            let m = &report.per_class[i].metrics;
            line(out, &names[i], [m.precision, m.recall, m.f1], m.support)?;
        }
        Ok::<(), io::Error>(())
    };
    classes(out, &upper)?;
    if !lower.is_empty() {
        writeln!(out, "…")?;
        classes(out, &lower)?;
    }
    writeln!(out)?;
    for (name, average) in means {
        let Some(Average {
            precision,
            recall,
            f1,
        }) = average
        else {
            continue;
        };
        let others = report.rejection.as_ref().map_or(0, |_| report.others);
        let pictures = report.pictures + others;
        line(out, name, [precision, recall, f1], pictures)?;
    }
    Ok(())
}

/// The classes that are shown, above and below a gap, and what they are.
fn chosen(classes: &[PerClass], all: bool) -> (Vec<usize>, Vec<usize>, &'static str) {
    if all {
        return ((0..classes.len()).collect(), Vec::new(), "class");
    }
    let metrics = |i: usize| &classes[i].metrics;
    let seen = |i: &usize| metrics(*i).support > 0;
    let mut found: Vec<usize> = (0..classes.len()).filter(seen).collect();
    if found.len() <= FEW {
        return (found, Vec::new(), "class");
    }
    // The worst first; of equally bad ones those that are bad more often.
    found.sort_by(|&a, &b| {
        let (a, b) = (metrics(a), metrics(b));
        a.f1.total_cmp(&b.f1).then(b.support.cmp(&a.support))
    });
    let best = found.split_off(found.len() - BEST);
    found.truncate(WORST);
    (found, best, "worst and best")
}

fn confused(
    out: &mut impl Write,
    report: &EvalReport,
    names: &[String],
    terminal: Terminal,
) -> io::Result<()> {
    let pairs: Vec<_> = report.most_confused.iter().take(CONFUSED).collect();
    if pairs.is_empty() {
        return Ok(());
    }
    let share = |i: usize| format!("{} of {}", pairs[i].count, pairs[i].support);
    let first = "pictures";
    let shares = (0..pairs.len()).map(|i| columns(&share(i)));
    let width = shares.chain([columns(first)]).max().unwrap_or(0);
    let heading = format!("{first:<width$}  most confused");
    writeln!(out, "\n{}", terminal.paint(HEADING, &heading))?;
    let taken = " as ";
    let room = terminal.width.unwrap_or(usize::MAX);
    let room = room
        .saturating_sub(width + 2 + taken.len())
        .max(2 * LEAST_NAME);
    for (i, pair) in pairs.iter().enumerate() {
        let (truth, predicted) = (&names[pair.outputs.0], &names[pair.outputs.1]);
        let (left, right) = (columns(truth), columns(predicted));
        // What one name leaves is the other's.
        let most = room - right.min(room / 2);
        let truth = truncate(truth, most);
        let predicted = truncate(predicted, room - columns(&truth).min(left));
        writeln!(out, "{:<width$}  {truth}{taken}{predicted}", share(i))?;
    }
    Ok(())
}
