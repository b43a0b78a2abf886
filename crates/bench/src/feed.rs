//! Publishers of the same media, to as many streams as are wanted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use thalweg_client::{Error, Publisher, Trust};

use crate::media::{Media, Source};

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

impl Feed {
    /// Publishes to each of the URLs; each for so long and then again, if that is said.
    pub(crate) fn start(
        urls: Vec<String>,
        media: &Media,
        trust: &Trust,
        each: Option<Duration>,
    ) -> std::io::Result<Feed> {
        let shared = Arc::new(Shared::default());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (inside, media, trust) = (Arc::clone(&shared), media.clone(), trust.clone());
        let thread = std::thread::Builder::new().name("feed".to_owned()).spawn(move || {
            runtime.block_on(async {
                for url in urls {
                    let (shared, media, trust) =
                        (Arc::clone(&inside), media.clone(), trust.clone());
                    tokio::spawn(async move { feed(&url, &media, &trust, each, &shared).await });
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

async fn feed(url: &str, media: &Media, trust: &Trust, each: Option<Duration>, shared: &Shared) {
    loop {
        if publish(url, media, trust, each, &shared.live).await.is_err() {
            shared.failures.fetch_add(1, Ordering::Relaxed);
            return;
        }
    }
}

/// Publishes until the connection fails, or for so long.
async fn publish(
    url: &str,
    media: &Media,
    trust: &Trust,
    duration: Option<Duration>,
    live: &AtomicUsize,
) -> Result<(), Error> {
    let mut publisher = Publisher::connect_with(url, trust).await?;
    live.fetch_add(1, Ordering::Relaxed);
    let began = Instant::now();
    let mut source = Source::new(media);
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
