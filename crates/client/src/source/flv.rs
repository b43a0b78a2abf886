//! An FLV file, or a pipe.

use std::io;

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
    /// It is not FLV.
    #[error("{0}")]
    NotFlv(#[from] thalweg_wire::Error),
    /// It ends in the middle of a tag, as a file does that is still being written.
    #[error("it ends in the middle of a tag")]
    Cut,
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
                0 => return Err(Error::Cut),
                n => self.demuxer.handle_bytes(&self.buffer[..n])?,
            }
        }
    }
}

const READ_BYTES: usize = 64 << 10;
const TAG_BYTES_MAX: usize = 16 << 20;
