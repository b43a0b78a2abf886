//! Viewers over UDP, one by one: there are ten a stream at most.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use thalweg_wire::rtmp_udp::Reset;

use super::{ByStream, counter, describe};
use crate::udp::{Board, Row};

/// Counts of RTMP over UDP.
#[derive(Debug)]
pub(super) struct UdpCollector {
    board: Board,
    sessions_max: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BySession {
    stream: String,
    session: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCause {
    cause: &'static str,
}

/// Name, help, and the value of a session.
type Column = (&'static str, &'static str, fn(&Row) -> u64);

const COLUMNS: [Column; 7] = [
    ("udp_session_delay_ms", "From ingest to the screen, as the viewer says, ms", |r| {
        r.delay_ms.load(Relaxed)
    }),
    ("udp_session_buffer_ms", "What lies in the viewer's jitter buffer, ms", |r| {
        r.buffer_ms.load(Relaxed)
    }),
    ("udp_session_freezes", "Times the viewer's picture stood still", |r| r.freezes.load(Relaxed)),
    ("udp_session_srtt_us", "Smoothed round trip, microseconds", |r| r.srtt_us.load(Relaxed)),
    ("udp_session_packets_lost", "Packets lost on the way to the viewer", |r| {
        r.packets_lost.load(Relaxed)
    }),
    ("udp_session_packets_sent", "Packets sent to the viewer", |r| r.packets_sent.load(Relaxed)),
    ("udp_session_gated_ms", "How long pictures were held back until a key frame, ms", |r| {
        r.gated_ms.load(Relaxed)
    }),
];

impl UdpCollector {
    /// Names at most so many sessions, and so many streams.
    pub(super) fn new(board: Board, sessions_max: usize) -> Self {
        UdpCollector { board, sessions_max }
    }
}

impl Collector for UdpCollector {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (rows, totals) = self.board.read();
        let (sent, lost) = (totals.packets_sent, totals.packets_lost);
        counter(&mut out, "udp_packets_sent", "Packets to viewers over UDP", sent)?;
        counter(&mut out, "udp_packets_lost", "Of these, lost", lost)?;
        let help = "Time that pictures were held back until a key frame, ms, over all viewers";
        counter(&mut out, "udp_gated_ms", help, totals.gated_ms)?;
        let help = "Frames given up, by cause";
        let mut family = describe(&mut out, "udp_frames_dropped", help, MetricType::Counter)?;
        for reset in Reset::ALL {
            let labels = ByCause { cause: reset.name() };
            let value = totals.resets[reset.index()];
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        self.by_session(&mut out, &rows)?;
        self.by_stream(&mut out, &rows)
    }
}

impl UdpCollector {
    fn by_session(
        &self,
        out: &mut DescriptorEncoder<'_>,
        rows: &[(u64, Arc<Row>)],
    ) -> std::fmt::Result {
        for (name, help, value) in COLUMNS {
            let mut family = describe(out, name, help, MetricType::Gauge)?;
            for (session, row) in rows.iter().take(self.sessions_max) {
                let labels = BySession { stream: row.stream.clone(), session: *session };
                ConstGauge::new(value(row) as i64).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl UdpCollector {
    /// How many viewers a stream has and may have.
    fn by_stream(
        &self,
        out: &mut DescriptorEncoder<'_>,
        rows: &[(u64, Arc<Row>)],
    ) -> std::fmt::Result {
        let mut streams: BTreeMap<&str, (u32, i64)> = BTreeMap::new();
        // In the order of their age: the newest cap stands.
        for (_, row) in rows {
            let (max, viewers) = streams.entry(&row.stream).or_default();
            (*max, *viewers) = (row.viewers_max, *viewers + 1);
        }
        let named = || streams.iter().take(self.sessions_max);
        let labels = |stream: &str| ByStream { stream: stream.to_owned() };
        let help = "Viewers of a stream over UDP";
        let mut family = describe(out, "udp_stream_viewers", help, MetricType::Gauge)?;
        for (stream, (_, viewers)) in named() {
            ConstGauge::new(*viewers).encode(family.encode_family(&labels(stream))?)?;
        }
        let help = "Viewers that a stream may have over UDP";
        let mut family = describe(out, "udp_stream_viewers_max", help, MetricType::Gauge)?;
        for (stream, (max, _)) in named() {
            ConstGauge::new(i64::from(*max)).encode(family.encode_family(&labels(stream))?)?;
        }
        Ok(())
    }
}
