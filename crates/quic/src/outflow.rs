//! Media on its way out: opens, writes and resets streams as the sender says.

use std::collections::HashMap;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use thalweg_wire::rtmp_udp::Reset;
use thalweg_wire::rtmp_udp::sender::{Action, Id, Outgoing, Sender};
use tokio::sync::oneshot;
use web_transport_quinn::SendStream;

use crate::alarm::Alarm;
use crate::session::{Lost, Session};

/// One session's outgoing media.
pub struct Outflow {
    session: Session,
    sender: Sender,
    opening: Option<BoxFuture<'static, Result<SendStream, Lost>>>,
    /// A stream that was opened for something that was given up meanwhile.
    spare: Option<SendStream>,
    /// Streams that the peer does not yet have all of.
    flights: FuturesUnordered<BoxFuture<'static, Id>>,
    resets: HashMap<Id, oneshot::Sender<Reset>>,
    alarm: Alarm,
}

impl std::fmt::Debug for Outflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outflow").field("flights", &self.flights.len()).finish_non_exhaustive()
    }
}

impl Outflow {
    /// Sends what `sender` is given.
    pub fn new(session: Session, sender: Sender) -> Self {
        Outflow {
            session,
            sender,
            opening: None,
            spare: None,
            flights: FuturesUnordered::new(),
            resets: HashMap::new(),
            alarm: Alarm::default(),
        }
    }

    /// The rules: frames go in here.
    pub fn sender(&mut self) -> &mut Sender {
        &mut self.sender
    }

    /// Tells the rules what the path is like now: before frames go in.
    pub fn look_at_path(&mut self) {
        self.sender.handle_path(self.session.path());
    }

    /// Works until there is something for the caller to say, which it answers. Cancelling loses
    /// nothing; nothing is sent while nobody waits for this.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn next(&mut self) -> Result<Action, Lost> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Works until the peer has everything, which is `None`, or there is something to say.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn drain(&mut self) -> Result<Option<Action>, Lost> {
        poll_fn(|cx| match self.poll_next(cx) {
            Poll::Ready(action) => Poll::Ready(action.map(Some)),
            Poll::Pending if self.sender.queued_bytes() == 0 => Poll::Ready(Ok(None)),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Action, Lost>> {
        loop {
            while let Some(action) = self.sender.poll_action() {
                match action {
                    Action::Reset(id, why) => self.reset(id, why),
                    other => return Poll::Ready(Ok(other)),
                }
            }
            let landed = self.poll_flights(cx);
            let opened = self.poll_open(cx)?;
            if !landed && !opened && !self.poll_timer(cx) {
                return Poll::Pending;
            }
        }
    }

    fn reset(&mut self, id: Id, why: Reset) {
        if let Some(reset) = self.resets.remove(&id) {
            // A stream that has just landed needs no reset.
            let _ = reset.send(why);
        }
    }

    fn poll_flights(&mut self, cx: &mut Context<'_>) -> bool {
        let mut landed = false;
        while let Poll::Ready(Some(id)) = self.flights.poll_next_unpin(cx) {
            self.resets.remove(&id);
            self.sender.handle_done(id);
            landed = true;
        }
        landed
    }

    /// Opens a stream for the best of what waits, when the peer grants one.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Result<bool, Lost> {
        if !self.sender.is_waiting() {
            return Ok(false);
        }
        let stream = match self.spare.take() {
            Some(stream) => stream,
            None => {
                let session = &self.session;
                let opening = self.opening.get_or_insert_with(|| {
                    let session = session.clone();
                    Box::pin(async move { session.open_media().await })
                });
                let Poll::Ready(opened) = opening.as_mut().poll(cx) else { return Ok(false) };
                self.opening = None;
                opened?
            }
        };
        match self.sender.next_stream(Instant::now()) {
            Some(outgoing) => self.launch(stream, outgoing),
            None => self.spare = Some(stream),
        }
        Ok(true)
    }

    fn launch(&mut self, stream: SendStream, outgoing: Outgoing) {
        let (reset, must_reset) = oneshot::channel();
        self.resets.insert(outgoing.id, reset);
        self.flights.push(Box::pin(fly(stream, outgoing, must_reset)));
    }

    /// Whether the sender's time has come.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> bool {
        if self.alarm.poll(self.sender.poll_timeout(), cx).is_pending() {
            return false;
        }
        self.sender.handle_timeout(Instant::now());
        true
    }
}

/// Writes a stream and waits until the peer has all of it, or wants none of it, or it is given up.
async fn fly(
    mut stream: SendStream,
    outgoing: Outgoing,
    must_reset: oneshot::Receiver<Reset>,
) -> Id {
    let Outgoing { id, priority, mut chunks } = outgoing;
    let _ = stream.set_priority(priority);
    let landed = async {
        stream.write_all_chunks(&mut chunks).await?;
        let _ = stream.finish();
        stream.stopped().await.map_err(Lost::from)
    };
    let given_up = tokio::select! {
        _ = landed => None,
        Ok(why) = must_reset => Some(why),
    };
    if let Some(why) = given_up {
        let _ = stream.reset(why as u32);
    }
    id
}
