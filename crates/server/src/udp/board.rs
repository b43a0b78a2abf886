//! How each viewer over UDP fares: written by its session, read when somebody asks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use thalweg_wire::rtmp_udp::Reset;
use thalweg_wire::rtmp_udp::control::Report;
use thalweg_wire::rtmp_udp::sender::Stats;

/// Every session, and the sums of those that are over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    rows: BTreeMap<u64, Arc<Row>>,
    past: Totals,
}

/// One viewer.
#[derive(Debug)]
pub(crate) struct Row {
    /// The stream, by name.
    pub(crate) stream: String,
    /// How many viewers the stream may have.
    pub(crate) viewers_max: u32,
    pub(crate) delay_ms: AtomicU64,
    pub(crate) buffer_ms: AtomicU64,
    pub(crate) freezes: AtomicU64,
    pub(crate) srtt_us: AtomicU64,
    pub(crate) packets_sent: AtomicU64,
    pub(crate) packets_lost: AtomicU64,
    pub(crate) gated_ms: AtomicU64,
    pub(crate) resets: [AtomicU64; Reset::ALL.len()],
}

/// What never shrinks, summed up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) packets_sent: u64,
    pub(crate) packets_lost: u64,
    pub(crate) gated_ms: u64,
    pub(crate) resets: [u64; Reset::ALL.len()],
}

/// A session's place. Dropping it takes it down.
#[derive(Debug)]
pub(crate) struct Entry {
    board: Board,
    number: u64,
    row: Arc<Row>,
}

impl Board {
    /// A session begins.
    pub(crate) fn enter(&self, stream: String, viewers_max: u32) -> Entry {
        let row = Arc::new(Row {
            stream,
            viewers_max,
            delay_ms: AtomicU64::default(),
            buffer_ms: AtomicU64::default(),
            freezes: AtomicU64::default(),
            srtt_us: AtomicU64::default(),
            packets_sent: AtomicU64::default(),
            packets_lost: AtomicU64::default(),
            gated_ms: AtomicU64::default(),
            resets: Default::default(),
        });
        let mut inner = self.inner();
        inner.next += 1;
        let number = inner.next;
        inner.rows.insert(number, Arc::clone(&row));
        Entry { board: self.clone(), number, row }
    }

    /// Every session by its number, and the sums over these and all before.
    pub(crate) fn read(&self) -> (Vec<(u64, Arc<Row>)>, Totals) {
        let inner = self.inner();
        let rows: Vec<_> = inner.rows.iter().map(|(n, row)| (*n, Arc::clone(row))).collect();
        let totals = rows.iter().fold(inner.past, |sums, (_, row)| sums.plus(row));
        (rows, totals)
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// What the viewer says.
    pub(crate) fn report(&self, report: &Report) {
        self.row.delay_ms.store(report.delay_ms.into(), Relaxed);
        self.row.buffer_ms.store(report.buffer_ms.into(), Relaxed);
        self.row.freezes.store(report.freezes.into(), Relaxed);
    }

    /// What the sending side says.
    pub(crate) fn sending(&self, stats: &Stats, vitals: &thalweg_quic::Vitals) {
        let row = &self.row;
        row.srtt_us.store(vitals.path.srtt.as_micros() as u64, Relaxed);
        row.packets_sent.store(vitals.packets_sent, Relaxed);
        row.packets_lost.store(vitals.packets_lost, Relaxed);
        row.gated_ms.store(stats.gated.as_millis() as u64, Relaxed);
        for (to, from) in row.resets.iter().zip(stats.dropped) {
            to.store(from, Relaxed);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut inner = self.board.inner();
        inner.rows.remove(&self.number);
        inner.past = inner.past.plus(&self.row);
    }
}

impl Totals {
    fn plus(self, row: &Row) -> Totals {
        let mut resets = self.resets;
        for (sum, n) in resets.iter_mut().zip(&row.resets) {
            *sum += n.load(Relaxed);
        }
        Totals {
            packets_sent: self.packets_sent + row.packets_sent.load(Relaxed),
            packets_lost: self.packets_lost + row.packets_lost.load(Relaxed),
            gated_ms: self.gated_ms + row.gated_ms.load(Relaxed),
            resets,
        }
    }
}
