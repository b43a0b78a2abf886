//! Sending a stream.

use thalweg_wire::media::Frame;
use thalweg_wire::rtmp::client::Purpose;

use crate::error::Error;
use crate::rtmp::Connection;
use crate::target::Target;
use crate::transport::Trust;
use crate::ws_flv::WebSocket;

/// A publication that the server has accepted.
#[derive(Debug)]
pub struct Publisher {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Rtmp(Box<Connection>),
    WsFlv(Box<WebSocket>),
}

impl Publisher {
    /// Connects to a push URL: `rtmp://`; `ws://`, with `.flv`; or one of these with an `s`, which is
    /// TLS.
    ///
    /// # Errors
    /// [`Error::Refused`] or [`Error::Http`] when the server says no, with its reason; otherwise what
    /// went wrong on the way there.
    pub async fn connect(url: &str) -> Result<Publisher, Error> {
        Publisher::connect_with(url, &Trust::system()).await
    }

    /// The same, with more authorities to trust.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with(url: &str, trust: &Trust) -> Result<Publisher, Error> {
        let way = match Target::parse(url)? {
            Target::Rtmp(target) => {
                Way::Rtmp(Box::new(Connection::open(Purpose::Publish, target, trust).await?))
            }
            Target::WebSocket(target) => {
                Way::WsFlv(Box::new(WebSocket::publish(&target, trust).await?))
            }
            Target::Http(_) => {
                return Err(Error::Scheme("a push URL begins with rtmp:// or ws://, not http://"));
            }
        };
        Ok(Publisher { way })
    }

    /// Sends one frame. Waits while the network is slower than the stream.
    ///
    /// # Errors
    /// When the server ended the stream, with its reason, or the connection failed.
    pub async fn send(&mut self, frame: &Frame) -> Result<(), Error> {
        match &mut self.way {
            Way::Rtmp(connection) => connection.send(frame).await,
            Way::WsFlv(socket) => socket.send(frame).await,
        }
    }

    /// Listens until the server ends the stream or the connection fails, and answers how: for
    /// whoever has nothing to send just now. Cancelling loses nothing.
    pub async fn over(&mut self) -> Error {
        match &mut self.way {
            Way::Rtmp(connection) => connection.over().await,
            Way::WsFlv(socket) => socket.over().await,
        }
    }

    /// Ends the stream politely.
    ///
    /// # Errors
    /// When the server could not be told.
    pub async fn close(self) -> Result<(), Error> {
        match self.way {
            Way::Rtmp(connection) => connection.close().await,
            Way::WsFlv(socket) => socket.close().await,
        }
    }
}
