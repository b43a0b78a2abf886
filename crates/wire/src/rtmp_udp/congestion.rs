//! The arithmetic of congestion control "live" (section 10).
//!
//! A live stream sends what the encoder makes and no more, so this does not look for the most the path
//! can carry: it looks for a queue. While round trips stay near their least, the window grows to a cap
//! that is a few times what the stream needs; when they grow, a queue is building, and the window becomes
//! what the path has just carried away, so that sound does not wait long behind pictures. A queue that
//! stays although we have made room is filled by others, who take all that is left to them: beside them
//! the window is what the stream needs at such round trips, and gives way to loss.
//! Loss alone means little on a radio link, and is heeded only when it is heavy, or comes together with
//! a queue. Loss-based controllers starve at one lost packet in a hundred.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How much may be in flight.
#[derive(Debug, Clone)]
pub struct Live {
    mtu: u64,
    window: u64,
    /// What the stream brings, bytes a second; 0 while nobody knows.
    rate: u64,
    rtts: MinRtt,
    latest: Latest,
    srtt: Duration,
    recent: Recent,
    delivered: Delivered,
    /// Acknowledged in this acknowledgement, while there was more to send.
    to_grow: u64,
    /// When there last was a queue.
    drained_at: Option<Instant>,
    /// Since when the queue has been long without a break.
    queued_since: Option<Instant>,
    shared: Option<Shared>,
    shrunk_at: Option<Instant>,
    loss_seen_at: Option<Instant>,
}

/// Others keep the queue full.
#[derive(Debug, Clone)]
struct Shared {
    since: Instant,
    grown_at: Instant,
    /// The least round trip before they came: nobody sees it again while they are there.
    least: Duration,
}

/// Bytes acknowledged and lost, the older worth less.
#[derive(Debug, Clone, Default)]
struct Recent {
    acked: u64,
    lost: u64,
    halved_at: Option<Instant>,
}

impl Live {
    /// A controller for a path of this MTU, of which nothing is known.
    pub fn new(mtu: u16) -> Self {
        let mtu = u64::from(mtu);
        let rtts = MinRtt::default();
        let mut live = Live {
            mtu,
            window: 0,
            rate: 0,
            rtts,
            latest: Latest::default(),
            srtt: INITIAL_RTT,
            recent: Recent::default(),
            delivered: Delivered::default(),
            to_grow: 0,
            drained_at: None,
            queued_since: None,
            shared: None,
            shrunk_at: None,
            loss_seen_at: None,
        };
        live.window = live.initial();
        live
    }

    /// Bytes that may be in flight.
    pub fn window(&self) -> u64 {
        self.window
    }

    /// The window to begin with.
    pub fn initial(&self) -> u64 {
        (INITIAL_PACKETS * self.mtu).min(self.cap())
    }

    /// Least round trip of the last 10 s.
    pub fn min_rtt(&self) -> Duration {
        self.rtts.least().unwrap_or(self.srtt)
    }

    /// What the stream brings, bits a second.
    pub fn set_bitrate(&mut self, bits_per_s: u64) {
        self.rate = bits_per_s / 8;
        self.clamp();
    }

    /// The path takes packets of this length.
    pub fn set_mtu(&mut self, mtu: u16) {
        self.mtu = u64::from(mtu);
        self.clamp();
    }

    /// Bytes were acknowledged that were sent at `sent`. `app_limited`: there was nothing more to send.
    pub fn handle_ack(
        &mut self,
        now: Instant,
        sent: Instant,
        bytes: u64,
        app_limited: bool,
        srtt: Duration,
    ) {
        self.srtt = srtt;
        let rtt = now.saturating_duration_since(sent);
        self.rtts.add(now, rtt);
        self.latest.add(now, rtt);
        self.recent.fade(now);
        self.recent.acked += bytes;
        self.delivered.add(now, bytes);
        self.to_grow += if app_limited { 0 } else { bytes };
    }

    /// That was all of one acknowledgement. Only now is it known how long the path took: what was
    /// acknowledged before, in one that was lost, is in it again and looks late.
    pub fn handle_acks_end(&mut self, now: Instant) {
        let grown = std::mem::take(&mut self.to_grow);
        let queue = self.queue();
        self.look_for_others(now, queue);
        if self.shared.is_some() {
            self.hold(now);
        } else if queue > QUEUE_LONG {
            self.drain(now);
        } else if queue < QUEUE_SHORT {
            self.window += grown;
        }
        if self.drained_at.is_some_and(|at| now.saturating_duration_since(at) > DRAINED) {
            self.drained_at = None;
        }
        self.clamp();
    }

