//! Publishing the test clock.

use std::time::{Duration, Instant, SystemTime};

use thalweg_client::Error;
use thalweg_client::source::clock::Clock;

use crate::outlet::{Outlet, Route};

/// Publishes the clock until told to stop.
///
/// # Errors
/// What the server or the network says.
pub(crate) async fn publish(route: &Route, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let mut stop = std::pin::pin!(stop);
    loop {
        let mut outlet = tokio::select! {
            outlet = Outlet::connect(route) => outlet?,
            () = &mut stop => return Ok(()),
        };
        tokio::select! {
            sent = send_until_leap(&mut outlet) => sent?,
            () = &mut stop => return outlet.close().await,
        }
        // What a clock that has leapt shows would be wrong: begin anew.
        outlet.close().await?;
    }
}

/// Sends the clock until the machine's own has leapt: it was set, or the machine has slept.
async fn send_until_leap(outlet: &mut Outlet) -> Result<(), Error> {
    let mut clock = Clock::new(SystemTime::now());
    loop {
        let (frame, due) = clock.next_frame();
        match due.duration_since(SystemTime::now()) {
            Ok(early) if early > LEAP => return Ok(()),
            Ok(early) => outlet.rest_until(Instant::now() + early).await?,
            Err(late) if late.duration() > LEAP => return Ok(()),
            Err(_) => {}
        }
        outlet.send(&frame).await?;
    }
}

/// The first frame is due within a second; later ones within 40 ms.
const LEAP: Duration = Duration::from_secs(2);
