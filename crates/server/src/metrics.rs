//! Counts for Prometheus. What the hub knows is read when somebody asks.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder,
    text::{encode_eof, encode_registry},
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use thalweg_access::Reason;
use thalweg_hub::{Hub, Protocol, StreamSnapshot};

use crate::clock::now;
use crate::gate::Gate;
use crate::udp::Board;

mod udp;

use udp::UdpCollector;

/// All counts of one server.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    refused: Family<Refused, Counter>,
    publishes: Counter,
    plays: Family<ByProtocol, Counter>,
    protocol_errors: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    action: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByProtocol {
    protocol: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStream {
    stream: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByStreamAndKind {
    stream: String,
    kind: &'static str,
}

impl Metrics {
    /// Counts for a server; at most `streams_max` streams are named.
    pub(crate) fn new(hub: Hub, gate: Arc<Gate>, board: Board, streams_max: usize) -> Arc<Self> {
        let mut registry = Registry::with_prefix("thalweg");
        let refused = Family::default();
        let publishes = Counter::default();
        let plays = Family::default();
        let protocol_errors = Counter::default();
        registry.register("refused", "Requests refused, by action and reason", refused.clone());
        registry.register("publishes", "Publications begun", publishes.clone());
        registry.register("plays", "Plays begun, by protocol", plays.clone());
        registry.register(
            "protocol_errors",
            "Connections cut because of what the peer sent",
            protocol_errors.clone(),
        );
        registry.register_collector(Box::new(HubCollector { hub, gate, streams_max }));
        registry.register_collector(Box::new(UdpCollector::new(board, streams_max)));
        Arc::new(Metrics { registry, refused, publishes, plays, protocol_errors })
    }

    /// The text that Prometheus reads, with what others have counted.
    pub(crate) fn text(&self, more: &str) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = encode_registry(&mut out, &self.registry);
        out.push_str(more);
        let _ = encode_eof(&mut out);
        out
    }

    pub(crate) fn refused(&self, action: &'static str, reason: Reason) {
        self.refused.get_or_create(&Refused { action, reason: reason.code() }).inc();
    }

    pub(crate) fn unheard(&self, connections: u64) {
        let refused = Refused { action: "connect", reason: "unheard" };
        self.refused.get_or_create(&refused).inc_by(connections);
    }

    pub(crate) fn publish_began(&self) {
        self.publishes.inc();
    }

    pub(crate) fn play_began(&self, protocol: Protocol) {
        self.plays.get_or_create(&ByProtocol { protocol: protocol.name() }).inc();
    }

    pub(crate) fn protocol_error(&self) {
        self.protocol_errors.inc();
    }
}

#[derive(Debug)]
struct HubCollector {
    hub: Hub,
    gate: Arc<Gate>,
    streams_max: usize,
}

impl Collector for HubCollector {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let snapshot = self.hub.snapshot(now());
        let published = snapshot.streams.iter().filter(|s| s.publisher.is_some()).count();
        let kept: u64 = snapshot.streams.iter().map(|s| s.kept_bytes).sum();
        gauge(&mut out, "connections", "Connections let in", self.gate.connections() as u64)?;
        gauge(
            &mut out,
            "streams",
            "Streams, waiting ones included",
            snapshot.streams.len() as u64,
        )?;
        if let Some(resident) = resident_bytes() {
            gauge(&mut out, "resident_bytes", "Memory of this process", resident)?;
        }
        gauge(&mut out, "publishers", "Streams that are published", published as u64)?;
        gauge(&mut out, "log_bytes", "Payload bytes kept in the logs of all streams", kept)?;
        let totals = snapshot.totals;
        counter(&mut out, "received_bytes", "Payload bytes from publishers", totals.bytes_in)?;
        counter(&mut out, "jumps", "Times a viewer was late and jumped", totals.jumps)?;
        counter(&mut out, "skipped_frames", "Frames lost by jumps", totals.frames_skipped)?;
        by_protocol(&mut out, "sent_bytes", "Bytes to viewers", |p| totals.bytes_out[p as usize])?;
        viewers(&mut out, &snapshot.streams)?;
        self.by_stream(&mut out, &snapshot.streams)
    }
}

