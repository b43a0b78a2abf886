//! What is kept of a play: FLV.

use anyhow::Result;
use bytes::Bytes;
use thalweg_wire::amf0::{Decoder, Value};
use thalweg_wire::flv;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::time::Dts;
use tokio::io::{AsyncWrite, AsyncWriteExt};

pub(super) type Sink = Box<dyn AsyncWrite + Unpin + Send>;

/// Writes FLV. The file's flags say which kinds there are, so the first frames are held back until
/// the first that is media; that one has time 0, whatever the time of the stream.
pub(super) struct Writer {
    sink: Sink,
    held: Vec<Frame>,
    zero: Option<Dts>,
    /// Of what was written, in the file's time.
    latest: Dts,
    /// What comes next comes by another connection.
    joins: bool,
}

impl Writer {
    pub(super) fn new(sink: Sink) -> Writer {
        Writer { sink, held: Vec::new(), zero: None, latest: 0, joins: false }
    }

    /// The same stream goes on by another connection, which begins with what is there already, or later;
    /// or at another time, if the server is another.
    pub(super) fn go_on(&mut self) {
        self.joins = self.zero.is_some();
    }

    /// Writes a frame; false when nobody reads any more.
    pub(super) async fn write(&mut self, frame: Frame) -> Result<bool> {
        if self.zero.is_none() && !frame.is_media() && self.held.len() < HELD_MAX {
            self.held.push(frame);
            return Ok(true);
        }
        if self.joins && frame.is_media() && !self.join(&frame) {
            return Ok(true);
        }
        let mut out = Vec::new();
        if self.zero.is_none() {
            let seen = |kind| self.held.iter().chain([&frame]).any(|f| f.kind == kind);
            out.extend_from_slice(&flv::file_header(seen(Kind::Audio), seen(Kind::Video)));
        }
        let zero = *self.zero.get_or_insert(frame.dts);
        for frame in self.held.drain(..).chain([frame]) {
            let dts = frame.dts.saturating_sub(zero).max(0);
            let payload = live_payload(&frame);
            self.latest = self.latest.max(dts);
            flv::write_tag(&mut out, &Frame { dts, payload, ..frame });
        }
        match self.sink.write_all(&out).await {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
            other => Ok(other.map(|()| true)?),
        }
    }

    /// Whether the file goes on with this frame: not with what it has.
    fn join(&mut self, frame: &Frame) -> bool {
        let at = frame.dts.saturating_sub(self.zero.unwrap_or(frame.dts));
        let ahead = at.saturating_sub(self.latest);
        if (-REPEATED_MS_MAX..=0).contains(&ahead) {
            return false;
        }
        if !(0..=GAP_MS_MAX).contains(&ahead) {
            self.zero = Some(frame.dts.saturating_sub(self.latest + FRAME_MS));
        }
        self.joins = false;
        true
    }

    pub(super) async fn finish(mut self) -> Result<()> {
        match self.sink.shutdown().await {
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            other => Ok(other?),
        }
    }
}

/// A payload without what a publisher's file says of itself, which is not so of what is kept of it.
fn live_payload(frame: &Frame) -> Bytes {
    let is_metadata = frame.kind == Kind::Data && frame.config;
    let stripped = if is_metadata { without_extent(&frame.payload) } else { None };
    stripped.unwrap_or_else(|| frame.payload.clone())
}

/// `None` for metadata that cannot be read: it is kept as it is.
fn without_extent(payload: &[u8]) -> Option<Bytes> {
    let (mut out, mut decoder) = (Vec::new(), Decoder::new(payload));
    while let Some(value) = decoder.next_value().ok()? {
        let kept = |mut properties: Vec<(String, Value)>| {
            properties.retain(|(name, _)| !EXTENT.contains(&name.as_str()));
            properties
        };
        let value = match value {
            Value::Object(properties) => Value::Object(kept(properties)),
            Value::EcmaArray(properties) => Value::EcmaArray(kept(properties)),
            other => other,
        };
        value.encode(&mut out);
    }
    Some(out.into())
}

/// How long a file is, and what lies where in it.
const EXTENT: [&str; 5] =
    ["duration", "filesize", "keyframes", "lasttimestamp", "lastkeyframetimestamp"];
/// Headers of a stream are three; more are some other thing's.
const HELD_MAX: usize = 16;
/// What a new connection begins with is a GOP, and the server keeps no longer ones than this.
const REPEATED_MS_MAX: Dts = 30_000;
/// A stream whose time has leapt further is another one's.
const GAP_MS_MAX: Dts = 60_000;
const FRAME_MS: Dts = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_does_not_keep_the_publishers_duration() {
        let mut body = Vec::new();
        Value::string("onMetaData").encode(&mut body);
        let number = |name: &str, n| (name.to_owned(), Value::Number(n));
        let of_file = [number("duration", 60.0), number("width", 640.0), number("filesize", 9e6)];
        Value::EcmaArray(of_file.to_vec()).encode(&mut body);
        let payload = live_payload(&Frame::new(Kind::Data, 0, body.into()));
        let mut decoder = Decoder::new(&payload);
        assert_eq!(decoder.next_value().unwrap(), Some(Value::string("onMetaData")));
        let kept = decoder.next_value().unwrap().unwrap();
        assert_eq!(kept, Value::EcmaArray(vec![number("width", 640.0)]));
    }

    #[tokio::test]
    async fn a_file_goes_on_where_another_connection_begins() {
        // From what is there already; later; and at another time.
        for (first, want) in [(1020, [1060, 1100]), (9000, [9000, 9040]), (500_000, [1080, 1120])] {
            let (sink, mut read) = tokio::io::duplex(64 << 10);
            let mut writer = Writer::new(Box::new(sink));
            let picture =
                |dts| Frame::new(Kind::Video, dts, Bytes::from_static(b"\x17\x01\0\0\0\0"));
            for at in 0..27 {
                writer.write(picture(100 + at * 40)).await.unwrap();
            }
            writer.go_on();
            for at in 0..4 {
                writer.write(picture(100 + first + at * 40)).await.unwrap();
            }
            writer.finish().await.unwrap();
            let mut file = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut read, &mut file).await.unwrap();
            let mut reader = thalweg_client::source::flv::Reader::new(&file[..]);
            let mut times = Vec::new();
            while let Some(frame) = reader.next_frame().await.unwrap() {
                times.push(frame.dts);
            }
            assert!(times.is_sorted(), "{times:?}");
            assert_eq!(times[26], 1040);
            assert_eq!(times[27..29], want, "{times:?}");
        }
    }
}
