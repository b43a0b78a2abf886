//! Rounds as a table: medians, and how far apart the rounds were.

use std::fmt::Write;

use crate::trial::Outcome;

/// A Markdown table, a row for each server and protocol; with a ratio to the server named `base`,
/// if there is one.
pub fn table(outcomes: &[Outcome], base: Option<&str>) -> String {
    let mut text = String::from(
        "| server | watched by | viewers | rounds | CPU s /1000 viewer-s | x floor | user % | writes/s \
         | delay p50 ms | p99 | first picture p50 ms | p99 | KiB/viewer | trouble |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut done: Vec<(&str, &str)> = Vec::new();
    for one in outcomes {
        let key = (one.server.as_str(), one.protocol);
        if done.contains(&key) {
            continue;
        }
        done.push(key);
        let rounds: Vec<&Outcome> =
            outcomes.iter().filter(|o| (o.server.as_str(), o.protocol) == key).collect();
        let _ = writeln!(text, "{}", row(&rounds, base.and_then(|b| cpu_of(outcomes, b))));
    }
    text
}

fn row(rounds: &[&Outcome], floor: Option<f64>) -> String {
    let Some(first) = rounds.first() else {
        return String::new();
    };
    let cell = |of: fn(&Outcome) -> Option<f64>, digits: usize| {
        let values: Vec<f64> = rounds.iter().filter_map(|o| of(o)).collect();
        spread(&values, digits)
    };
    let cpu = median(&rounds.iter().filter_map(|o| o.cpu_s_per_1000_viewer_s).collect::<Vec<_>>());
    let ratio = match (cpu, floor) {
        (Some(cpu), Some(floor)) if floor > 0.0 => format!("{:.2}", cpu / floor),
        _ => "-".to_owned(),
    };
    let cells = [
        first.server.clone(),
        first.protocol.to_owned(),
        first.viewers.to_string(),
        rounds.len().to_string(),
        cell(|o| o.cpu_s_per_1000_viewer_s, 3),
        ratio,
        cell(|o| o.user_percent, 0),
        cell(|o| Some(o.writes_per_s), 1),
        cell(|o| Some(o.delay_ms.p50), 1),
        cell(|o| Some(o.delay_ms.p99), 1),
        cell(|o| Some(o.first_picture_ms.p50), 1),
        cell(|o| Some(o.first_picture_ms.p99), 0),
        cell(|o| Some(o.memory_bytes_per_viewer? / 1024.0), 1),
        rounds.iter().map(|o| trouble(o)).find(|t| !t.is_empty()).unwrap_or_default(),
    ];
    format!("| {} |", cells.join(" | "))
}

/// What was not as it should be.
pub fn trouble(o: &Outcome) -> String {
    let mut found = Vec::new();
    for (n, what) in [
        (o.viewers.saturating_sub(o.playing) as u64, "not playing"),
        (o.publishers_failed as u64, "publishers failed"),
        (o.stalled as u64, "stalled"),
        (o.lost, "pictures lost"),
        (o.reordered, "reordered"),
        (o.damaged, "damaged"),
    ] {
        if n > 0 {
            found.push(format!("{n} {what}"));
        }
    }
    found.extend(o.fates.iter().take(2).map(|(words, n)| format!("{n} x {words}")));
    found.join(", ")
}

fn cpu_of(outcomes: &[Outcome], server: &str) -> Option<f64> {
    let of_server = outcomes.iter().filter(|o| o.server == server);
    median(&of_server.filter_map(|o| o.cpu_s_per_1000_viewer_s).collect::<Vec<_>>())
}

pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
    }
}

fn spread(values: &[f64], digits: usize) -> String {
    let Some(middle) = median(values) else {
        return "-".to_owned();
    };
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (middle, least, most) =
        (format!("{middle:.digits$}"), format!("{least:.digits$}"), format!("{most:.digits$}"));
    if least == most { middle } else { format!("{middle} ({least}-{most})") }
}
