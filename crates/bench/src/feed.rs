//! Publishers: the test clock, stamped, padded to a rate, to as many streams as are wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use thalweg_client::source::clock::Clock;
use thalweg_client::{Error, Publisher};
use thalweg_wire::media::Frame;

use crate::process::monotonic_ns;
use crate::stamp;

/// Publishers at work, on a thread of their own, until dropped.
#[derive(Debug)]
pub(crate) struct Feed {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    over: AtomicBool,
    live: AtomicUsize,
    failures: AtomicUsize,
}

/// Frames of a rate, each due at its time.
#[derive(Debug)]
pub(crate) struct Source {
    clock: Clock,
    picture_bytes: usize,
    pictures: u64,
}

impl Source {
    /// The clock at so many kbit/s, from now on.
    pub(crate) fn new(kbps: u32) -> Source {
        let all = kbps as usize * 1000 / 8;
        let picture_bytes = all.saturating_sub(SOUND_BYTES_PER_S) / PICTURES_PER_S;
        Source { clock: Clock::new(SystemTime::now()), picture_bytes, pictures: 0 }
    }

    /// The next frame, not yet stamped, and how long it is until it is due.
    pub(crate) fn next_frame(&mut self) -> (Frame, Duration) {
        let (frame, due) = self.clock.next_frame();
        (frame, due.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// Stamps a frame that leaves now.
    pub(crate) fn stamp(&mut self, frame: &Frame) -> Frame {
        let stamped = stamp::stamped(frame, self.pictures, monotonic_ns(), self.picture_bytes);
        self.pictures += u64::from(stamp::read(&stamped).is_some());
        stamped
    }
}

impl Feed {
    /// Publishes to each of the URLs; each for so long and then again, if that is said.
    pub(crate) fn start(
        urls: Vec<String>,
        kbps: u32,
        each: Option<Duration>,
    ) -> std::io::Result<Feed> {
        let shared = Arc::new(Shared::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let inside = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("feed".to_owned()).spawn(move || {
            runtime.block_on(async {
                for url in urls {
                    let shared = Arc::clone(&inside);
                    tokio::spawn(async move { feed(&url, kbps, each, &shared).await });
                }
                while !inside.over.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
        })?;
        Ok(Feed { shared, thread: Some(thread) })
    }

    /// Publishers that were let in and go on.
    pub(crate) fn live(&self) -> usize {
        self.shared.live.load(Ordering::Relaxed)
    }

    /// Publishers that were refused or cut.
    pub(crate) fn failures(&self) -> usize {
        self.shared.failures.load(Ordering::Relaxed)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn feed(url: &str, kbps: u32, each: Option<Duration>, shared: &Shared) {
    loop {
        if publish(url, kbps, each, &shared.live).await.is_err() {
            shared.failures.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
}

/// Publishes until the connection fails, or for so long.
async fn publish(
    url: &str,
    kbps: u32,
    duration: Option<Duration>,
    live: &AtomicUsize,
) -> Result<(), Error> {
    let mut publisher = Publisher::connect(url).await?;
    live.fetch_add(1, Ordering::Relaxed);
    let began = Instant::now();
    let mut source = Source::new(kbps);
    while duration.is_none_or(|d| began.elapsed() < d) {
        let (frame, wait) = source.next_frame();
        tokio::time::sleep(wait).await;
        let sent = publisher.send(&source.stamp(&frame)).await;
        if sent.is_err() {
            live.fetch_sub(1, Ordering::Relaxed);
            return sent;
        }
    }
    live.fetch_sub(1, Ordering::Relaxed);
    publisher.close().await
}

/// The clock's own: see `docs/ref/clock.md`.
const PICTURES_PER_S: usize = 25;
const SOUND_BYTES_PER_S: usize = 4000;
