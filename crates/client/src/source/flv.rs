//! An FLV file, or a pipe.

use std::io;

use thalweg_wire::error::Misbehaved;
use thalweg_wire::flv::Demuxer;
use thalweg_wire::media::Frame;
use tokio::io::{AsyncRead, AsyncReadExt};

/// Reads frames off anything that can be read.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    demuxer: Demuxer,
    buffer: Box<[u8]>,
    ended: bool,
}

/// Why no more frames can be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// It is empty.
    #[error("there is nothing in it")]
    Empty,
    /// It is something else, or damaged.
    #[error("{0}")]
    Bad(Misbehaved),
    /// It ends in the middle of a tag, as a file does that is still being written.
    #[error("it ends in the middle of a tag, after {0} bytes")]
    Cut(u64),
}

impl From<thalweg_wire::Error> for Error {
    fn from(e: thalweg_wire::Error) -> Self {
        match e {
            thalweg_wire::Error::Misbehaved(why) => Error::Bad(why),
            // The demuxer has no others.
            thalweg_wire::Error::Unsupported(_) | thalweg_wire::Error::Misused(_) => {
                Error::Bad(Misbehaved::NotFlv)
            }
        }
    }
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// A reader at the front of `input`.
    pub fn new(input: R) -> Self {
        let buffer = vec![0; READ_BYTES].into();
        Reader { input, demuxer: Demuxer::new(TAG_BYTES_MAX), buffer, ended: false }
    }

    /// The next frame, or `None` at the end.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn next_frame(&mut self) -> Result<Option<Frame>, Error> {
        loop {
            if let Some(frame) = self.demuxer.poll_frame() {
                return Ok(Some(frame));
            }
            if self.ended {
                return Ok(None);
            }
            match self.input.read(&mut self.buffer).await? {
                0 if self.demuxer.is_at_border() => self.ended = true,
                0 if self.demuxer.position() == 0 => return Err(Error::Empty),
                0 => return Err(Error::Cut(self.demuxer.position())),
                n => self.demuxer.handle_bytes(&self.buffer[..n])?,
            }
        }
    }
}

const READ_BYTES: usize = 64 << 10;
const TAG_BYTES_MAX: usize = 16 << 20;
