//! Asking an account's own back end whether somebody may publish or watch.
//!
//! This crate only says when to ask, and waits. Who asks, and how, is given to the server by
//! [`Server::with_remote`](crate::Server::with_remote).

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use thalweg_access::{Action, Reason};

/// Asks a back end.
pub trait RemoteAuth: fmt::Debug + Send + Sync {
    /// Asks; the answer is a reason when it is no. It comes in bounded time, however the back end
    /// fares: a peer waits for it. The future is dropped when the peer leaves, and with it all that
    /// was begun.
    fn ask(
        &self,
        question: Question,
    ) -> Pin<Box<dyn Future<Output = Result<(), Reason>> + Send + 'static>>;
}

/// What is asked. Everything here has allowed it already.
#[derive(Clone, PartialEq, Eq)]
pub struct Question {
    /// To publish or to watch.
    pub action: Action,
    /// The account whose back end is asked.
    pub account: Arc<str>,
    /// App of the URL.
    pub app: Arc<str>,
    /// Stream name of the URL.
    pub stream: Arc<str>,
    /// The URL's parameters, whole, as they were sent. They hold secrets.
    pub query: Arc<str>,
    /// Who asks.
    pub peer: IpAddr,
    /// How it came: `rtmp`, `http-flv`, `ws-flv` or `rtmp-udp`.
    pub protocol: &'static str,
}

/// Queries stay out of logs.
impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Question { action, account, app, stream, query: _, peer, protocol } = self;
        f.debug_struct("Question")
            .field("action", action)
            .field("stream", &format_args!("{account}/{app}/{stream}"))
            .field("peer", peer)
            .field("protocol", protocol)
            .finish_non_exhaustive()
    }
}
