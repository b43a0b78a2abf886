//! SIGTERM and Ctrl-C.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::show;

/// Waits until the program is told to stop. Told a second time, it ends at once.
pub(crate) async fn told_to_stop() {
    let (Ok(mut term), Ok(mut int)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::warn!("no signals on this system: end the program to stop it");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    tokio::spawn(async move {
        // A shell or a supervisor may tell both the group and the program: that is once.
        tokio::time::sleep(ONCE).await;
        let (Ok(mut term), Ok(mut int)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return;
        };
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        show::note("told twice: ending at once");
        std::process::exit(1);
    });
}

/// Signals closer together than this are one.
const ONCE: Duration = Duration::from_millis(300);
