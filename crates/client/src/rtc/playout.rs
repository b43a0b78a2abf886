//! When a frame is shown: the jitter buffer of RTC mode (`docs/ref/rtmp-udp.md`, section 7).
//!
//! Media has a clock of its own, which runs a little behind the live edge: by the *target*, which is as
//! long as frames are late of late, and no longer. When the clock is too far behind it runs faster,
//! and when the buffer runs dry it runs slower; only far behind does it leap. What comes after its
//! moment is decoded and not shown.
//!
//! Nothing here reads a clock or decodes: frames and time go in, frames with "show it" or "only decode
//! it" come out.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use thalweg_wire::media::Kind;
use thalweg_wire::rtmp_udp::receiver::Arrived;
use thalweg_wire::time::Dts;

/// The jitter buffer.
#[derive(Debug, Default)]
pub struct Playout {
    waiting: VecDeque<Arrived>,
    arrivals: Arrivals,
    /// The media clock: a media time in ms, and when it was that.
    clock: Option<(f64, Instant)>,
    /// The latest time of any frame.
    newest: Option<Dts>,
    rate: Rate,
    target: Target,
    /// The picture shown last: its time, and when.
    shown: Option<(Dts, Instant)>,
    interval: Interval,
    stats: Stats,
}

/// How fast the media clock runs.
#[derive(Debug, Clone, Copy)]
struct Rate(f64);

impl Default for Rate {
    fn default() -> Self {
        Rate(1.0)
    }
}

/// Between two pictures, ms, smoothed.
#[derive(Debug, Clone, Copy)]
struct Interval(f64);

impl Default for Interval {
    fn default() -> Self {
        Interval(40.0)
    }
}

/// A frame whose moment has come.
#[derive(Debug)]
pub struct Due {
    /// The frame.
    pub arrived: Arrived,
    /// Whether it is shown or heard, or only decoded because others depend on it.
    pub show: bool,
}

/// What to do.
#[derive(Debug)]
pub enum Next {
    /// Give this to the decoder.
    Due(Due),
    /// Nothing until then, or until a frame comes.
    Wait(Option<Instant>),
}

/// How playing goes.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stats {
    /// Pictures shown.
    pub shown: u64,
    /// Pictures that came after their moment, or only to catch up with: decoded, not shown.
    pub late: u64,
    /// Pictures passed over to come back to the live edge.
    pub skipped: u64,
    /// Times that a picture stood still for longer than [`FREEZE`].
    pub freezes: u32,
    /// How long pictures stood still, in all.
    pub frozen: Duration,
}

/// How far the media clock is to be behind the live edge, ms.
#[derive(Debug)]
struct Target {
    ms: f64,
    moved: Option<Instant>,
    missed: Option<Instant>,
}

impl Default for Target {
    fn default() -> Self {
        Target { ms: TARGET_MIN_MS, moved: None, missed: None }
    }
}

/// How late frames come, of late.
#[derive(Debug, Default)]
struct Arrivals {
    zero: Option<Instant>,
    /// When each came, and when its time says, both in ms: the difference, of an arbitrary zero.
    recent: VecDeque<(Instant, f64)>,
}

impl Playout {
    /// An empty buffer.
    pub fn new() -> Self {
        Playout::default()
    }

    /// How playing goes.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// How far the media clock is to be behind the live edge.
    pub fn target(&self) -> Duration {
        ms(self.target.ms)
    }

    /// How far the media clock is behind the live edge.
    pub fn behind(&self, now: Instant) -> Duration {
        let edge = self.arrivals.edge(now).zip(self.clock);
        edge.map_or(Duration::ZERO, |(edge, (media, _))| ms((edge - media).max(0.0)))
    }

    /// How fast the media clock runs: 1.0 is as fast as time.
    pub fn rate(&self) -> f64 {
        self.rate.0
    }

    /// How long a missing frame is worth waiting for: until its moment, and one picture more.
    pub fn patience(&self) -> Duration {
        ms(self.target.ms + self.interval.0)
    }

