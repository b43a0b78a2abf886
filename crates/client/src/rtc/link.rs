//! A connection and its control stream, as both player and publisher need them.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use thalweg_quic::connect::{Client, Via, connect};
use thalweg_quic::{Congestion, Control, Lost, Session as Connection, Verify, sleep_until};
use thalweg_wire::rtmp::Address;
use thalweg_wire::rtmp::client::Purpose;
use thalweg_wire::rtmp_udp::client::{Event, Output, Session, Wishes};
use thalweg_wire::rtmp_udp::clock::Clock;
use thalweg_wire::rtmp_udp::control::Message;

use crate::error::Error;
use crate::target::{RtmpTarget, Target};
use crate::transport::Trust;

/// How to go to a server.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// SHA-256 of the certificate that the server must show. It is then never taken without.
    pub pin: Option<[u8; 32]>,
    /// How a viewer is to be served.
    pub wishes: Wishes,
    /// How a publisher decides how much may be in flight.
    pub congestion: Congestion,
    /// Plain QUIC, or WebTransport as a browser.
    pub via: Via,
    /// UDP port, where it is not the URL's.
    pub port: Option<u16>,
}

/// A connection and its control stream. Every call may be cancelled and loses nothing.
#[derive(Debug)]
pub(super) struct Link {
    /// Holds the socket.
    client: Client,
    control: Control,
    pub(super) talk: Session,
    pub(super) clock: Clock,
}

/// A server that has been reached, and what is to be asked of it.
#[derive(Debug)]
pub(super) struct Dialed {
    client: Client,
    address: Address,
}

impl Link {
    /// Connects, up to the end of the handshake.
    pub(super) async fn dial(url: &str, trust: &Trust, options: &Options) -> Result<Dialed, Error> {
        let Target::Rtmp(RtmpTarget { address, secure }) = Target::parse(url)? else {
            return Err(Error::Scheme("a URL of RTC mode begins with rtmp:// or rtmps://"));
        };
        let verify = match options.pin {
            Some(pin) => Verify::Pin(pin),
            None if secure || options.via == Via::WebTransport => {
                Verify::Authorities(trust.roots())
            }
            None => Verify::Nobody,
        };
        let (host, port) = (address.host.clone(), options.port.unwrap_or(address.port));
        let addresses: Vec<_> = tokio::net::lookup_host((host.as_str(), port))
            .await
            .map_err(|error| Error::Resolve { host: host.clone(), error })?
            .collect();
        let to = format!("{host}:{port}");
        let client = connect(&host, &addresses, options.via, &verify, options.congestion)
            .await
            .map_err(|lost| of_handshake(to, lost))?;
        Ok(Dialed { client, address })
    }

    /// Asks; answers when the server has said yes.
    pub(super) async fn ask(
        dialed: Dialed,
        purpose: Purpose,
        options: &Options,
    ) -> Result<Link, Error> {
        let Dialed { client, address } = dialed;
        let control = Control::open(&client.session).await?;
        let now = Instant::now();
        let talk = Session::new(purpose, &address, &options.wishes, now);
        let mut link = Link { client, control, talk, clock: Clock::new(now) };
        link.wait_for_yes().await?;
        Ok(link)
    }

    async fn wait_for_yes(&mut self) -> Result<(), Error> {
        loop {
            match self.next_event().await? {
                Event::Started => return Ok(()),
                Event::Refused(status) => return Err(Error::Refused(status)),
                Event::Ended(status) => return Err(Error::Ended(status)),
                // Nothing else means anything before that.
                _ => {}
            }
        }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.client.session
    }

    /// The next thing the server says. Everything we have to say goes out first, and our questions
    /// about its clock are asked.
    pub(super) async fn next_event(&mut self) -> Result<Event, Error> {
        loop {
            if self.talk.is_running()
                && let Some(id) = self.clock.poll_question(Instant::now())
            {
                self.talk.ask_clock(id, unix_us());
            }
            let deadline = match self.talk.poll_output() {
                Output::Transmit(bytes) => {
                    if !self.control.push(&bytes) {
                        return Err(Error::NoAnswer);
                    }
                    continue;
                }
                Output::Event(Event::Clock(response)) => {
                    self.clock.handle_response(response, unix_us(), Instant::now());
                    continue;
                }
                Output::Event(Event::ClockRequest { id, asked_us }) => {
                    self.talk.answer_clock(id, asked_us, unix_us());
                    continue;
                }
                Output::Event(event) => return Ok(event),
                Output::Timeout(at) => at,
            };
            let clock_at = self.talk.is_running().then(|| self.clock.poll_timeout());
            tokio::select! {
                bytes = self.control.exchange() => match bytes? {
                    Some(bytes) => self.talk.handle_bytes(&bytes)?,
                    // It has said its last: what that was comes with the close.
                    None => return Err(self.connection().closed().await.into()),
                },
                () = sleep_until(deadline) => {
                    self.talk.handle_timeout(Instant::now()).map_err(|_| Error::NoAnswer)?;
                }
                () = sleep_until(clock_at) => {}
            }
        }
    }

    /// Says a message of feedback or configuration. It goes out with the next event waited for.
    pub(super) fn say(&mut self, message: &Message) {
        self.talk.say(message);
    }

    /// Ends it politely.
    pub(super) async fn close(mut self) {
        self.talk.close();
        while let Output::Transmit(bytes) = self.talk.poll_output() {
            if !self.control.push(&bytes) {
                break;
            }
        }
        let Link { control, client, .. } = self;
        control.finish().await;
        client.session.close(thalweg_wire::rtmp_udp::Close::None, "").await;
        let _ = tokio::time::timeout(CLOSING, client.endpoint.wait_idle()).await;
    }
}

fn of_handshake(to: String, lost: Lost) -> Error {
    let error = |words: String| std::io::Error::other(words);
    match lost {
        Lost::Tls(words) if words.contains(PIN_FAULT) => {
            let words = "its certificate is not the one of the pin: /ull on its HTTP port tells \
                         the pins of the one it shows and of the next";
            Error::Tls { to, error: error(words.to_owned()) }
        }
        Lost::Tls(words) => Error::Tls { to, error: error(words) },
        Lost::TimedOut => Error::UdpSilent { to },
        lost => Error::Connect { to: format!("{to} over UDP"), error: error(lost.to_string()) },
    }
}

/// Our clock: UNIX time, microseconds.
pub(super) fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_micros() as u64
}

/// How the TLS library words that a certificate is not the one expected.
const PIN_FAULT: &str = "ApplicationVerificationFailure";
/// How long the last of it may take to be sent.
const CLOSING: Duration = Duration::from_millis(200);
