//! Where `push` and the clock send to: TCP, or UDP in RTC mode.

use std::time::{Duration, Instant};

use thalweg_client::rtc::{self, News, Options};
use thalweg_client::{Error, Publisher, Trust};
use thalweg_wire::media::Frame;

use crate::show;

/// How a stream is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Mode {
    /// Over TCP, everything, as late as it may be.
    #[default]
    Live,
    /// Over UDP, in under 400 ms: what is too late is given up.
    Rtc,
}

/// Where to publish, and how to get there.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub(crate) url: String,
    pub(crate) mode: Mode,
    pub(crate) trust: Trust,
    pub(crate) options: Options,
}

/// A publication.
pub(crate) enum Outlet {
    Tcp(Box<Publisher>),
    Udp(Box<rtc::Publisher>),
}

impl Outlet {
    /// Connects to a push URL.
    pub(crate) async fn connect(route: &Route) -> Result<Outlet, Error> {
        let Route { url, mode, trust, options } = route;
        Ok(match mode {
            Mode::Live => Outlet::Tcp(Box::new(Publisher::connect_with(url, trust).await?)),
            Mode::Rtc => Outlet::Udp(Box::new(rtc::Publisher::connect(url, trust, options).await?)),
        })
    }

    /// Sends a frame. Over TCP this waits while the network is slower than the stream.
    pub(crate) async fn send(&mut self, frame: &Frame) -> Result<(), Error> {
        match self {
            Outlet::Tcp(publisher) => publisher.send(frame).await,
            Outlet::Udp(publisher) => {
                publisher.send(frame);
                // What can go out at once does.
                run_until(publisher, Instant::now()).await
            }
        }
    }

    /// Waits until a frame is due; whoever has to work meanwhile does.
    pub(crate) async fn rest_until(&mut self, at: Instant) -> Result<(), Error> {
        match self {
            Outlet::Tcp(_) => {
                tokio::time::sleep_until(at.into()).await;
                Ok(())
            }
            Outlet::Udp(publisher) => run_until(publisher, at).await,
        }
    }

    /// Listens until the server ends the stream, and answers how.
    pub(crate) async fn over(&mut self) -> Error {
        match self {
            Outlet::Tcp(publisher) => publisher.over().await,
            Outlet::Udp(publisher) => loop {
                match publisher.next().await {
                    Err(error) => return error,
                    Ok(news) => tell(&news),
                }
            },
        }
    }

    /// How the session fares, in RTC mode.
    pub(crate) fn status(&self) -> Option<&rtc::NetStatus> {
        match self {
            Outlet::Tcp(_) => None,
            Outlet::Udp(publisher) => Some(publisher.status()),
        }
    }

    /// Ends the stream politely.
    pub(crate) async fn close(self) -> Result<(), Error> {
        match self {
            Outlet::Tcp(publisher) => publisher.close().await,
            Outlet::Udp(publisher) => {
                publisher.close().await;
                Ok(())
            }
        }
    }
}

/// Works until a moment has come, and tells what there is to tell.
async fn run_until(publisher: &mut rtc::Publisher, at: Instant) -> Result<(), Error> {
    while let Some(news) = publisher.run_until(at).await? {
        tell(&news);
    }
    Ok(())
}

fn tell(news: &News) {
    match news {
        News::TooNarrow { kbit_per_s } => show::note(format_args!(
            "the path is narrower than the stream: {kbit_per_s} kbit/s delivered, pictures are left \
             out (code {SLOW_UPLINK})"
        )),
        News::Status(status) => show::note(&status.description),
        // What comes from a file, a pipe or the clock has its key frames where it has them.
        News::KeyWanted => {}
    }
}

/// The vendor's event: the way up is slower than the stream.
const SLOW_UPLINK: i32 = 1101;

/// Options of RTC mode that every command has.
#[derive(Debug, clap::Args)]
#[group(id = "rtc")]
pub(crate) struct Args {
    /// `live`, over TCP; or `rtc`, over UDP in under 400 ms.
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub(crate) mode: Mode,
    /// RTC mode: SHA-256 of the certificate that the server must show, 64 hexadecimal digits; `/ull` on
    /// the server's HTTP port tells it. With it nothing is tried over TCP; without it, rtmp:// is no safer over UDP than it is over TCP.
    #[arg(long, value_parser = pin, value_name = "SHA256")]
    pin: Option<[u8; 32]>,
    /// RTC mode: UDP port, where the server has another than the URL's.
    #[arg(long, value_name = "PORT")]
    udp_port: Option<u16>,
}

impl Args {
    pub(crate) fn options(&self) -> Options {
        Options { pin: self.pin, port: self.udp_port, ..Options::default() }
    }
}

fn pin(text: &str) -> Result<[u8; 32], String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect::<String>().to_lowercase();
    let bytes = data_encoding::HEXLOWER.decode(digits.as_bytes()).ok();
    bytes
        .and_then(|b| b.try_into().ok())
        .ok_or_else(|| "a SHA-256 is 64 hexadecimal digits".to_owned())
}

/// How a session fares, in a line: of frames, how many wait - to be shown, or to be sent.
pub(crate) fn line(status: &rtc::NetStatus) -> String {
    let ms = |d: Duration| format!("{:.0} ms", d.as_secs_f64() * 1000.0);
    let mut parts = Vec::new();
    if let Some(delay) = status.delay {
        parts.push(format!("delay {}", ms(delay)));
    }
    parts.push(format!("{} wait", status.v_sum_cache_size));
    parts.push(format!("jitter {} ms", status.net_jitter));
    parts.push(format!("rtt {}", ms(status.round_trip)));
    parts.push(format!("lost {}", status.lost + status.undecodable));
    parts.push(format!("repairs {}", status.repairs));
    parts.push(format!("freezes {}", status.freezes));
    if status.gated {
        parts.push("path too slow".to_owned());
    }
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::pin;

    #[test]
    fn a_pin_is_read_as_browsers_and_programs_write_it() {
        let digits = "00ff".repeat(16);
        assert_eq!(pin(&digits).unwrap()[..2], [0, 255]);
        let coloned: Vec<_> = (0..32).map(|i| if i % 2 == 0 { "00" } else { "FF" }).collect();
        assert_eq!(pin(&coloned.join(":")), pin(&digits));
        for bad in ["", "00", "zz", &"+f".repeat(32), &"0".repeat(63), &"é".repeat(32)] {
            assert!(pin(bad).is_err(), "{bad}");
        }
    }
}
