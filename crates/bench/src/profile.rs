//! The shape of a load: a file of a few lines, or one of those that come with the program.

use serde::Deserialize;

/// A load.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// A sentence for people.
    pub about: String,
    /// Streams, each with a publisher. Default 1.
    #[serde(default = "one")]
    pub streams: usize,
    /// Viewers of each stream.
    pub viewers: usize,
    /// How they watch: one case for each. Default RTMP and HTTP-FLV.
    #[serde(default = "both")]
    pub protocols: Vec<Protocol>,
    /// Rate of a stream, kbit/s. Default 500, the least is 200.
    #[serde(default = "usual_rate")]
    pub kbps: u32,
    /// Viewers that come in a second. Default 500.
    #[serde(default = "usual_ramp")]
    pub ramp_per_s: u32,
    /// Seconds between the last viewer and the measurement. Default 3.
    #[serde(default = "usual_warm")]
    pub warm_s: u64,
    /// Seconds of the measurement. Default 10.
    #[serde(default = "usual_duration")]
    pub duration_s: u64,
    /// Viewers that read at once and check every byte; the others read once a tick. Default 10.
    #[serde(default = "usual_probes")]
    pub probes: usize,
    /// Ms between two reads of an ordinary viewer. Default 10. Less costs the generator more.
    #[serde(default = "usual_tick")]
    pub tick_ms: u64,
    /// Viewers of all that stop reading once the stream has begun. Default 0.
    #[serde(default)]
    pub stalled: usize,
    /// Viewers of all that read at half the stream's rate. Default 0.
    #[serde(default)]
    pub half_rate: usize,
    /// Viewers that come all at once in the middle of the measurement. Default 0.
    #[serde(default)]
    pub join_storm: usize,
    /// Publishers that come and go during the measurement, each for about a second. Default 0.
    #[serde(default)]
    pub publish_storm: usize,
}

/// How a viewer watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// RTMP.
    Rtmp,
    /// FLV over HTTP.
    HttpFlv,
    /// FLV over WebSocket.
    WsFlv,
    /// RTMP over TLS.
    Rtmps,
    /// FLV over HTTPS.
    HttpsFlv,
}

impl Protocol {
    /// All of them.
    pub const ALL: [Protocol; 5] =
        [Protocol::Rtmp, Protocol::HttpFlv, Protocol::WsFlv, Protocol::Rtmps, Protocol::HttpsFlv];

    /// As the profile writes it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Rtmp => "rtmp",
            Protocol::HttpFlv => "http-flv",
            Protocol::WsFlv => "ws-flv",
            Protocol::Rtmps => "rtmps",
            Protocol::HttpsFlv => "https-flv",
        }
    }

    /// Whether it is spoken inside of TLS.
    pub fn is_secure(self) -> bool {
        matches!(self, Protocol::Rtmps | Protocol::HttpsFlv)
    }
}

/// What is wrong with a profile.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not TOML, an unknown key, or a value of the wrong kind. The text shows the line.
    #[error("{0}")]
    Syntax(String),
    /// A number that makes no sense.
    #[error("{0}")]
    Value(&'static str),
}

impl Profile {
    /// Those that come with the program: name and text.
    pub const KNOWN: [(&'static str, &'static str); 9] = [
        ("fan-out-small", include_str!("../../../bench/profiles/fan-out-small.toml")),
        ("fan-out-large", include_str!("../../../bench/profiles/fan-out-large.toml")),
        ("fan-out-heavy", include_str!("../../../bench/profiles/fan-out-heavy.toml")),
        ("many-streams", include_str!("../../../bench/profiles/many-streams.toml")),
        ("many-publishers", include_str!("../../../bench/profiles/many-publishers.toml")),
        ("doors", include_str!("../../../bench/profiles/doors.toml")),
        ("join-storm", include_str!("../../../bench/profiles/join-storm.toml")),
        ("slow-viewers", include_str!("../../../bench/profiles/slow-viewers.toml")),
        ("publish-storm", include_str!("../../../bench/profiles/publish-storm.toml")),
    ];

    /// Reads the text of a profile.
    ///
    /// # Errors
    /// [`Error`].
    pub fn parse(text: &str) -> Result<Profile, Error> {
        let profile: Profile =
            toml::from_str(text).map_err(|e| Error::Syntax(e.to_string().trim_end().to_owned()))?;
        profile.check()?;
        Ok(profile)
    }

    /// Whether the numbers make sense together.
    ///
    /// # Errors
    /// [`Error::Value`].
    pub fn check(&self) -> Result<(), Error> {
        let all = self.all();
        for (is_wrong, words) in [
            (self.streams == 0 || self.viewers == 0, "streams and viewers: at least one"),
            (all > VIEWERS_MAX, "streams x viewers: at most 60 000, the ports of one address"),
            (self.protocols.is_empty(), "protocols: rtmp, http-flv or both"),
            (!(RATE_MIN..=RATE_MAX).contains(&self.kbps), "kbps: 200 to 50000"),
            (self.ramp_per_s == 0, "ramp_per_s: at least one"),
            (!(1..=3600).contains(&self.duration_s), "duration_s: 1 to 3600"),
            (
                self.probes + self.stalled + self.half_rate > all,
                "more special viewers than viewers",
            ),
            (self.tick_ms > 1000, "tick_ms: 0 to 1000"),
        ] {
            if is_wrong {
                return Err(Error::Value(words));
            }
        }
        Ok(())
    }

    /// Viewers of all streams.
    pub fn all(&self) -> usize {
        self.streams * self.viewers
    }
}

fn one() -> usize {
    1
}

fn both() -> Vec<Protocol> {
    vec![Protocol::Rtmp, Protocol::HttpFlv]
}

fn usual_rate() -> u32 {
    500
}

fn usual_ramp() -> u32 {
    500
}

fn usual_warm() -> u64 {
    3
}

fn usual_duration() -> u64 {
    10
}

fn usual_probes() -> usize {
    10
}

fn usual_tick() -> u64 {
    10
}

const VIEWERS_MAX: usize = 60_000;
/// The clock alone has 160.
const RATE_MIN: u32 = 200;
const RATE_MAX: u32 = 50_000;

#[cfg(test)]
mod tests {
    use super::Profile;

    #[test]
    fn all_that_come_with_the_program_can_be_read() {
        for (name, text) in Profile::KNOWN {
            if let Err(error) = Profile::parse(text) {
                panic!("{name}: {error}");
            }
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for (text, words) in [
            ("about = \"\"\nviewers = 0", "at least one"),
            ("about = \"\"\nviewers = 5", "more special viewers"),
            ("about = \"\"\nviewers = 50\nviewer = 3", "unknown field"),
            ("about = \"\"\nviewers = 50\nkbps = 100", "kbps"),
        ] {
            let error = Profile::parse(text).err().map(|e| e.to_string()).unwrap_or_default();
            assert!(error.contains(words), "{error}");
        }
    }
}
