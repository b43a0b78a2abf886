//! SIGTERM and Ctrl-C, and SIGHUP.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::show;

/// Waits until the program is told to stop. Told a second time, it ends at once.
pub(crate) async fn told_to_stop() {
    if told().await.is_err() {
        tracing::warn!("no signals on this system: end the program to stop it");
        return std::future::pending().await;
    }
    tokio::spawn(async {
        // A shell or a supervisor may tell both the group and the program: that is once.
        tokio::time::sleep(ONCE).await;
        if told().await.is_ok() {
            show::note("told twice: ending at once");
            std::process::exit(1);
        }
    });
}

/// Says when the program is told to read its files again. From when this is made, that no longer ends
/// the program.
pub(crate) struct Hangups(io::Result<Signal>);

impl Hangups {
    pub(crate) fn new() -> Hangups {
        Hangups(signal(SignalKind::hangup()))
    }

    /// Calls `reload` each time. Without an end.
    pub(crate) async fn each(self, mut reload: impl FnMut()) {
        let Ok(mut told) = self.0 else { return std::future::pending().await };
        while told.recv().await.is_some() {
            reload();
        }
    }
}

/// Waits for the next signal to stop.
async fn told() -> io::Result<()> {
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

/// Signals closer together than this are one.
const ONCE: Duration = Duration::from_millis(300);
