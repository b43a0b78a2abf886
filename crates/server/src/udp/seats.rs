//! Viewers over UDP: at most so many a stream, whatever way they come and go.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use thalweg_access::Reason;
use thalweg_hub::StreamKey;
use tokio::sync::watch;

/// Who sits where.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seats {
    streams: Arc<Mutex<HashMap<StreamKey, Vec<Taken>>>>,
}

#[derive(Debug)]
struct Taken {
    session: Arc<str>,
    replaced: watch::Sender<bool>,
}

/// A viewer's seat. Dropping it leaves.
#[derive(Debug)]
pub(crate) struct Seat {
    of: Seats,
    stream: StreamKey,
    session: Arc<str>,
    replaced: watch::Receiver<bool>,
}

impl Seats {
    /// Takes a seat, unless there are as many viewers as may be. A viewer that comes back from
    /// another network takes its own again: it says the session it had, which only it was told.
    pub(crate) fn take(
        &self,
        stream: &StreamKey,
        session: &Arc<str>,
        resume: Option<&str>,
        max: u32,
    ) -> Result<Seat, Reason> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = streams.entry(stream.clone()).or_default();
        let before = taken.iter().position(|t| resume == Some(&*t.session));
        if let Some(n) = before {
            taken.remove(n).replaced.send_replace(true);
        } else if taken.len() >= max as usize {
            return Err(Reason::ViewerLimit);
        }
        let (replaced, is_replaced) = watch::channel(false);
        taken.push(Taken { session: Arc::clone(session), replaced });
        let (of, stream, session) = (self.clone(), stream.clone(), Arc::clone(session));
        Ok(Seat { of, stream, session, replaced: is_replaced })
    }

    /// Viewers of a stream.
    pub(crate) fn count(&self, stream: &StreamKey) -> usize {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.get(stream).map_or(0, Vec::len)
    }
}

impl Seat {
    /// Waits until the same viewer has come back elsewhere.
    pub(crate) async fn replaced(&mut self) {
        // The sender goes only with its seat, and that is this one.
        let _ = self.replaced.wait_for(|replaced| *replaced).await;
    }

    /// Viewers of the stream, this one included.
    pub(crate) fn viewers(&self) -> usize {
        self.of.count(&self.stream)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut streams = self.of.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = streams.get_mut(&self.stream) {
            taken.retain(|t| !Arc::ptr_eq(&t.session, &self.session));
            if taken.is_empty() {
                streams.remove(&self.stream);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> StreamKey {
        StreamKey::new("1", "live", "room")
    }

    fn take(seats: &Seats, session: &str, resume: Option<&str>) -> Result<Seat, Reason> {
        seats.take(&key(), &Arc::from(session), resume, 2)
    }

    #[test]
    fn as_many_as_may_be_and_no_more() {
        let seats = Seats::default();
        let first = take(&seats, "a", None).unwrap();
        let second = take(&seats, "b", None).unwrap();
        assert_eq!(take(&seats, "c", None).err(), Some(Reason::ViewerLimit));
        drop(first);
        let third = take(&seats, "c", None).unwrap();
        assert_eq!(third.viewers(), 2);
        drop((second, third));
        assert!(seats.streams.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_viewer_that_comes_back_takes_its_own_seat() {
        let seats = Seats::default();
        let mut old = take(&seats, "a", None).unwrap();
        let _other = take(&seats, "b", None).unwrap();
        let new = take(&seats, "a2", Some("a")).unwrap();
        old.replaced().await;
        drop(old);
        assert_eq!(new.viewers(), 2, "the old one's end takes nobody's seat");
        assert_eq!(take(&seats, "c", Some("made up")).err(), Some(Reason::ViewerLimit));
    }
}
