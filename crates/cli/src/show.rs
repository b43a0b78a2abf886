//! What the program prints.
#![allow(clippy::print_stderr, reason = "here, and only here, it prints")]

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thalweg_console::clock::utc;

/// A line of an answer. Whoever reads may have had enough, as `head` has: what runs goes on all the same.
pub(crate) fn line(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A line about what is going on, apart from the answer.
pub(crate) fn note(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

/// An error and what caused it, and the exit code for it.
pub(crate) fn failure(error: &anyhow::Error) -> ExitCode {
    eprintln!("thalweg: {}", chain(error));
    ExitCode::FAILURE
}

/// An error and its causes, but for those whose words are in it already.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Text in white on black, where that can be said.
pub(crate) fn white_on_black(text: &str) -> String {
    use std::io::IsTerminal;
    if std::io::stdout().is_terminal() {
        format!("\x1b[97;40m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// A moment, in UTC, to the second.
pub(crate) fn moment(unix_s: u64) -> String {
    utc(unix_s).unwrap_or_else(|| "the end of time".to_owned())
}

/// Reads a time as a person writes it.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "a time is a number with its unit: 90s, 15m, 12h, 7d".to_owned())
}

/// The time now, UNIX seconds.
pub(crate) fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Bits a second in words.
pub(crate) fn rate(bits_per_s: f64) -> String {
    if bits_per_s >= 1e6 {
        format!("{:.2} Mbit/s", bits_per_s / 1e6)
    } else {
        format!("{:.0} kbit/s", bits_per_s / 1e3)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    #[test]
    fn nothing_is_said_twice() {
        let io = std::io::Error::other("Is a directory");
        let error =
            Err::<(), _>(io).context("cannot read x: Is a directory").context("x").unwrap_err();
        assert_eq!(super::chain(&error), "x: cannot read x: Is a directory");
    }
}