    /// Bytes were lost.
    pub fn handle_loss(&mut self, now: Instant, bytes: u64, is_persistent: bool) {
        self.recent.fade(now);
        self.recent.lost += bytes;
        if is_persistent {
            // With a few packets in flight only probes would be sent, twice as seldom each time, and a
            // burst of loss would last for seconds.
            self.window /= 2;
            self.clamp();
            return;
        }
        if self.loss_seen_at.is_some_and(|at| now.saturating_duration_since(at) < self.srtt) {
            return;
        }
        self.loss_seen_at = Some(now);
        let percent = self.recent.lost_percent();
        let is_queue = self.queue() > QUEUE_WITH_LOSS;
        if percent > LOSS_HEAVY_PERCENT || percent > LOSS_LIGHT_PERCENT && is_queue {
            self.shrink(now, LOSS_FACTOR);
        }
        self.clamp();
    }

    /// How long packets wait on the way.
    fn queue(&self) -> Duration {
        let least = self.shared.as_ref().map_or(Duration::MAX, |shared| shared.least);
        let latest = self.latest.least().unwrap_or(self.srtt);
        latest.saturating_sub(least.min(self.min_rtt()))
    }

    /// A queue of ours runs down within a second, because [`drain`](Self::drain) leaves next to nothing in
    /// it. One that does not is filled by others, or the path has become longer; that is over when the
    /// queue is short. It is looked into again after a while, and soon where the stream gets less than half
    /// of what it needs: the others may have gone, and the queue be ours.
    fn look_for_others(&mut self, now: Instant, queue: Duration) {
        if queue <= QUEUE_LONG {
            self.queued_since = None;
        }
        match &self.shared {
            None if queue > QUEUE_LONG => {
                let since = *self.queued_since.get_or_insert(now);
                let patience = STANDING.max(self.srtt * STANDING_ROUND_TRIPS);
                if self.rate > 0 && now.saturating_duration_since(since) >= patience {
                    let least = self.min_rtt();
                    self.shared = Some(Shared { since: now, grown_at: now, least });
                    self.window = self.window.max(self.needed_beside_others());
                }
            }
            None => {}
            Some(_) if queue < QUEUE_SHORT => self.shared = None,
            Some(shared) => {
                let age = now.saturating_duration_since(shared.since);
                let is_starved = self.window < self.needed_beside_others() / 2;
                if age >= SHARED_MAX || is_starved && age >= SHARED_MIN {
                    self.shared = None;
                    self.queued_since = None;
                }
            }
        }
    }

    /// What loss has taken is won back at a packet a round trip, up to what the stream needs.
    fn hold(&mut self, now: Instant) {
        let needed = self.needed_beside_others();
        let Some(shared) = &mut self.shared else { return };
        if now.saturating_duration_since(shared.grown_at) >= self.srtt {
            shared.grown_at = now;
            self.window = (self.window + self.mtu).min(needed);
        }
    }

    /// The stream for a round trip as it is now, and a quarter of it for key frames.
    fn needed_beside_others(&self) -> u64 {
        let bytes = self.rate.saturating_mul(self.srtt.as_micros() as u64) / 1_000_000;
        bytes.saturating_mul(5) / 4
    }

    /// Lets the queue run down: in flight stays what the path carries in its least round trip, and a
    /// short queue. Once a round trip at most.
    fn drain(&mut self, now: Instant) {
        let time = self.min_rtt() + QUEUE_KEPT;
        let carried = self.delivered.bytes_in(time);
        let least = self.window / QUEUE_FACTOR_LEAST;
        self.drained_at = Some(now);
        if self.is_time(now) {
            self.window = self.window.min(carried.max(least));
        }
    }

    fn shrink(&mut self, now: Instant, factor: (u64, u64)) {
        if self.is_time(now) {
            self.window = self.window / factor.1 * factor.0;
        }
    }

    /// Whether a round trip has passed since the window last became smaller; beside others, more.
    fn is_time(&mut self, now: Instant) -> bool {
        let pause = if self.shared.is_some() { SHARED_PAUSE.max(self.srtt) } else { self.srtt };
        let is_time = self.shrunk_at.is_none_or(|at| now.saturating_duration_since(at) >= pause);
        if is_time {
            self.shrunk_at = Some(now);
        }
        is_time
    }

    fn clamp(&mut self) {
        self.window = self.window.clamp(self.floor(), self.cap());
    }

