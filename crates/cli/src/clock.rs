//! Publishing the test clock.

use std::time::{Duration, SystemTime};

use thalweg_client::source::clock::Clock;
use thalweg_client::{Error, Publisher, Trust};

/// Publishes the clock until told to stop.
///
/// # Errors
/// What the server or the network says.
pub(crate) async fn publish(
    url: &str,
    trust: &Trust,
    stop: impl Future<Output = ()>,
) -> Result<(), Error> {
    let mut stop = std::pin::pin!(stop);
    loop {
        let mut publisher = tokio::select! {
            publisher = Publisher::connect_with(url, trust) => publisher?,
            () = &mut stop => return Ok(()),
        };
        tokio::select! {
            sent = send_until_leap(&mut publisher) => sent?,
            () = &mut stop => return publisher.close().await,
        }
        // What a clock that has leapt shows would be wrong: begin anew.
        publisher.close().await?;
    }
}

/// Sends the clock until the machine's own has leapt: it was set, or the machine has slept.
async fn send_until_leap(publisher: &mut Publisher) -> Result<(), Error> {
    let mut clock = Clock::new(SystemTime::now());
    loop {
        let (frame, due) = clock.next_frame();
        match due.duration_since(SystemTime::now()) {
            Ok(early) if early > LEAP => return Ok(()),
            Ok(early) => tokio::time::sleep(early).await,
            Err(late) if late.duration() > LEAP => return Ok(()),
            Err(_) => {}
        }
        publisher.send(&frame).await?;
    }
}

/// The first frame is due within a second; later ones within 40 ms.
const LEAP: Duration = Duration::from_secs(2);