    /// Media that waits for its moment.
    pub fn buffered(&self, kind: Kind) -> Duration {
        let mut times = self.waiting.iter().filter(|a| a.frame.kind == kind).map(|a| a.frame.dts);
        let first = times.next();
        let last = times.next_back();
        ms(last.zip(first).map_or(0, |(last, first)| last.saturating_sub(first).max(0)) as f64)
    }

    /// Frames that wait for their moment.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Learns from a frame how late frames come, without taking it.
    pub fn learn(&mut self, arrived: &Arrived, now: Instant) {
        if !arrived.frame.is_media() {
            return;
        }
        let dts = arrived.frame.dts;
        self.newest = self.newest.max(Some(dts));
        if !arrived.flags.catchup {
            self.arrivals.add(arrived.came, dts, now);
            self.target.aim(self.arrivals.lateness(), now);
        }
    }

    /// Nothing comes any more: a picture that has stood still for long enough by now has frozen.
    pub fn end(&mut self, now: Instant) {
        if let Some((_, at)) = self.shown.take() {
            self.note_still(at, now);
        }
    }

    /// Takes a frame, in the order of decoding.
    pub fn push(&mut self, arrived: Arrived, now: Instant) {
        self.learn(&arrived, now);
        self.waiting.push_back(arrived);
        if self.waiting.len() > WAITING_MAX {
            self.leap(now);
        }
        // With nothing to leap to, the clock goes to what waits.
        if self.waiting.len() > WAITING_MAX
            && let Some(front) = self.waiting.front()
        {
            self.clock = Some((front.frame.dts as f64, now));
        }
    }

    /// What to do now. Ask until it answers [`Next::Wait`].
    pub fn poll(&mut self, now: Instant) -> Next {
        let media_now = self.run_clock(now);
        let Some(front) = self.waiting.front() else { return Next::Wait(None) };
        let early_ms = front.frame.dts as f64 - media_now;
        let is_due = early_ms <= 0.0 || front.flags.catchup || !front.frame.is_media();
        if !is_due {
            return Next::Wait(Some(now + ms(early_ms / self.rate.0).max(STEP)));
        }
        match self.waiting.pop_front() {
            Some(arrived) => Next::Due(self.judge(arrived, media_now, now)),
            None => Next::Wait(None),
        }
    }

    /// Moves the media clock on to `now`. It begins with the first frame that is shown, and does not
    /// run past what there is: then everything stands still, and nothing becomes late.
    fn run_clock(&mut self, now: Instant) -> f64 {
        let first = || self.waiting.iter().find(|a| a.frame.is_media() && !a.flags.catchup);
        let Some((media, at)) = self.clock.or_else(|| Some((first()?.frame.dts as f64, now)))
        else {
            return f64::MIN;
        };
        let passed_ms = now.saturating_duration_since(at).as_secs_f64() * 1000.0;
        let mut media = media + passed_ms * self.rate.0;
        let end = self.newest.map_or(media, |dts| dts as f64 + self.interval.0);
        if media > end {
            media = end;
            // Before the buffer has filled to its target that is no wonder.
            if self.arrivals.edge(now).is_some_and(|edge| edge - media >= self.target.ms) {
                self.target.miss(now);
            }
        }
        self.clock = Some((media, now));
        if let Some(edge) = self.arrivals.edge(now) {
            self.steer(edge - media, now);
        }
        self.clock.map_or(media, |(media, _)| media)
    }

    /// Chooses the rate by how far the clock is behind the live edge.
    fn steer(&mut self, behind_ms: f64, now: Instant) {
        let excess_ms = behind_ms - self.target.ms;
        let faster = RATES.iter().find(|(over_ms, _)| excess_ms > *over_ms).map(|(_, rate)| *rate);
        // Once it runs faster it does so until it is where it should be.
        let is_running = self.rate.0 > 1.0 && excess_ms > 0.0;
        self.rate = Rate(match faster {
            Some(rate) => rate,
            None if is_running => self.rate.0.min(RATE_FAST),
            None if behind_ms < self.target.ms / 2.0 => RATE_SLOW,
            None => 1.0,
        });
        if excess_ms > LEAP_MS {
            self.leap(now);
        }
    }