    /// Some times what the stream needs on this path; a good deal while nobody knows that.
    fn cap(&self) -> u64 {
        if self.rate == 0 {
            return CAP_BYTES_UNKNOWN;
        }
        let rtt_us = self.srtt.max(CAP_RTT_MIN).as_micros() as u64;
        let needed = self.rate.saturating_mul(rtt_us) / 1_000_000;
        (needed.saturating_mul(5) / 2 + CAP_BYTES_MORE).min(CAP_BYTES_MAX)
    }

    /// Some time of the stream, within bounds: less where a queue shows that the path is narrow, because
    /// what is lost by chance must not starve it.
    fn floor(&self) -> u64 {
        let part = if self.drained_at.is_some() { FLOOR_PART_NARROW } else { FLOOR_PART };
        let floor = self.rate / part;
        floor.clamp(FLOOR_PACKETS_MIN * self.mtu, FLOOR_PACKETS_MAX * self.mtu).min(self.cap())
    }
}

impl Recent {
    fn fade(&mut self, now: Instant) {
        let halved_at = self.halved_at.get_or_insert(now);
        while now.saturating_duration_since(*halved_at) >= FADE {
            *halved_at += FADE;
            self.acked /= 2;
            self.lost /= 2;
            if self.acked == 0 && self.lost == 0 {
                *halved_at = now;
            }
        }
    }

    fn lost_percent(&self) -> u64 {
        (100 * self.lost).checked_div(self.acked + self.lost).unwrap_or_default()
    }
}

/// Bytes acknowledged in the last tenth of a second, in buckets.
#[derive(Debug, Clone, Default)]
struct Delivered {
    /// When each bucket began, and its bytes; oldest first.
    buckets: VecDeque<(Instant, u64)>,
}

impl Delivered {
    fn add(&mut self, now: Instant, bytes: u64) {
        match self.buckets.back_mut() {
            Some((at, sum)) if now.saturating_duration_since(*at) < DELIVERED_BUCKET => {
                *sum += bytes;
            }
            _ => self.buckets.push_back((now, bytes)),
        }
        let is_old = |at: Instant| now.saturating_duration_since(at) >= DELIVERED_SPAN;
        while self.buckets.front().is_some_and(|(at, _)| is_old(*at)) {
            self.buckets.pop_front();
        }
    }

    /// What is carried in so long a time, at the rate of late.
    fn bytes_in(&self, time: Duration) -> u64 {
        let sum: u64 = self.buckets.iter().map(|(_, bytes)| bytes).sum();
        let bytes = sum as f64 * time.as_secs_f64() / DELIVERED_SPAN.as_secs_f64();
        bytes as u64
    }
}

/// The least round trip of this moment: one that took longer may have been unlucky.
#[derive(Debug, Clone, Default)]
struct Latest {
    /// When the moment began, and its least.
    moment: Option<(Instant, Duration)>,
}

impl Latest {
    fn add(&mut self, now: Instant, rtt: Duration) {
        match &mut self.moment {
            Some((at, least)) if now.saturating_duration_since(*at) < MOMENT => {
                *least = rtt.min(*least);
            }
            moment => *moment = Some((now, rtt)),
        }
    }

    fn least(&self) -> Option<Duration> {
        self.moment.map(|(_, rtt)| rtt)
    }
}

/// The least round trip of late, in buckets.
#[derive(Debug, Clone, Default)]
struct MinRtt {
    /// When each bucket began, and its least; oldest first.
    buckets: VecDeque<(Instant, Duration)>,
}

impl MinRtt {
    fn add(&mut self, now: Instant, rtt: Duration) {
        let fresh = |at: Instant| now.saturating_duration_since(at);
        match self.buckets.back_mut() {
            Some((at, least)) if fresh(*at) < BUCKET => *least = rtt.min(*least),
            _ => self.buckets.push_back((now, rtt)),
        }
        while self.buckets.len() > 1
            && self.buckets.front().is_some_and(|(at, _)| fresh(*at) >= SPAN)
        {
            self.buckets.pop_front();
        }
    }

    fn least(&self) -> Option<Duration> {
        self.buckets.iter().map(|(_, rtt)| *rtt).min()
    }
}

