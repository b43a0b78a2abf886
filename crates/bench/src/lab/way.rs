//! How the stream crosses the path.

/// A transport and its congestion control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// RTMP-UDP, with a congestion control of the server's.
    RtmpUdp(Cc),
    /// RTMP over TCP, with one of the kernel's.
    RtmpTcp(Cc),
}

/// A congestion control.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cc {
    /// Ours; of RTMP-UDP only.
    Live,
    /// By the rate that is delivered.
    Bbr,
    /// By loss.
    Cubic,
}

impl Cc {
    /// Its name, here and in the kernel.
    pub fn name(self) -> &'static str {
        match self {
            Cc::Live => "live",
            Cc::Bbr => "bbr",
            Cc::Cubic => "cubic",
        }
    }
}

impl std::fmt::Display for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Way::RtmpUdp(cc) | Way::RtmpTcp(cc)) = self;
        let transport = if matches!(self, Way::RtmpUdp(_)) { "udp" } else { "tcp" };
        write!(f, "rtmp-{transport} {}", cc.name())
    }
}
