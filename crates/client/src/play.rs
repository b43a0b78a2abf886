//! Watching a stream.

use thalweg_wire::media::Frame;
use thalweg_wire::rtmp::client::{Event, Purpose};

use crate::error::Error;
use crate::http_flv::Response;
use crate::rtmp::Connection;
use crate::target::Target;
use crate::transport::Trust;
use crate::ws_flv::WebSocket;

/// A play that the server has accepted.
#[derive(Debug)]
pub struct Player {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Rtmp(Box<Connection>),
    HttpFlv(Box<Response>),
    WsFlv(Box<WebSocket>),
}

impl Player {
    /// Connects to a play URL: `rtmp://`; `http://` or `ws://`, with `.flv`; or one of these with
    /// an `s`, which is TLS.
    ///
    /// # Errors
    /// [`Error::Refused`] or [`Error::Http`] when the server says no, with its reason; otherwise
    /// what went wrong on the way there.
    pub async fn connect(url: &str) -> Result<Player, Error> {
        Player::connect_with(url, &Trust::system()).await
    }

    /// The same, with more authorities to trust.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_with(url: &str, trust: &Trust) -> Result<Player, Error> {
        let way = match Target::parse(url)? {
            Target::Rtmp(target) => {
                Way::Rtmp(Box::new(Connection::open(Purpose::Play, target, trust).await?))
            }
            Target::Http(target) => Way::HttpFlv(Box::new(Response::open(&target, trust).await?)),
            Target::WebSocket(target) => {
                Way::WsFlv(Box::new(WebSocket::play(&target, trust).await?))
            }
        };
        Ok(Player { way })
    }

    /// The next frame: metadata and headers first, then media. Cancelling loses nothing.
    ///
    /// # Errors
    /// [`Error::Ended`] or [`Error::Closed`] when the stream is over; otherwise what failed.
    pub async fn next_frame(&mut self) -> Result<Frame, Error> {
        match &mut self.way {
            Way::HttpFlv(response) => response.next_frame().await,
            Way::WsFlv(socket) => socket.next_frame().await,
            Way::Rtmp(connection) => loop {
                match connection.next_event().await? {
                    Event::Frame(frame) => return Ok(frame),
                    Event::Refused(status) => return Err(Error::Refused(status)),
                    Event::Ended(status) => return Err(Error::Ended(status)),
                    Event::Started | Event::Status(_) => {}
                }
            },
        }
    }
}
