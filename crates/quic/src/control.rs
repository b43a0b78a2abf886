//! The control stream's two directions.

use std::time::Duration;

use bytes::Bytes;
use thalweg_wire::rtmp_udp::sender::CONTROL_PRIORITY;
use web_transport_quinn::{RecvStream, SendStream};

use crate::session::{LAST_WORDS, Lost, Session};

/// The control stream. Every call may be cancelled and loses nothing.
#[derive(Debug)]
pub struct Control {
    send: SendStream,
    receive: RecvStream,
    unsent: Vec<u8>,
    sent: usize,
    /// How long the peer may take to read what its system has acknowledged.
    reading_max: Duration,
}

impl Control {
    /// Opens it: the client's part.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn open(session: &Session) -> Result<Control, Lost> {
        session.open_control().await.map(|streams| Control::new(streams, Duration::ZERO))
    }

    /// Waits for the peer to open it: the server's part.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn accept(session: &Session) -> Result<Control, Lost> {
        let reading_max = if session.is_browser() { PAGE_READS_MAX } else { Duration::ZERO };
        session.accept_control().await.map(|streams| Control::new(streams, reading_max))
    }

    fn new((send, receive): (SendStream, RecvStream), reading_max: Duration) -> Control {
        // A stream that is already over is found out when it is used.
        let _ = send.set_priority(CONTROL_PRIORITY);
        Control { send, receive, unsent: Vec::new(), sent: 0, reading_max }
    }

    /// Adds to what is to be sent. Answers whether the peer reads fast enough: whoever leaves more
    /// than 256 KiB unread had better be cut.
    #[must_use]
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        // What has gone out is not kept: a peer that is always a little behind would make this grow.
        self.unsent.drain(..std::mem::take(&mut self.sent));
        self.unsent.extend_from_slice(bytes);
        self.unsent.len() <= QUEUE_BYTES_MAX
    }

    /// Sends what is there while it waits for what comes; `None` when the peer has ended its side.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn exchange(&mut self) -> Result<Option<Bytes>, Lost> {
        let Control { send, receive, unsent, sent, .. } = self;
        tokio::select! {
            chunk = receive.read_chunk(READ_BYTES_MAX, true) => Ok(chunk?.map(|c| c.bytes)),
            Err(lost) = flush_for_ever(send, unsent, sent) => Err(lost),
        }
    }

    /// Sends what is there.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn flush(&mut self) -> Result<(), Lost> {
        flush(&mut self.send, &mut self.unsent, &mut self.sent).await
    }

    /// Sends the last of it, and waits until the peer has it, a second at most. A browser has it before
    /// its page does, and forgets it when the connection ends: the page has a moment to leave first.
    pub async fn finish(mut self) {
        let said = async {
            self.flush().await?;
            // Whoever has stopped listening will not be told.
            let _ = self.send.finish();
            self.send.stopped().await.map_err(Lost::from)
        };
        let _ = tokio::time::timeout(LAST_WORDS, said).await;
        let left = async {
            while let Ok(Some(_)) = self.receive.read_chunk(READ_BYTES_MAX, true).await {}
        };
        let _ = tokio::time::timeout(self.reading_max, left).await;
    }
}

async fn flush(send: &mut SendStream, unsent: &mut Vec<u8>, sent: &mut usize) -> Result<(), Lost> {
    while *sent < unsent.len() {
        *sent += send.write(&unsent[*sent..]).await?;
    }
    unsent.clear();
    *sent = 0;
    Ok(())
}

async fn flush_for_ever(
    send: &mut SendStream,
    unsent: &mut Vec<u8>,
    sent: &mut usize,
) -> Result<(), Lost> {
    flush(send, unsent, sent).await?;
    std::future::pending().await
}

/// What a peer may leave unread.
const QUEUE_BYTES_MAX: usize = 256 << 10;
const READ_BYTES_MAX: usize = 64 << 10;
/// From the browser's acknowledgement to the page.
const PAGE_READS_MAX: Duration = Duration::from_millis(250);