const INITIAL_RTT: Duration = Duration::from_millis(100);
/// A key frame of 60 KB and what else comes meanwhile, at once.
const INITIAL_PACKETS: u64 = 80;
/// 100 ms of the stream.
const FLOOR_PART: u64 = 10;
/// 40 ms of the stream.
const FLOOR_PART_NARROW: u64 = 25;
/// A path counts as narrow for so long after its last queue.
const DRAINED: Duration = Duration::from_secs(1);
const FLOOR_PACKETS_MIN: u64 = 8;
const FLOOR_PACKETS_MAX: u64 = 24;
const CAP_RTT_MIN: Duration = Duration::from_millis(100);
/// A key frame beside the stream.
const CAP_BYTES_MORE: u64 = 64 << 10;
const CAP_BYTES_MAX: u64 = 4 << 20;
/// As if the stream had 2.5 Mbit/s.
const CAP_BYTES_UNKNOWN: u64 = 144 << 10;
/// A queue this long is ours to drain.
const QUEUE_LONG: Duration = Duration::from_millis(80);
/// A queue that stays long for this time, and for some round trips, is not ours.
const STANDING: Duration = Duration::from_secs(1);
const STANDING_ROUND_TRIPS: u32 = 4;
/// So long the others are believed in, when they starve the stream and when they do not. A path that has
/// become longer, and not fuller, is known by then.
const SHARED_MIN: Duration = Duration::from_secs(4);
const SHARED_MAX: Duration = Duration::from_secs(30);
/// Beside others one loss is all that their queue has spilled: it counts once.
const SHARED_PAUSE: Duration = Duration::from_secs(1);
/// With less than this there is room to grow.
const QUEUE_SHORT: Duration = Duration::from_millis(40);
const QUEUE_WITH_LOSS: Duration = Duration::from_millis(60);
const LOSS_HEAVY_PERCENT: u64 = 35;
const LOSS_LIGHT_PERCENT: u64 = 2;
/// A queue that may stay: it keeps the path busy.
const QUEUE_KEPT: Duration = Duration::from_millis(50);
/// The window does not become less than this part of itself at once: one look may deceive.
const QUEUE_FACTOR_LEAST: u64 = 3;
const DELIVERED_SPAN: Duration = Duration::from_millis(100);
const DELIVERED_BUCKET: Duration = Duration::from_millis(10);
const LOSS_FACTOR: (u64, u64) = (8, 10);
const FADE: Duration = Duration::from_millis(500);
/// The least round trip is that of the last 10 s.
const SPAN: Duration = Duration::from_secs(10);
const MOMENT: Duration = Duration::from_millis(20);
const BUCKET: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    const MTU: u64 = 1200;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    /// Acknowledges `bytes` that were on their way for `rtt`.
    fn ack(live: &mut Live, now: Instant, bytes: u64, rtt: Duration) {
        live.handle_ack(now, now - rtt, bytes, false, rtt);
        live.handle_acks_end(now);
    }

    fn of_two_mbit() -> (Live, Instant) {
        let mut live = Live::new(MTU as u16);
        live.set_bitrate(2_000_000);
        let now = Instant::now() + Duration::from_secs(60);
        ack(&mut live, now, 0, ms(50));
        (live, now)
    }

    #[test]
    fn it_begins_with_a_key_frame_and_grows_to_its_cap() {
        let (mut live, mut now) = of_two_mbit();
        assert_eq!(live.window(), 80 * MTU);
        for _ in 0..100 {
            now += ms(10);
            ack(&mut live, now, 10 * MTU, ms(50));
        }
        // 2.5 x 250 000 bytes/s x 100 ms, and a key frame.
        assert_eq!(live.window(), 62_500 + 65_536);
    }

    #[test]
    fn a_stream_that_sends_less_than_it_may_gets_no_more() {
        let (mut live, now) = of_two_mbit();
        live.handle_ack(now, now - ms(50), 100 * MTU, true, ms(50));
        live.handle_acks_end(now);
        assert_eq!(live.window(), 80 * MTU);
    }

    #[test]
    fn loss_by_chance_is_ignored() {
        let (mut live, mut now) = of_two_mbit();
        for n in 0..400 {
            now += ms(5);
            if n % 10 == 0 {
                live.handle_loss(now, MTU, false);
            } else {
                ack(&mut live, now, MTU, ms(55));
            }
        }
        assert!(live.window() >= 80 * MTU, "{}", live.window());
    }

    #[test]
    fn a_queue_makes_it_what_the_path_carries_and_a_short_queue() {
        let (mut live, mut now) = of_two_mbit();
        // 1.2 Mbit/s: a packet each 8 ms, which has waited for 150 ms.
        for _ in 0..100 {
            now += ms(8);
            ack(&mut live, now, MTU, ms(200));
        }
        // What is carried in 50 ms and the 50 ms that may wait: 12 or 13 packets.
        let packets = live.window() / MTU;
        assert!((12..=15).contains(&packets), "{packets}");
    }

    #[test]
    fn a_queue_shrinks_it_once_a_round_trip_and_not_under_its_floor() {
        let (mut live, mut now) = of_two_mbit();
        now += ms(30);
        ack(&mut live, now, MTU, ms(200));
        assert_eq!(live.window(), 80 * MTU / 3, "one look may deceive");
        now += ms(30);
        ack(&mut live, now, MTU, ms(200));
        assert_eq!(live.window(), 80 * MTU / 3, "not twice in a round trip");
        for _ in 0..4 {
            now += ms(201);
            ack(&mut live, now, 1, ms(200));
        }
        // 40 ms of 2 Mbit/s are 10 000 bytes.
        assert_eq!(live.window(), 10_000);
    }

    #[test]
    fn a_queue_that_stays_is_others_and_the_stream_holds_its_own_beside_them() {
        let (mut live, mut now) = of_two_mbit();
        let mut queued = |live: &mut Live, spans: u32| {
            for _ in 0..spans {
                now += ms(50);
                ack(live, now, 2 * MTU, ms(250));
            }
            now
        };
        queued(&mut live, 19);
        assert!(live.window() < 12 * MTU, "it makes room: {}", live.window());
        queued(&mut live, 2);
        // 250 000 bytes/s x 250 ms x 5/4.
        assert_eq!(live.window(), 78_125);
        let now = queued(&mut live, 40);
        live.handle_loss(now, 10 * MTU, false);
        assert_eq!(live.window(), 78_125 / 10 * 8, "it gives way to loss");
        queued(&mut live, 6);
        assert_eq!(live.window(), 78_125 / 10 * 8 + MTU, "and comes back by a packet a round trip");
        let now = queued(&mut live, 100);
        assert_eq!(live.window(), 78_125);
        ack(&mut live, now + ms(300), MTU, ms(60));
        ack(&mut live, now + ms(330), MTU, ms(200));
        assert!(live.window() < 40_000, "the others were gone: {}", live.window());
    }

    #[test]
    fn others_that_starve_the_stream_are_looked_for_again() {
        let (mut live, mut now) = of_two_mbit();
        let mut least = u64::MAX;
        for n in 0..200 {
            now += ms(50);
            ack(&mut live, now, 2 * MTU, ms(250));
            if n % 6 == 0 {
                live.handle_loss(now, MTU, false);
            }
            if n > 40 {
                least = least.min(live.window());
            }
        }
        assert_eq!(least, 10_000, "it made room, to see whether the queue is its own");
    }

    #[test]
    fn an_acknowledgement_that_was_lost_and_said_again_is_no_queue() {
        let (mut live, now) = of_two_mbit();
        let before = live.window();
        let now = now + ms(100);
        // Sent 250 ms ago and acknowledged in vain; sent 50 ms ago and acknowledged now.
        live.handle_ack(now, now - ms(250), MTU, false, ms(60));
        live.handle_ack(now, now - ms(50), MTU, false, ms(60));
        live.handle_acks_end(now);
        assert_eq!(live.window(), before + 2 * MTU);
    }

    #[test]
    fn loss_with_a_queue_and_heavy_loss_shrink_it() {
        let (mut live, mut now) = of_two_mbit();
        now += ms(30);
        ack(&mut live, now, 20 * MTU, ms(120));
        now += ms(200);
        live.handle_loss(now, MTU, false);
        assert_eq!(live.window(), 80 * MTU / 10 * 8, "a queue of 70 ms and 4 %");
        let (mut live, now) = of_two_mbit();
        ack(&mut live, now, 10 * MTU, ms(50));
        live.handle_loss(now, 10 * MTU, false);
        assert!(live.window() < 90 * MTU * 8 / 10 + MTU, "half is lost");
    }

    #[test]
    fn a_path_that_is_gone_halves_it_down_to_its_floor() {
        let (mut live, now) = of_two_mbit();
        live.handle_loss(now, 40 * MTU, true);
        assert_eq!(live.window(), 40 * MTU);
        for _ in 0..5 {
            live.handle_loss(now, 40 * MTU, true);
        }
        assert_eq!(live.window(), 25_000);
    }

    #[test]
    fn the_least_round_trip_is_forgotten_after_ten_seconds() {
        let (mut live, mut now) = of_two_mbit();
        assert_eq!(live.min_rtt(), ms(50));
        for _ in 0..120 {
            now += ms(100);
            ack(&mut live, now, 0, ms(80));
        }
        assert_eq!(live.min_rtt(), ms(80), "the path has become longer");
    }
}
