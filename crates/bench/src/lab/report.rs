//! Runs as a table: medians over the seeds, and the goals beside them.

use std::fmt::Write;

use serde::Serialize;

use super::cell::{Cell, Goal};
use super::score::{Delays, Figures};
use super::way::Way;
use crate::report::median;

/// One stream over one path, once.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The path.
    pub cell: Cell,
    /// Its RTT, ms.
    pub rtt_ms: u64,
    /// From key frame to key frame, s.
    pub gop_s: u64,
    /// Of the path's chance.
    pub seed: u64,
    /// How the stream crossed it.
    pub way: Way,
    /// What it came to, or why it was not run.
    pub outcome: Result<Figures, String>,
}

/// The runs of one cell by one way, together. Medians over those that were run.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The path.
    pub cell: String,
    /// Its RTT, ms.
    pub rtt_ms: u64,
    /// From key frame to key frame, s.
    pub gop_s: u64,
    /// How the stream crossed it.
    pub way: String,
    /// How often it was run.
    pub runs: usize,
    /// Delay of pictures, ms.
    pub p50_ms: Option<f64>,
    /// 95 of 100.
    pub p95_ms: Option<f64>,
    /// 99 of 100.
    pub p99_ms: Option<f64>,
    /// All.
    pub max_ms: Option<f64>,
    /// Pictures that never came.
    pub lost: Option<f64>,
    /// Pictures that cannot be decoded.
    pub undecodable: Option<f64>,
    /// Pictures later than 400 ms.
    pub late: Option<f64>,
    /// Delay of sound, ms.
    pub audio_p99_ms: Option<f64>,
    /// Frames of sound that never came, per cent.
    pub audio_lost_percent: Option<f64>,
    /// What came of the stream, kbit/s.
    pub kbit_per_s: Option<f64>,
    /// What the greedy flow beside it got, where there was one.
    pub beside_kbit_per_s: Option<f64>,
    /// What was asked for, in words.
    pub goal: Option<String>,
    /// Whether that is so. `None` without a goal, or when nothing was run.
    pub is_met: Option<bool>,
    /// Why it was not run, or what went wrong.
    pub remark: Option<String>,
}

/// A row for each cell and way, in the order in which they first appear.
pub fn rows(runs: &[Run]) -> Vec<Row> {
    let key = |run: &Run| (run.cell, run.rtt_ms, run.gop_s, run.way);
    let mut keys = Vec::new();
    for run in runs {
        if !keys.contains(&key(run)) {
            keys.push(key(run));
        }
    }
    let of = |wanted| runs.iter().filter(move |run| key(run) == wanted).collect::<Vec<_>>();
    keys.into_iter().filter_map(|key| Row::of(&of(key))).collect()
}

/// The rows as Markdown.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| cell | RTT | GOP | way | runs | p50 ms | p95 | p99 | max | lost | undecodable | > 400 ms \
         | audio p99 ms | audio lost % | goal | |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let _ = writeln!(text, "| {} |", row.cells().join(" | "));
    }
    text
}

impl Row {
    fn of(runs: &[&Run]) -> Option<Row> {
        let first = runs.first()?;
        let figures: Vec<&Figures> = runs.iter().filter_map(|r| r.outcome.as_ref().ok()).collect();
        let middle = |of: &dyn Fn(&Figures) -> Option<f64>| {
            median(&figures.iter().filter_map(|f| of(f)).collect::<Vec<_>>())
        };
        let video = |of: fn(&Delays) -> f64| middle(&|f| f.video.as_ref().map(of));
        let count = |of: fn(&Figures) -> u64| middle(&|f| Some(of(f) as f64));
        let audio_lost =
            |f: &Figures| Some(f.audio_lost as f64 * 100.0 / f.audio_frames.max(1) as f64);
        let goal = first.cell.goal(first.rtt_ms, first.gop_s);
        let mut row = Row {
            cell: first.cell.to_string(),
            rtt_ms: first.rtt_ms,
            gop_s: first.gop_s,
            way: first.way.to_string(),
            runs: figures.len(),
            p50_ms: video(|d| d.p50),
            p95_ms: video(|d| d.p95),
            p99_ms: video(|d| d.p99),
            max_ms: video(|d| d.max),
            lost: count(|f| f.lost),
            undecodable: count(|f| f.undecodable),
            late: count(|f| f.late),
            audio_p99_ms: middle(&|f| f.audio.map(|d| d.p99)),
            audio_lost_percent: middle(&audio_lost),
            kbit_per_s: middle(&|f| Some(f.kbit_per_s)),
            beside_kbit_per_s: middle(&|f| f.beside_kbit_per_s),
            goal: goal.map(|goal| goal.to_string()),
            is_met: None,
            remark: runs.iter().find_map(|run| remark(run)),
        };
        let frames = figures.first().map(|f| f.frames);
        row.is_met = goal.zip(frames).map(|(goal, frames)| row.meets(goal, frames));
        Some(row)
    }

