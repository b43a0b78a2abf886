//! The pumps, with sockets in memory and a clock turned by hand.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use thalweg_hub::{
    Depth, Filter, Hub, InProcess, Lag, Limits, Protocol, Publication, Publisher, StreamKey,
};
use thalweg_server::egress::{Done, Egress, End, Form, Handle, OnDone, Seat};
use thalweg_server::socket::Socket;
use thalweg_testkit::alloc::{Counting, total};
use thalweg_testkit::media::Recipe;
use thalweg_wire::flv::Demuxer;
use thalweg_wire::media::{Frame, Kind};
use thalweg_wire::rtmp::chunk::{CHUNK_BYTES_OUT, Reader};
use tokio::sync::oneshot;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A socket that takes as much as it is told to, and remembers how it was written to.
#[derive(Debug, Default)]
struct Pipe(Mutex<Inside>);

#[derive(Debug, Default)]
struct Inside {
    got: Vec<u8>,
    keep: bool,
    /// Bytes it still takes; `None` for any number.
    room: Option<usize>,
    closed: bool,
    /// Writing to it is a bug.
    panics: bool,
    /// How often it was written to, or tried to.
    asked: usize,
    /// Address and length of each plain write.
    writes: Vec<(usize, usize)>,
}

impl Pipe {
    fn new(room: Option<usize>) -> Arc<Self> {
        Arc::new(Pipe(Mutex::new(Inside { room, keep: true, ..Inside::default() })))
    }

    /// One that only counts: for tests that count allocations.
    fn forgetful() -> Arc<Self> {
        Arc::default()
    }

