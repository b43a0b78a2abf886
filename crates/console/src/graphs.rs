//! The last minutes of streams that somebody looks at, second by second.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use thalweg_hub::{Hub, PublisherSnapshot, StreamKey, StreamSnapshot};
use utoipa::ToSchema;

use crate::console::now_unix_s;

/// The graphs that are drawn: only those of streams that were asked for lately.
#[derive(Debug, Default)]
pub(crate) struct Graphs(Mutex<BTreeMap<StreamKey, Graph>>);

#[derive(Debug)]
struct Graph {
    asked: Instant,
    seconds: VecDeque<Second>,
}

/// A second of a stream.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Second {
    /// UNIX seconds.
    at: u64,
    /// Bits a second of video, mean of the last 6.
    video_bits: u64,
    /// The same of sound.
    audio_bits: u64,
    /// Pictures a second, mean of the last 6.
    fps: f32,
    /// The longest time without a picture that ended in this second or the one before, or that lasts, ms; without sound
    /// where there are no pictures. Null while nobody publishes.
    gap_ms: Option<u64>,
    /// How many watch.
    viewers: u64,
}

impl Graphs {
    /// What is known of a stream's last minutes. From now on it is drawn, for a while.
    pub(crate) fn of(&self, key: &StreamKey) -> Vec<Second> {
        let mut graphs = self.lock();
        if let Some(graph) = graphs.get_mut(key) {
            graph.asked = Instant::now();
            return graph.seconds.iter().cloned().collect();
        }
        if graphs.len() < GRAPHS_MAX {
            let graph = Graph { asked: Instant::now(), seconds: VecDeque::new() };
            graphs.insert(key.clone(), graph);
        }
        Vec::new()
    }

    /// Draws, without end.
    pub(crate) async fn run(&self, hub: &Hub) {
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tick.tick().await;
            let is_empty = {
                let mut graphs = self.lock();
                graphs.retain(|_, graph| graph.asked.elapsed() < KEPT);
                graphs.is_empty()
            };
            if !is_empty {
                let snapshot = hub.snapshot(Instant::now());
                self.draw(&snapshot.streams);
            }
        }
    }

    fn draw(&self, streams: &[StreamSnapshot]) {
        let at = now_unix_s();
        let mut graphs = self.lock();
        for stream in streams {
            let Some(graph) = graphs.get_mut(&stream.key) else { continue };
            if graph.seconds.len() == SECONDS_MAX {
                graph.seconds.pop_front();
            }
            graph.seconds.push_back(Second {
                at,
                video_bits: stream.video.map_or(0, |v| v.bits_per_s),
                audio_bits: stream.audio.map_or(0, |a| a.bits_per_s),
                fps: stream.video.map_or(0.0, |v| v.fps),
                gap_ms: stream.publisher.as_ref().map(gap_ms),
                viewers: stream.viewers.iter().map(|(_, n)| n).sum(),
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamKey, Graph>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn gap_ms(publisher: &PublisherSnapshot) -> u64 {
    publisher.longest_gap.unwrap_or(publisher.silent).as_millis() as u64
}

/// Five minutes.
const SECONDS_MAX: usize = 300;
/// Graphs drawn at one time: at 300 seconds of 48 bytes, 3 MB.
const GRAPHS_MAX: usize = 200;
/// How long a graph is drawn that nobody asks for.
const KEPT: Duration = Duration::from_secs(120);
