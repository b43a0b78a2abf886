//! Sending a stream.

use thalweg_wire::media::Frame;
use thalweg_wire::rtmp::client::Purpose;

use crate::error::Error;
use crate::rtmp::Connection;
use crate::target::Target;

/// A publication that the server has accepted.
#[derive(Debug)]
pub struct Publisher {
    connection: Connection,
}

impl Publisher {
    /// Connects to a push URL.
    ///
    /// # Errors
    /// [`Error::Refused`] when the server says no, with its reason; otherwise what went wrong on
    /// the way there.
    pub async fn connect(url: &str) -> Result<Publisher, Error> {
        let Target::Rtmp(address) = Target::parse(url)? else {
            return Err(Error::Scheme("a push URL begins with rtmp://"));
        };
        let connection = Connection::open(Purpose::Publish, address).await?;
        Ok(Publisher { connection })
    }

    /// Sends one frame. Waits while the network is slower than the stream.
    ///
    /// # Errors
    /// When the server ended the stream, with its reason, or the connection failed.
    pub async fn send(&mut self, frame: &Frame) -> Result<(), Error> {
        self.connection.send(frame).await
    }

    /// Listens until the server ends the stream or the connection fails, and answers how: for
    /// whoever has nothing to send just now. Cancelling loses nothing.
    pub async fn over(&mut self) -> Error {
        self.connection.over().await
    }

    /// Ends the stream politely.
    ///
    /// # Errors
    /// When the server could not be told.
    pub async fn close(self) -> Result<(), Error> {
        self.connection.close().await
    }
}