    fn with<T>(&self, f: impl FnOnce(&mut Inside) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn got(&self) -> Vec<u8> {
        self.with(|i| i.got.clone())
    }

    fn set_room(&self, room: Option<usize>) {
        self.with(|i| i.room = room);
    }

    fn take(&self, bufs: &[&[u8]]) -> io::Result<usize> {
        self.with(|i| {
            i.asked += 1;
            assert!(!i.panics, "a bug");
            if i.closed {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let all: usize = bufs.iter().map(|b| b.len()).sum();
            let n = i.room.map_or(all, |room| room.min(all));
            if n == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            i.room = i.room.map(|room| room - n);
            let mut left = n;
            for buf in bufs {
                let part = left.min(buf.len());
                if i.keep {
                    i.got.extend_from_slice(&buf[..part]);
                }
                left -= part;
            }
            Ok(n)
        })
    }
}

impl Socket for Pipe {
    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn try_read(&self, _: &mut [u8]) -> io::Result<usize> {
        if self.with(|i| i.closed) { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.with(|i| {
            if i.keep {
                i.writes.push((buf.as_ptr() as usize, buf.len()));
            }
        });
        self.take(&[buf])
    }

    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let bufs: Vec<&[u8]> = bufs.iter().map(|b| &**b).collect();
        self.take(&bufs)
    }

    fn may_write(&self) -> bool {
        self.with(|i| i.closed || i.room != Some(0))
    }

    fn close_write(&self) -> io::Result<()> {
        Ok(())
    }
}

struct World {
    hub: Hub,
    egress: Arc<Egress>,
    key: StreamKey,
    publication: Publication,
}

struct Viewer {
    pipe: Arc<Pipe>,
    handle: Handle,
    done: oneshot::Receiver<Done>,
}

fn publish(hub: &Hub, name: &str) -> (StreamKey, Publication) {
    let key = StreamKey::new("1", "live", name);
    let peer = SocketAddr::from(([192, 0, 2, 1], 1));
    let publisher = Publisher { peer, credential: None, agent: String::new() };
    let publication = hub.publish(&key, publisher, now()).unwrap();
    (key, publication)
}

const FLUSH: Duration = Duration::from_millis(100);

impl World {
    fn new() -> Self {
        let hub = Hub::new(Limits::default(), InProcess::default());
        let (key, publication) = publish(&hub, "room");
        World { hub, egress: Egress::start(1, 1024), key, publication }
    }

    async fn seat(&self, pipe: Arc<Pipe>, form: Form, lag: Lag) -> Viewer {
        self.seat_at(&self.key, pipe, form, lag).await
    }

    async fn seat_at(&self, key: &StreamKey, pipe: Arc<Pipe>, form: Form, lag: Lag) -> Viewer {
        let protocol = if form == Form::Flv { Protocol::HttpFlv } else { Protocol::Rtmp };
        let subscription = self.hub.subscribe(key, protocol, lag, now()).unwrap();
        let (tell, done) = oneshot::channel();
        let seat = Seat {
            socket: Arc::clone(&pipe) as Arc<dyn Socket>,
            subscription,
            form,
            greeting: b"greeting".to_vec(),
            depth: Depth::AtLeast(5000),
            flush: FLUSH,
            watch_peer: true,
            orders: None,
            done: OnDone::new(move |d| {
                let _ = tell.send(d);
            }),
        };
        let handle = self.egress.seat(seat).await;
        settle().await;
        Viewer { pipe, handle, done }
    }

    fn append(&mut self, frames: &[Frame]) {
        for frame in frames {
            self.publication.append(frame.clone(), now()).unwrap();
        }
    }

    /// Appends frames in their own time: 40 ms, then the pump has its turn, and so on.
    async fn play_out(&mut self, frames: &[Frame]) {
        for part in frames.chunks(3) {
            self.append(part);
            pass(Duration::from_millis(40)).await;
        }
        pass(2 * FLUSH).await;
    }
}

/// Lets everyone do what can be done now.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// The runtime's time, which moves only when everyone waits.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Lets time pass.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
    settle().await;
}

/// The frames in what a viewer was sent.
fn frames_of(form: Form, bytes: &[u8]) -> Vec<Frame> {
    let bytes = bytes.strip_prefix(b"greeting").unwrap();
    match form {
        Form::Flv => {
            let mut demuxer = Demuxer::new(1 << 24);
            demuxer.handle_bytes(bytes).unwrap();
            std::iter::from_fn(|| demuxer.poll_frame()).collect()
        }
        Form::WsFlv => {
            let flv = [&b"greeting"[..], &payloads(bytes)].concat();
            frames_of(Form::Flv, &flv)
        }
        Form::Rtmp { stream_id } => {
            let mut reader = Reader::new(1 << 24);
            let size = (CHUNK_BYTES_OUT as u32).to_be_bytes();
            let set = [&b"\x02\0\0\0\0\0\x04\x01\0\0\0\0"[..], &size].concat();
            assert_eq!(reader.read(&mut &set[..]), Ok(None));
            let mut rest = bytes;
            let mut frames = Vec::new();
            while let Some(m) = reader.read(&mut rest).unwrap() {
                assert_eq!(m.stream_id, stream_id);
                let kind = Kind::from_type(m.message_type).unwrap();
                frames.push(Frame::new(kind, i64::from(m.timestamp), m.payload.into()));
            }
            frames
        }
    }
}

/// What is in binary messages of a server.
fn payloads(mut bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let [0x82, short, rest @ ..] = bytes {
        let long = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let (len, rest) = rest.split_at(long);
        let len = len.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        let (payload, rest) = rest.split_at(if long == 0 { usize::from(*short) } else { len });
        out.extend_from_slice(payload);
        bytes = rest;
    }
    assert!(bytes.is_empty(), "whole messages");
    out
}

fn media(frames: &[Frame]) -> Vec<Frame> {
    frames.iter().filter(|f| f.is_media()).cloned().collect()
}

#[tokio::test(start_paused = true)]
async fn level_viewers_are_written_one_and_the_same_buffer() {
    let mut world = World::new();
    world.append(&Recipe::default().frames_for(1000));
    let mut viewers = Vec::new();
    for _ in 0..30 {
        viewers.push(world.seat(Pipe::new(None), Form::Flv, Lag::LIVE).await);
    }
    let later = Recipe { start: 1000, ..Recipe::default() };
    world.append(&later.frames_for(100)[3..]);
    pass(2 * FLUSH).await;
    let last: Vec<_> = viewers.iter().map(|v| v.pipe.with(|i| *i.writes.last().unwrap())).collect();
    assert!(last[0].1 > 500);
    assert!(last.iter().all(|w| *w == last[0]), "one buffer, not thirty: {last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_flush_gathers_and_costs_one_write() {
    let mut world = World::new();
    world.append(&Recipe::default().frames_for(1000));
    let viewer = world.seat(Pipe::new(None), Form::Flv, Lag::LIVE).await;
    let later: Vec<_> =
        Recipe::default().frames_for(2000).into_iter().filter(|f| f.dts >= 1000).collect();
    world.play_out(&later).await;
    let writes = viewer.pipe.with(|i| i.writes.len());
    assert!((3..=12).contains(&writes), "about ten flushes in a second, not {writes}");
    let want = media(&Recipe::default().frames_for(2000));
    assert!(media(&frames_of(Form::Flv, &viewer.pipe.got())) == want);
}

#[tokio::test(start_paused = true)]
async fn sockets_that_take_a_little_at_a_time_get_every_byte() {
    let rtmp = [1, 5].map(|stream_id| Form::Rtmp { stream_id });
    for form in [Form::Flv, Form::WsFlv, rtmp[0], rtmp[1]] {
        let mut world = World::new();
        let recipe = Recipe { video_bytes: 5000, ..Recipe::default() };
        world.append(&recipe.frames_for(400));
        let mut viewers = Vec::new();
        for _ in 0..8 {
            viewers.push(world.seat(Pipe::new(Some(100)), form, Lag::LIVE).await);
        }
        let rest: Vec<_> = recipe.frames_for(1600).into_iter().filter(|f| f.dts >= 400).collect();
        let mut x = 7usize;
        for part in rest.chunks(4) {
            world.append(part);
            for viewer in &viewers {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                viewer.pipe.set_room(Some((x >> 40) % 30_000));
            }
            pass(Duration::from_millis(30)).await;
        }
        viewers.iter().for_each(|v| v.pipe.set_room(None));
        pass(2 * FLUSH).await;
        let want = media(&recipe.frames_for(1600));
        for (i, viewer) in viewers.iter().enumerate() {
            let got = media(&frames_of(form, &viewer.pipe.got()));
            assert!(got == want, "{form:?}, viewer {i}: {} of {} frames", got.len(), want.len());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_stops_reading_costs_the_others_nothing() {
    let mut world = World::new();
    let recipe = Recipe { video_bytes: 3000, ..Recipe::default() };
    world.append(&recipe.frames_for(1000));
    let lag = Lag { max_ms: 1000, max_bytes: u64::MAX / 2 };
    let stuck = world.seat(Pipe::new(Some(50_000)), Form::Flv, lag).await;
    let fine = world.seat(Pipe::new(None), Form::Flv, lag).await;
    let rest: Vec<_> = recipe.frames_for(5000).into_iter().filter(|f| f.dts >= 1000).collect();
    for part in rest.chunks(30) {
        world.append(part);
        pass(Duration::from_millis(110)).await;
    }
    let want = media(&recipe.frames_for(5000));
    assert!(media(&frames_of(Form::Flv, &fine.pipe.got())) == want);
    let before = stuck.pipe.got().len();
    assert_eq!(before, 50_000);

    // It reads again: what it missed is skipped, from a key frame on, and counted.
    stuck.pipe.set_room(None);
    world.append(&Recipe { start: 5000, ..recipe }.frames_for(100)[3..]);
    pass(2 * FLUSH).await;
    let got = media(&frames_of(Form::Flv, &stuck.pipe.got()));
    let jump = got.windows(2).position(|w| w[1].dts - w[0].dts > 500).unwrap();
    assert!(got[jump + 1].key, "it goes on with a key frame");
    assert!(got[..=jump] == want[..=jump], "and had everything before");
    let stats = world.hub.snapshot(now()).streams.remove(0);
    let lost = got[jump + 1].dts - got[jump].dts;
    assert!(stats.jumps >= 1 && stats.frames_skipped as i64 >= lost / 40, "{stats:?}");
}

#[tokio::test(start_paused = true)]
async fn a_viewer_too_slow_for_twenty_seconds_is_cut() {
    let mut world = World::new();
    world.append(&Recipe::default().frames_for(1000));
    let viewer = world.seat(Pipe::new(Some(100)), Form::Flv, Lag::LIVE).await;
    let began = now();
    let done = tokio::time::timeout(Duration::from_secs(60), viewer.done).await.unwrap().unwrap();
    assert_eq!((done.why, done.unsaid), (End::TooSlow, None));
    assert!(now() - began >= Duration::from_secs(19));
}

#[tokio::test(start_paused = true)]
async fn a_viewer_with_nothing_to_read_is_not_slow() {
    let mut world = World::new();
    let viewer = world.seat(Pipe::new(None), Form::Flv, Lag::LIVE).await;
    world.append(&Recipe::default().frames_for(200));
    pass(2 * FLUSH).await;
    let mut done = viewer.done;
    pass(Duration::from_secs(22)).await;
    assert!(done.try_recv().is_err(), "the publisher is silent, not the viewer");
}

#[tokio::test(start_paused = true)]
async fn control_goes_between_messages() {
    let mut world = World::new();
    let recipe = Recipe { video_bytes: 20_000, ..Recipe::default() };
    world.append(&recipe.frames_for(200));
    let form = Form::Rtmp { stream_id: 1 };
    let viewer = world.seat(Pipe::new(Some(10_000)), form, Lag::LIVE).await;
    // A ping response, while a frame is cut in two.
    let ping = b"\x02\0\0\0\0\0\x06\x04\0\0\0\0\0\x07\0\0\0\x2a";
    viewer.handle.say(ping.to_vec()).await;
    settle().await;
    viewer.pipe.set_room(None);
    pass(2 * FLUSH).await;
    let got = viewer.pipe.got();
    let at = got.windows(ping.len()).position(|w| w == ping).unwrap();
    assert!(at > 10_000);
    let without = [&got[..at], &got[at + ping.len()..]].concat();
    assert!(media(&frames_of(form, &without)) == media(&recipe.frames_for(200)));
}

/// What a viewer is sent of `recipe` between two times.
fn between(recipe: &Recipe, from: i64, to: i64) -> Vec<Frame> {
    recipe.frames_for(to).into_iter().filter(|f| f.dts >= from && !f.config).collect()
}

const RTMP: Form = Form::Rtmp { stream_id: 1 };

#[tokio::test(start_paused = true)]
async fn a_viewer_that_paused_goes_on_at_the_newest_key_frame() {
    let mut world = World::new();
    let recipe = Recipe::default();
    world.append(&recipe.frames_for(500));
    let viewer = world.seat(Pipe::new(None), RTMP, Lag::LIVE).await;
    viewer.handle.pause(true).await;
    settle().await;
    let before = viewer.pipe.got().len();
    world.append(&between(&recipe, 500, 2500));
    pass(2 * FLUSH).await;
    assert_eq!(viewer.pipe.got().len(), before, "nothing while it is paused");
    viewer.handle.pause(false).await;
    pass(2 * FLUSH).await;
    let frames = media(&frames_of(RTMP, &viewer.pipe.got()));
    let resumed = &frames[media(&recipe.frames_for(500)).len()..];
    assert_eq!((resumed[0].dts, resumed[0].key), (2000, true));
}

#[tokio::test(start_paused = true)]
async fn whoever_never_paused_loses_nothing_by_going_on() {
    let mut world = World::new();
    let recipe = Recipe::default();
    world.append(&recipe.frames_for(1500));
    let viewer = world.seat(Pipe::new(Some(3000)), RTMP, Lag::LIVE).await;
    viewer.handle.pause(false).await;
    settle().await;
    viewer.pipe.set_room(None);
    pass(2 * FLUSH).await;
    let got = media(&frames_of(RTMP, &viewer.pipe.got()));
    assert!(got == media(&recipe.frames_for(1500)));
}

#[tokio::test(start_paused = true)]
async fn a_viewer_may_want_sound_alone() {
    let mut world = World::new();
    let recipe = Recipe::default();
    world.append(&recipe.frames_for(500));
    let viewer = world.seat(Pipe::new(None), RTMP, Lag::LIVE).await;
    viewer.handle.set_filter(Filter { audio: true, video: false }).await;
    settle().await;
    let so_far = frames_of(RTMP, &viewer.pipe.got()).len();
    world.append(&between(&recipe, 500, 1500));
    pass(2 * FLUSH).await;
    let after = &frames_of(RTMP, &viewer.pipe.got())[so_far..];
    assert!(after.len() > 10 && after.iter().all(|f| f.kind == Kind::Audio));
}

#[tokio::test(start_paused = true)]
async fn sockets_that_are_full_are_left_in_peace() {
    let mut world = World::new();
    let recipe = Recipe { video_bytes: 3000, ..Recipe::default() };
    world.append(&recipe.frames_for(1000));
    let mut stuck = Vec::new();
    for _ in 0..100 {
        stuck.push(world.seat(Pipe::new(Some(2000)), Form::Flv, Lag::LIVE).await);
    }
    let asked = |stuck: &[Viewer]| stuck.iter().map(|v| v.pipe.with(|i| i.asked)).sum::<usize>();
    let before = asked(&stuck);
    for part in between(&recipe, 1000, 6000).chunks(30) {
        world.append(part);
        pass(Duration::from_millis(100)).await;
    }
    assert_eq!(asked(&stuck), before, "nobody asks a socket that is known to be full");
}

#[tokio::test(start_paused = true)]
async fn a_bug_in_one_stream_is_the_end_of_its_viewers_alone() {
    let mut world = World::new();
    world.append(&Recipe::default().frames_for(500));
    let broken = world.seat(Pipe::new(None), Form::Flv, Lag::LIVE).await;
    let (key, mut publication) = publish(&world.hub, "other");
    for frame in Recipe::default().frames_for(500) {
        publication.append(frame, now()).unwrap();
    }
    let fine = world.seat_at(&key, Pipe::new(None), Form::Flv, Lag::LIVE).await;
    broken.pipe.with(|i| i.panics = true);
    let later = between(&Recipe::default(), 500, 1000);
    world.append(&later);
    for frame in later {
        publication.append(frame, now()).unwrap();
    }
    pass(2 * FLUSH).await;
    assert!(broken.done.await.is_err(), "dropped without a word");
    let got = media(&frames_of(Form::Flv, &fine.pipe.got()));
    assert!(got == media(&Recipe::default().frames_for(1000)));
    assert_eq!(world.egress.seated(), 1);
    // And the stream itself is as good as new.
    let again = world.seat(Pipe::new(None), Form::Flv, Lag::LIVE).await;
    assert!(media(&frames_of(Form::Flv, &again.pipe.got())).len() > 30);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_stream_reaches_everyone_after_its_last_frame() {
    let mut world = World::new();
    let recipe = Recipe::default();
    world.append(&recipe.frames_for(500));
    let viewer = world.seat(Pipe::new(None), Form::Flv, Lag::LIVE).await;
    let rest: Vec<_> = recipe.frames_for(700).into_iter().filter(|f| f.dts >= 500).collect();
    world.append(&rest);
    world.hub.stop();
    let done = tokio::time::timeout(Duration::from_secs(3), viewer.done).await.unwrap().unwrap();
    assert_eq!((done.why, done.unsaid), (End::StreamEnded, Some(Vec::new())));
    assert_eq!(done.bytes as usize, viewer.pipe.got().len());
    assert!(media(&frames_of(Form::Flv, &viewer.pipe.got())) == media(&recipe.frames_for(700)));
    assert_eq!(world.egress.seated(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_gone_is_let_go() {
    let mut world = World::new();
    world.append(&Recipe::default().frames_for(500));
    let viewer = world.seat(Pipe::new(None), Form::Flv, Lag::LIVE).await;
    viewer.pipe.with(|i| i.closed = true);
    let done = tokio::time::timeout(Duration::from_secs(3), viewer.done).await.unwrap().unwrap();
    assert_eq!(done.why, End::PeerGone);
    assert_eq!(world.egress.seated(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_is_dropped_lets_its_viewer_go() {
    let mut world = World::new();
    world.append(&Recipe::default().frames_for(500));
    let viewer = world.seat(Pipe::new(None), Form::Flv, Lag::LIVE).await;
    drop(viewer.handle);
    let done = tokio::time::timeout(Duration::from_secs(3), viewer.done).await.unwrap().unwrap();
    assert_eq!(done.why, End::Dismissed);
}

/// Allocations of some flushes to so many level viewers.
async fn allocations_with(viewers: usize) -> u64 {
    let mut world = World::new();
    let recipe = Recipe::default();
    world.append(&recipe.frames_for(1000));
    let mut seated = Vec::new();
    for _ in 0..viewers {
        seated.push(world.seat(Pipe::forgetful(), Form::Flv, Lag::LIVE).await);
    }
    let rest: Vec<_> = recipe.frames_for(3000).into_iter().filter(|f| f.dts >= 1000).collect();
    let (warm_up, measured) = rest.split_at(rest.len() / 2);
    world.play_out(warm_up).await;
    let before = total().calls;
    world.play_out(measured).await;
    let calls = total().calls - before;
    let sent = world.hub.snapshot(now()).streams.remove(0).bytes_out[1].1;
    assert!(sent as usize > viewers * 10_000, "they were all served");
    calls
}

#[tokio::test(start_paused = true)]
async fn nothing_is_allocated_per_viewer() {
    let (few, many) = (allocations_with(10).await, allocations_with(500).await);
    // Timers and wake-ups differ a little from run to run; five hundred viewers do not show.
    assert!(many <= few + 60, "{few} allocations for 10 viewers, {many} for 500");
}

#[tokio::test(start_paused = true)]
async fn a_great_crowd_does_not_keep_the_core_to_itself() {
    let mut world = World::new();
    let recipe = Recipe::default();
    world.append(&recipe.frames_for(1000));
    let mut crowd = Vec::new();
    for _ in 0..1000 {
        crowd.push(world.seat(Pipe::forgetful(), Form::Flv, Lag::LIVE).await);
    }
    pass(2 * FLUSH).await;
    let asked: Vec<_> = crowd.iter().map(|v| Arc::clone(&v.pipe)).collect();
    let written = move || asked.iter().map(|p| p.with(|i| i.asked)).sum::<usize>();
    // Somebody else on this core notes at each of its turns how far the writes have come.
    let bystander = tokio::spawn(async move {
        let before = written();
        let mut seen = vec![before];
        while written() < before + 1000 {
            tokio::task::yield_now().await;
            seen.push(written());
        }
        seen
    });
    world.append(&between(&recipe, 1000, 1100));
    settle().await;
    // By hand: the clock does not move by itself while somebody is busy.
    tokio::time::advance(2 * FLUSH).await;
    let seen = bystander.await.unwrap();
    let longest = seen.windows(2).map(|w| w[1] - w[0]).max().unwrap();
    // The pump pauses after 128 writes; the runtime may give it two turns in a row.
    assert!(longest <= 256, "{longest} writes between two turns of another");
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_asks_and_does_not_read_is_cut() {
    let mut world = World::new();
    world.append(&Recipe::default().frames_for(1000));
    let viewer = world.seat(Pipe::new(Some(100)), RTMP, Lag::LIVE).await;
    for _ in 0..70 {
        viewer.handle.say(vec![0; 1024]).await;
        settle().await;
    }
    let done = tokio::time::timeout(Duration::from_secs(1), viewer.done).await.unwrap().unwrap();
    assert_eq!(done.why, End::TooSlow, "long before its twenty seconds are over");
}