impl HubCollector {
    /// The busiest streams by name, all others as one, so that no crowd of names fills a database.
    fn by_stream(
        &self,
        out: &mut DescriptorEncoder<'_>,
        streams: &[StreamSnapshot],
    ) -> std::fmt::Result {
        // Names that somebody only waits for are anybody's invention.
        let published = streams.iter().filter(|s| s.publisher.is_some());
        let mut rows: Vec<Row> = published.map(Row::of).collect();
        rows.sort_by(|a, b| b.viewers.cmp(&a.viewers).then_with(|| a.stream.cmp(&b.stream)));
        if rows.len() > self.streams_max {
            let others = rows.split_off(self.streams_max);
            rows.push(others.iter().fold(Row::others(), Row::plus));
        }
        let columns: [Column; 3] = [
            ("stream_viewers", "Viewers of a stream", |r| r.viewers),
            ("stream_jumps", "Jumps of a stream's viewers so far", |r| r.jumps),
            ("stream_log_bytes", "Payload bytes kept of a stream", |r| r.kept),
        ];
        for (name, help, value) in columns {
            let mut family = describe(out, name, help, MetricType::Gauge)?;
            for row in &rows {
                let labels = ByStream { stream: row.stream.clone() };
                ConstGauge::new(value(row) as i64).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "Bit rate from a stream's publisher, mean of the last 6 seconds";
        let mut family = describe(out, "stream_bits_per_second", help, MetricType::Gauge)?;
        for row in &rows {
            for (kind, rate) in [("audio", row.audio), ("video", row.video)] {
                let labels = ByStreamAndKind { stream: row.stream.clone(), kind };
                ConstGauge::new(rate as i64).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// Name, help, and the value of a row.
type Column = (&'static str, &'static str, fn(&Row) -> u64);

/// A stream in the metrics.
#[derive(Debug)]
struct Row {
    stream: String,
    viewers: u64,
    jumps: u64,
    kept: u64,
    audio: u64,
    video: u64,
}

impl Row {
    fn of(s: &StreamSnapshot) -> Row {
        Row {
            stream: s.key.to_string(),
            viewers: s.viewers.iter().map(|(_, n)| n).sum(),
            jumps: s.jumps,
            kept: s.kept_bytes,
            audio: s.audio.map_or(0, |a| a.bits_per_s),
            video: s.video.map_or(0, |v| v.bits_per_s),
        }
    }

    fn others() -> Row {
        Row { stream: "other".to_owned(), viewers: 0, jumps: 0, kept: 0, audio: 0, video: 0 }
    }

    fn plus(self, more: &Row) -> Row {
        Row {
            stream: self.stream,
            viewers: self.viewers + more.viewers,
            jumps: self.jumps + more.jumps,
            kept: self.kept + more.kept,
            audio: self.audio + more.audio,
            video: self.video + more.video,
        }
    }
}

/// Memory of this process, where the system says (proc(5), `status`).
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib << 10)
}

/// Begins a metric. The library ends its own help texts with a full stop, and so do we.
fn describe<'a>(
    out: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &str,
    kind: MetricType,
) -> Result<MetricEncoder<'a>, std::fmt::Error> {
    out.encode_descriptor(name, &format!("{help}."), None, kind)
}

fn gauge(out: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> std::fmt::Result {
    let metric = ConstGauge::new(value as i64);
    metric.encode(describe(out, name, help, metric.metric_type())?)
}

fn counter(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> std::fmt::Result {
    let metric = ConstCounter::new(value);
    metric.encode(describe(out, name, help, metric.metric_type())?)
}

fn by_protocol(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: impl Fn(Protocol) -> u64,
) -> std::fmt::Result {
    let mut family = describe(out, name, help, MetricType::Counter)?;
    for protocol in Protocol::ALL {
        let labels = ByProtocol { protocol: protocol.name() };
        ConstCounter::new(value(protocol)).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn viewers(out: &mut DescriptorEncoder<'_>, streams: &[StreamSnapshot]) -> std::fmt::Result {
    let mut family = describe(out, "viewers", "Viewers, by protocol", MetricType::Gauge)?;
    for protocol in Protocol::ALL {
        let of = |s: &StreamSnapshot| s.viewers[protocol as usize].1;
        let labels = ByProtocol { protocol: protocol.name() };
        let value = streams.iter().map(of).sum::<u64>();
        ConstGauge::new(value as i64).encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