    /// Goes on with the newest key frame that is here, or with the newest sound where there are no
    /// pictures, if that is ahead of the clock.
    fn leap(&mut self, now: Instant) {
        let has_pictures = self.waiting.iter().any(is_picture);
        let key = match has_pictures {
            true => self.waiting.iter().rposition(|a| a.frame.key),
            false => self.waiting.len().checked_sub(1),
        };
        let Some(key) = key else { return };
        let Some(to) = self.waiting.get(key).map(|a| a.frame.dts as f64) else { return };
        if self.clock.is_some_and(|(media, _)| to <= media) {
            return;
        }
        let (configs, passed): (Vec<_>, Vec<_>) =
            self.waiting.drain(..key).partition(|a| a.frame.config);
        let pictures = passed.iter().filter(|a| a.frame.kind == Kind::Video).count();
        self.stats.skipped += pictures as u64;
        configs.into_iter().rev().for_each(|config| self.waiting.push_front(config));
        self.clock = Some((to, now));
    }

    /// Whether a frame is shown: not if it was only to catch up with, and not if it is late and one
    /// after it is due already.
    fn judge(&mut self, arrived: Arrived, media_now: f64, now: Instant) -> Due {
        let catchup = arrived.flags.catchup;
        if !is_picture(&arrived) {
            return Due { arrived, show: !catchup };
        }
        let dts = arrived.frame.dts;
        let is_due = |a: &Arrived| is_picture(a) && a.frame.dts as f64 <= media_now;
        let show = !catchup && !self.waiting.iter().any(is_due);
        if !show {
            self.stats.late += 1;
            return Due { arrived, show };
        }
        self.stats.shown += 1;
        if let Some((last, at)) = self.shown.replace((dts, now)) {
            self.interval.learn(dts.saturating_sub(last) as f64);
            self.note_still(at, now);
        }
        Due { arrived, show }
    }

    /// A picture was there from `at` on.
    fn note_still(&mut self, at: Instant, now: Instant) {
        let still = now.saturating_duration_since(at);
        if still > FREEZE.max(ms(3.0 * self.interval.0)) {
            self.stats.freezes += 1;
            self.stats.frozen += still;
        }
    }
}

impl Target {
    /// Grows at once to what frames need of late, and shrinks slowly.
    fn aim(&mut self, lateness_ms: f64, now: Instant) {
        let wanted = (lateness_ms + TARGET_MORE_MS).clamp(TARGET_MIN_MS, TARGET_MAX_MS);
        let moved = self.moved.replace(now).unwrap_or(now);
        let shrunk = self.ms - SHRINK_MS_PER_S * now.saturating_duration_since(moved).as_secs_f64();
        self.ms = wanted.max(shrunk);
    }

    /// The buffer has run dry.
    fn miss(&mut self, now: Instant) {
        if self.missed.is_none_or(|at| now.saturating_duration_since(at) >= MISS_PAUSE) {
            self.missed = Some(now);
            self.ms = (self.ms + MISS_MS).min(TARGET_MAX_MS);
        }
    }
}

impl Interval {
    fn learn(&mut self, step_ms: f64) {
        if (1.0..=INTERVAL_MAX_MS).contains(&step_ms) {
            self.0 += (step_ms - self.0) / 8.0;
        }
    }
}

impl Arrivals {
    fn add(&mut self, came: Instant, dts: Dts, now: Instant) {
        let zero = *self.zero.get_or_insert(came);
        let late_ms = signed_ms(came, zero) - dts as f64;
        self.recent.push_back((came, late_ms));
        let is_old = |at: Instant| now.saturating_duration_since(at) > SPAN;
        while self.recent.len() > ARRIVALS_MAX || self.recent.front().is_some_and(|a| is_old(a.0)) {
            self.recent.pop_front();
        }
    }

    fn least(&self) -> Option<f64> {
        self.recent.iter().map(|(_, late)| *late).min_by(f64::total_cmp)
    }

    /// By how much 95 of 100 are later than the earliest, at most.
    fn lateness(&self) -> f64 {
        let Some(least) = self.least() else { return 0.0 };
        let mut late: Vec<f64> = self.recent.iter().map(|(_, late)| late - least).collect();
        let at = (late.len() * 95 / 100).min(late.len() - 1);
        *late.select_nth_unstable_by(at, f64::total_cmp).1
    }

