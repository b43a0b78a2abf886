//! HOT PATH. From the log of a stream to the sockets of its viewers.
//!
//! A few pumps, one a core, walk all viewers. What is new in a stream is gathered for the flush
//! interval its viewers asked for, written out once per form into one buffer, and that buffer goes
//! to every viewer that is level with one plain write each. Budget, per stream, pump and flush: two
//! or three short locks of the log, one concatenation per form. Per level viewer and flush: one
//! write; nothing is compared, allocated, copied, formatted, locked or counted for it.
//!
//! Whoever is not level - newcomers, sockets that are full, viewers that lost pictures - is a
//! straggler: served one by one, by vectored writes of the payloads where they lie.

mod deck;
mod form;
mod lane;
mod pump;
mod viewer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use thalweg_hub::Filter;
use tokio::sync::mpsc;

pub use form::Form;
use pump::{Command, Pump};
pub use viewer::{Done, End, OnDone, Seat};

/// All pumps.
#[derive(Debug)]
pub struct Egress {
    pumps: Vec<mpsc::Sender<Command>>,
    next: AtomicUsize,
    ids: AtomicU64,
    seated: Arc<AtomicUsize>,
}

/// A viewer's place in a pump, for whoever speaks with the peer meanwhile. Dropping it lets the
/// viewer go, unless it was [`left alone`](Handle::leave_alone).
#[derive(Debug)]
pub struct Handle {
    pump: mpsc::Sender<Command>,
    id: u64,
    attached: bool,
}

impl Egress {
    /// Starts `pumps` pumps on the current runtime. Viewers that read less than
    /// `bytes_per_s_min` are cut.
    pub fn start(pumps: usize, bytes_per_s_min: u64) -> Arc<Self> {
        let seated = Arc::new(AtomicUsize::new(0));
        let pumps = (0..pumps.max(1))
            .map(|_| {
                let (sender, commands) = mpsc::channel(COMMANDS_MAX);
                let pump = Pump::new(commands, Arc::clone(&seated), bytes_per_s_min);
                tokio::spawn(pump.run());
                sender
            })
            .collect();
        Arc::new(Egress { pumps, next: AtomicUsize::new(0), ids: AtomicU64::new(0), seated })
    }

    /// Seats a viewer: it is served from now on until it leaves.
    pub async fn seat(&self, seat: Seat) -> Handle {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let pump = self.pumps[turn % self.pumps.len()].clone();
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        // A pump that is gone has dropped the seat, and whoever waits on it hears of that.
        let _ = pump.send(Command::Seat(id, Box::new(seat))).await;
        Handle { pump, id, attached: true }
    }

    /// Viewers being served, now.
    pub fn seated(&self) -> usize {
        self.seated.load(Ordering::Relaxed)
    }
}

impl Handle {
    /// Sends bytes of the protocol between two messages of media.
    pub async fn say(&self, bytes: Vec<u8>) {
        let _ = self.pump.send(Command::Say(self.id, bytes)).await;
    }

    /// Stops the media, or goes on with it at the live edge.
    pub async fn pause(&self, pause: bool) {
        let _ = self.pump.send(Command::Pause(self.id, pause)).await;
    }

    /// Changes which kinds of media are sent.
    pub async fn set_filter(&self, filter: Filter) {
        let _ = self.pump.send(Command::Filter(self.id, filter)).await;
    }

    /// Lets the viewer go at the next message border. It hears of that like of any other end.
    pub async fn dismiss(&self) {
        let _ = self.pump.send(Command::Dismiss(self.id)).await;
    }

    /// Leaves the viewer to the pump.
    pub fn leave_alone(mut self) {
        self.attached = false;
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.attached {
            // A full inbox keeps the viewer until its socket fails, which it does: its driver,
            // who dropped this, is gone.
            let _ = self.pump.try_send(Command::Dismiss(self.id));
        }
    }
}

/// Commands that may wait for a pump: a second of a busy one.
const COMMANDS_MAX: usize = 4096;
