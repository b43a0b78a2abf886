//! SIGTERM and Ctrl-C.

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
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        show::note("told twice: ending at once");
        std::process::exit(1);
    });
}
