//! One HTTP request whose answer is FLV.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use thalweg_wire::flv::Demuxer;
use thalweg_wire::media::Frame;
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::target::HttpTarget;
use crate::transport::{Trust, connect};

#[derive(Debug)]
pub(crate) struct Response {
    body: Incoming,
    demuxer: Demuxer,
    /// Reads the connection for as long as the response is wanted.
    connection: JoinHandle<()>,
}

impl Response {
    pub(crate) async fn open(target: &HttpTarget, trust: &Trust) -> Result<Self, Error> {
        let trust = target.secure.then_some(trust);
        let stream = connect(&target.host, target.port, trust).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let connection = tokio::spawn(async move {
            // What failed is told by the body.
            let _ = connection.await;
        });
        let request = Request::get(target.path.as_str())
            .header("Host", target.authority.as_str())
            .header("User-Agent", "Thalweg")
            .body(Empty::<Bytes>::new())
            .map_err(|_| Error::Scheme("the URL has a character that a URL may not have"))?;
        let response = sender.send_request(request).await.map_err(|error| {
            let is_other = error.is_parse() || error.is_incomplete_message();
            let to = format!("{}:{}", target.host, target.port);
            if is_other { Error::NotHttp { to } } else { error.into() }
        })?;
        let status = response.status().as_u16();
        if status != 200 {
            let body = response.into_body().collect().await?.to_bytes();
            let body = String::from_utf8_lossy(&body).trim().chars().take(500).collect();
            connection.abort();
            return Err(Error::Http { status, body });
        }
        let demuxer = Demuxer::new(TAG_BYTES_MAX);
        Ok(Response { body: response.into_body(), demuxer, connection })
    }

    pub(crate) async fn next_frame(&mut self) -> Result<Frame, Error> {
        loop {
            if let Some(frame) = self.demuxer.poll_frame() {
                return Ok(frame);
            }
            let part = self.body.frame().await.ok_or(Error::Closed)??;
            if let Some(data) = part.data_ref() {
                self.demuxer.handle_bytes(data)?;
            }
        }
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

const TAG_BYTES_MAX: usize = 16 << 20;