    /// The media time that would come just now, if nothing were late.
    fn edge(&self, now: Instant) -> Option<f64> {
        Some(signed_ms(now, self.zero?) - self.least()?)
    }
}

fn is_picture(arrived: &Arrived) -> bool {
    arrived.frame.kind == Kind::Video && arrived.frame.is_media()
}

fn signed_ms(at: Instant, zero: Instant) -> f64 {
    let after = at.saturating_duration_since(zero).as_secs_f64();
    let before = zero.saturating_duration_since(at).as_secs_f64();
    (after - before) * 1000.0
}

fn ms(ms: f64) -> Duration {
    Duration::from_secs_f64(ms.max(0.0) / 1000.0)
}

/// A picture that stands still for longer is a freeze.
pub const FREEZE: Duration = Duration::from_millis(200);
const TARGET_MIN_MS: f64 = 30.0;
const TARGET_MAX_MS: f64 = 250.0;
/// Above what 95 of 100 frames need.
const TARGET_MORE_MS: f64 = 10.0;
const SHRINK_MS_PER_S: f64 = 5.0;
const MISS_MS: f64 = 20.0;
const MISS_PAUSE: Duration = Duration::from_millis(500);
/// More than so much behind the target, ms, and how fast that is made good.
const RATES: [(f64, f64); 3] = [(250.0, 1.20), (120.0, 1.10), (30.0, RATE_FAST)];
const RATE_FAST: f64 = 1.05;
const RATE_SLOW: f64 = 0.97;
/// More than this is not made good by running.
const LEAP_MS: f64 = 600.0;
/// Lateness is that of the last 5 s.
const SPAN: Duration = Duration::from_secs(5);
/// The same in frames: 5 s at 120 pictures and 43 sounds a second.
const ARRIVALS_MAX: usize = 900;
/// 10 s at 60 pictures and 43 sounds a second.
const WAITING_MAX: usize = 1024;
const INTERVAL_MAX_MS: f64 = 500.0;
/// No timer is set for less.
const STEP: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;
    use thalweg_wire::media::Frame;
    use thalweg_wire::rtmp_udp::media::Flags;

    /// 25 pictures a second, each `delay` after its time, and what is shown of them.
    struct Viewer {
        playout: Playout,
        start: Instant,
        shown: Vec<(u64, Dts)>,
        with_sound: bool,
    }

    impl Viewer {
        fn new() -> Viewer {
            Viewer {
                playout: Playout::new(),
                start: Instant::now(),
                shown: Vec::new(),
                with_sound: false,
            }
        }

        fn at(&self, ms: u64) -> Instant {
            self.start + Duration::from_millis(ms)
        }

        fn come(&mut self, at_ms: u64, dts: Dts, catchup: bool) {
            let payload = vec![if dts % 1000 == 0 { 0x17 } else { 0x27 }, 1, 0, 0, 0].into();
            self.push(at_ms, Frame::new(Kind::Video, dts, payload), catchup);
        }

        fn push(&mut self, at_ms: u64, frame: Frame, catchup: bool) {
            let flags = Flags { catchup, ..Flags::default() };
            let came = self.at(at_ms);
            self.playout.push(Arrived { frame, flags, seq: 1, ingest_us: None, came }, came);
        }

        /// Lets a millisecond pass.
        fn tick(&mut self, at_ms: u64) {
            let now = self.at(at_ms);
            while let Next::Due(due) = self.playout.poll(now) {
                if due.show && due.arrived.frame.kind == Kind::Video {
                    self.shown.push((at_ms, due.arrived.frame.dts));
                }
            }
        }

        /// Plays `seconds` of a stream whose frames are late as `delay` says.
        fn play(&mut self, seconds: u64, delay: impl Fn(Dts) -> u64) {
            let mut coming: Vec<(u64, Dts)> =
                (0..seconds as Dts * 25).map(|n| (n as u64 * 40 + delay(n * 40), n * 40)).collect();
            // In the order of decoding, whatever the network did.
            for n in 1..coming.len() {
                coming[n].0 = coming[n].0.max(coming[n - 1].0);
            }
            let mut coming = coming.into_iter().peekable();
            for at in 0..seconds * 1000 + 500 {
                if self.with_sound && at >= 50 && (at - 50) % 40 == 0 {
                    let sound = Frame::new(Kind::Audio, at as Dts - 50, vec![0xaf, 1].into());
                    self.push(at, sound, false);
                }
                while let Some((_, dts)) = coming.next_if(|(t, _)| *t <= at) {
                    self.come(at, dts, false);
                }
                self.tick(at);
            }
        }
    }

    #[test]
    fn a_steady_stream_is_shown_a_little_behind_the_edge() {
        let mut viewer = Viewer::new();
        viewer.play(10, |_| 50);
        let late: Vec<u64> =
            viewer.shown.iter().skip(125).map(|(at, dts)| at - 50 - *dts as u64).collect();
        assert!(late.iter().all(|ms| (10..=45).contains(ms)), "{late:?}");
        assert_eq!(viewer.playout.stats().freezes, 0);
        assert!(viewer.shown.len() >= 248, "{}", viewer.shown.len());
    }

    #[test]
    fn jitter_makes_the_buffer_longer_and_its_end_shorter_again() {
        let mut viewer = Viewer::new();
        viewer.play(30, |dts| if dts < 10_000 && dts % 200 == 0 { 150 } else { 50 });
        let target = viewer.playout.target().as_millis();
        assert!((30..=60).contains(&target), "{target}");
        let mut jittered = Viewer::new();
        jittered.play(10, |dts| if dts % 200 == 0 { 150 } else { 50 });
        let target = jittered.playout.target().as_millis();
        assert!((100..=160).contains(&target), "{target}");
    }

    #[test]
    fn while_sound_goes_on_late_pictures_are_decoded_and_only_the_newest_shown() {
        let mut viewer = Viewer { with_sound: true, ..Viewer::new() };
        viewer.play(6, |dts| if (3000..3400).contains(&dts) { 3450 - dts as u64 } else { 50 });
        let stats = viewer.playout.stats();
        assert_eq!(stats.freezes, 1, "{stats:?}");
        assert!(stats.late >= 8, "{stats:?}");
        let (at, dts) = *viewer.shown.last().unwrap();
        assert!(at - (dts as u64) < 300, "it has stayed at the edge: {at} {dts}");
    }

    #[test]
    fn when_nothing_comes_everything_stands_still_and_is_made_good_by_running_faster() {
        let mut viewer = Viewer::new();
        viewer.play(8, |dts| if (3000..3400).contains(&dts) { 3450 - dts as u64 } else { 50 });
        let stats = viewer.playout.stats();
        assert_eq!((stats.freezes, stats.late), (1, 0), "{stats:?}");
        let (at, dts) = *viewer.shown.last().unwrap();
        // The target has grown to its most, 250 ms, and shrinks slowly; 450 it was.
        assert!(at - (dts as u64) < 250 + 50 + 40, "{at} {dts}");
    }

    #[test]
    fn a_burst_is_decoded_at_once_and_its_newest_picture_shown() {
        let mut viewer = Viewer::new();
        for n in 0..25 {
            viewer.come(0, n * 40, n < 24);
        }
        viewer.tick(0);
        assert_eq!(viewer.shown, [(0, 960)]);
        assert_eq!(viewer.playout.stats().late, 24);
    }

    #[test]
    fn far_behind_it_leaps_to_a_key_frame() {
        let mut viewer = Viewer::new();
        // The first two seconds come with a second's delay, then the path is short.
        viewer.play(6, |dts| if dts < 2000 { 1050 } else { 50 });
        let (at, dts) = *viewer.shown.last().unwrap();
        assert!(at - (dts as u64) < 300, "{at} {dts}");
    }

    #[test]
    fn a_picture_that_stands_still_at_the_end_has_frozen_once() {
        let mut viewer = Viewer::new();
        for at in 0..1000 {
            if at % 40 == 0 {
                viewer.come(at, at as Dts, false);
            }
            viewer.tick(at);
        }
        assert_eq!(viewer.playout.stats().freezes, 0);
        for _ in 0..2 {
            viewer.playout.end(viewer.at(3000));
            assert_eq!(viewer.playout.stats().freezes, 1);
        }
    }
}
