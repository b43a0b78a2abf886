//! What is counted here for whoever watches the server, as text in the OpenMetrics format.

use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::timeout;

use crate::clock::{Clock, SystemClock};
use crate::console::Console;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Families of samples, without the end: others may follow.
#[derive(Debug, Default)]
pub(crate) struct Text(String);

impl Text {
    /// Begins a family. Writing to a string does not fail.
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP thalweg_{name} {help}.\n# TYPE thalweg_{name} {kind}");
    }

    /// A sample of it.
    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.0, "thalweg_{name}{labels} {value}");
    }
}

impl Console {
    /// What is counted here. What the store would have to say is left out when it takes too long.
    pub async fn metrics(&self) -> String {
        let mut text = Text::default();
        let inner = &self.inner;
        text.family("store_failing", "gauge", "Whether a part cannot write into the store");
        let ailments = inner.health.ailments();
        for part in ["history", "statistics", "callbacks"] {
            let failing = u8::from(ailments.contains_key(part));
            text.sample("store_failing", &[("part", part)], failing);
        }
        if let Ok(Ok((waiting, oldest_ms))) =
            timeout(STORE_MAX, inner.store.waiting_deliveries()).await
        {
            let now_ms = SystemClock.now_ms();
            let age_s = oldest_ms.map_or(0, |at| now_ms.saturating_sub(at) / 1000);
            text.family("callbacks_waiting", "gauge", "Callbacks that are still to be delivered");
            text.sample("callbacks_waiting", &[], waiting);
            text.family("callbacks_oldest_seconds", "gauge", "Age of the oldest of these");
            text.sample("callbacks_oldest_seconds", &[], age_s);
        }
        inner.postman.told().write(&mut text);
        inner.remote.asked().write(&mut text);
        text.0
    }
}

/// How long whoever asks for metrics waits for the store: less than a scraper does.
const STORE_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_written_as_openmetrics_has_it() {
        let mut text = Text::default();
        text.family("callbacks", "counter", "Tries");
        text.sample("callbacks_total", &[("outcome", "missed")], 7);
        text.sample("callbacks_waiting", &[], 1);
        let want = "# HELP thalweg_callbacks Tries.\n# TYPE thalweg_callbacks counter\n\
                    thalweg_callbacks_total{outcome=\"missed\"} 7\nthalweg_callbacks_waiting 1\n";
        assert_eq!(text.0, want);
    }
}
