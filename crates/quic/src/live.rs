//! Congestion control "live" as quinn wants it. The arithmetic is `wire`'s.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use quinn::congestion::{Controller, ControllerFactory};
use quinn_proto::RttEstimator;
use thalweg_wire::rtmp_udp::congestion::Live;

/// Makes a controller for each connection.
#[derive(Debug, Default)]
pub(crate) struct Factory;

#[derive(Debug, Clone)]
struct Adapter {
    live: Live,
    /// The bit rate that `live` has been told.
    told: u64,
    shared: Arc<Shared>,
}

/// What passes between a controller, which quinn owns, and whoever knows the stream.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    bits_per_s: AtomicU64,
    min_rtt_us: AtomicU64,
}

impl Shared {
    /// The values of a connection whose controller is this one.
    pub(crate) fn of(connection: &quinn::Connection) -> Option<Arc<Shared>> {
        let adapter = connection.congestion_state().into_any().downcast::<Adapter>().ok()?;
        Some(adapter.shared)
    }

    /// What the stream brings.
    pub(crate) fn set_bitrate(&self, bits_per_s: u64) {
        self.bits_per_s.store(bits_per_s, Relaxed);
    }

    /// Least round trip of the last 10 s; zero while nothing is known.
    pub(crate) fn min_rtt(&self) -> Duration {
        Duration::from_micros(self.min_rtt_us.load(Relaxed))
    }
}

impl ControllerFactory for Factory {
    fn build(self: Arc<Self>, _now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let (live, shared) = (Live::new(current_mtu), Arc::default());
        Box::new(Adapter { live, told: 0, shared })
    }
}

impl Controller for Adapter {
    fn on_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        rtt: &RttEstimator,
    ) {
        let bits_per_s = self.shared.bits_per_s.load(Relaxed);
        if bits_per_s != self.told {
            self.told = bits_per_s;
            self.live.set_bitrate(bits_per_s);
        }
        self.live.handle_ack(now, sent, bytes, app_limited, rtt.get());
    }

    fn on_end_acks(
        &mut self,
        now: Instant,
        _in_flight: u64,
        _app_limited: bool,
        _largest_packet_num_acked: Option<u64>,
    ) {
        self.live.handle_acks_end(now);
        self.shared.min_rtt_us.store(self.live.min_rtt().as_micros() as u64, Relaxed);
    }

    fn on_congestion_event(
        &mut self,
        now: Instant,
        _sent: Instant,
        is_persistent_congestion: bool,
        lost_bytes: u64,
    ) {
        self.live.handle_loss(now, lost_bytes, is_persistent_congestion);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.live.set_mtu(new_mtu);
    }

    fn window(&self) -> u64 {
        self.live.window()
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.live.initial()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
