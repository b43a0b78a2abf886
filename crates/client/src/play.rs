//! Watching a stream.

use thalweg_wire::media::Frame;
use thalweg_wire::rtmp::client::{Event, Purpose};

use crate::error::Error;
use crate::http_flv::Response;
use crate::rtmp::Connection;
use crate::target::Target;

/// A play that the server has accepted.
#[derive(Debug)]
pub struct Player {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Rtmp(Box<Connection>),
    HttpFlv(Box<Response>),
}

impl Player {
    /// Connects to a play URL, `rtmp://` or `http://` with `.flv`.
    ///
    /// # Errors
    /// [`Error::Refused`] or [`Error::Http`] when the server says no, with its reason; otherwise
    /// what went wrong on the way there.
    pub async fn connect(url: &str) -> Result<Player, Error> {
        let way = match Target::parse(url)? {
            Target::Rtmp(address) => {
                Way::Rtmp(Box::new(Connection::open(Purpose::Play, address).await?))
            }
            Target::Http(target) => Way::HttpFlv(Box::new(Response::open(&target).await?)),
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