    /// Goals are for 30 s; of a shorter run as much less is asked.
    fn meets(&self, goal: Goal, frames: u64) -> bool {
        let within = |value: Option<f64>, max: f64| value.is_some_and(|v| v <= max);
        let undecodable_max = |n: u64| n as f64 * frames as f64 / FRAMES_OF_GOALS;
        within(self.p99_ms, goal.p99_ms)
            && goal.undecodable.is_none_or(|n| within(self.undecodable, undecodable_max(n)))
            && goal.audio_lost_percent.is_none_or(|max| within(self.audio_lost_percent, max))
    }

    fn cells(&self) -> [String; 16] {
        let number = |value: Option<f64>, digits: usize| {
            value.map_or("-".to_owned(), |v| format!("{v:.digits$}"))
        };
        let verdict = self.is_met.map(|met| if met { "met" } else { "missed" });
        let shares = self.kbit_per_s.zip(self.beside_kbit_per_s);
        let shares =
            shares.map(|(stream, flow)| format!("{stream:.0} kbit/s, {flow:.0} beside it"));
        let remarks: Vec<&str> =
            verdict.into_iter().chain(shares.as_deref()).chain(self.remark.as_deref()).collect();
        [
            self.cell.clone(),
            self.rtt_ms.to_string(),
            self.gop_s.to_string(),
            self.way.clone(),
            self.runs.to_string(),
            number(self.p50_ms, 0),
            number(self.p95_ms, 0),
            number(self.p99_ms, 0),
            number(self.max_ms, 0),
            number(self.lost, 0),
            number(self.undecodable, 0),
            number(self.late, 0),
            number(self.audio_p99_ms, 0),
            number(self.audio_lost_percent, 1),
            self.goal.clone().unwrap_or_default(),
            remarks.join("; "),
        ]
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p99 <= {:.0}", self.p99_ms)?;
        match self.undecodable {
            Some(0) => f.write_str(", undecodable 0")?,
            Some(n) => write!(f, ", undecodable <= {n}")?,
            None => {}
        }
        match self.audio_lost_percent {
            Some(percent) => write!(f, ", audio lost <= {percent:.0} %"),
            None => Ok(()),
        }
    }
}

fn remark(run: &Run) -> Option<String> {
    match &run.outcome {
        Err(why) => Some(format!("not run: {why}")),
        Ok(figures) if figures.damaged > 0 => Some(format!("{} damaged", figures.damaged)),
        Ok(figures) => figures.ended.clone(),
    }
}

/// Pictures in 30 s.
const FRAMES_OF_GOALS: f64 = 900.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::way::Cc;

    fn run(seed: u64, way: Way, outcome: Result<Figures, String>) -> Run {
        Run { cell: Cell::Loss(10), rtt_ms: 50, gop_s: 1, seed, way, outcome }
    }

    fn figures(p99: f64, undecodable: u64) -> Figures {
        let video = Some(Delays { p50: 26.0, p95: 90.0, p99, max: 400.0 });
        Figures { video, frames: 900, undecodable, audio_frames: 1290, ..Figures::default() }
    }

    #[test]
    fn a_row_has_the_medians_of_its_runs_and_says_whether_the_goal_is_met() {
        let udp = Way::RtmpUdp(Cc::Live);
        let mut runs: Vec<Run> = [(190.0, 0), (200.0, 3), (900.0, 9)]
            .into_iter()
            .zip(1..)
            .map(|((p99, undecodable), seed)| run(seed, udp, Ok(figures(p99, undecodable))))
            .collect();
        runs.push(run(1, Way::RtmpTcp(Cc::Bbr), Err("no bbr in this kernel".to_owned())));
        let rows = rows(&runs);
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (rows[0].runs, rows[0].p99_ms, rows[0].undecodable),
            (3, Some(200.0), Some(3.0))
        );
        assert_eq!((rows[0].is_met, rows[1].is_met), (Some(true), None));
        let table = table(&rows);
        let want = "| loss-10 | 50 | 1 | rtmp-udp live | 3 | 26 | 90 | 200 | 400 | 0 | 3 | 0 | - | 0.0 \
                    | p99 <= 210, undecodable <= 3 | met |";
        assert!(table.contains(want), "{table}");
        assert!(table.contains("not run: no bbr in this kernel |"), "{table}");
    }

    #[test]
    fn a_greedy_flow_stands_beside_the_streams_share() {
        let mut shared = figures(200.0, 0);
        (shared.kbit_per_s, shared.beside_kbit_per_s) = (1100.4, Some(1650.6));
        let rows = rows(&[run(1, Way::RtmpUdp(Cc::Live), Ok(shared))]);
        assert!(table(&rows).contains("| met; 1100 kbit/s, 1651 beside it |"));
    }

    #[test]
    fn less_is_forgiven_in_a_shorter_run() {
        let short = Figures { frames: 300, ..figures(200.0, 2) };
        let rows = rows(&[run(1, Way::RtmpUdp(Cc::Live), Ok(short))]);
        assert_eq!(rows[0].is_met, Some(false));
    }
}
