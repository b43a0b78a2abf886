//! Many viewers and their sockets: a thread that reads all of them once a tick, which keeps them
//! cheap, and a thread for each probe, which reads at once.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use thalweg_client::Target;
use thalweg_client::rustls::pki_types::ServerName;
use thalweg_client::rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::viewer::{Seen, Viewer};

/// Where a viewer goes, and how it behaves there.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    pub(crate) to: SocketAddr,
    pub(crate) place: Target,
    pub(crate) role: Role,
    /// How to speak TLS, and the name to expect there.
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

/// How a viewer behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads whatever has come, at each tick.
    Ordinary,
    /// Reads at once, and checks every byte.
    Probe,
    /// Reads nothing once it has seen a picture.
    Stalled,
    /// Reads so many bytes a tick.
    Slow(usize),
    /// An ordinary one that comes with the storm.
    Joiner,
}

/// Who came, and what became of them.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) role: Role,
    pub(crate) seen: Seen,
    /// Why it is over, if it is.
    pub(crate) fate: Option<String>,
}

/// Viewers at work.
#[derive(Debug)]
pub(crate) struct Crowd {
    phase: Arc<AtomicU8>,
    threads: Vec<JoinHandle<Vec<Member>>>,
}

/// Who is to come, and when.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seats: Vec<Seat>,
    pub(crate) joiners: Vec<Seat>,
    pub(crate) ramp_per_s: u32,
    pub(crate) tick: Duration,
}

impl Crowd {
    /// Begins to seat them.
    pub(crate) fn start(plan: Plan) -> io::Result<Crowd> {
        let phase = Arc::new(AtomicU8::new(SEATING));
        let (probes, others) = plan.seats.into_iter().partition(|s| s.role == Role::Probe);
        let plan = Plan { seats: others, ..plan };
        let spawn = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let inside = Arc::clone(&phase);
        let mut threads = vec![spawn("crowd").spawn(move || Sweep::new(plan, &inside).run())?];
        let probes: Vec<Seat> = probes;
        for seat in probes {
            let inside = Arc::clone(&phase);
            threads.push(spawn("probe").spawn(move || vec![probe(&seat, &inside)])?);
        }
        Ok(Crowd { phase, threads })
    }

    /// Everyone counts anew from here.
    pub(crate) fn measure(&self) {
        self.phase.store(MEASURING, Ordering::Relaxed);
    }

    /// Those who come at once, come.
    pub(crate) fn storm(&self) {
        self.phase.store(STORMING, Ordering::Relaxed);
    }

    /// Sends everyone home.
    pub(crate) fn finish(mut self) -> Vec<Member> {
        self.phase.store(OVER, Ordering::Relaxed);
        let threads = std::mem::take(&mut self.threads);
        threads.into_iter().filter_map(|t| t.join().ok()).flatten().collect()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.phase.store(OVER, Ordering::Relaxed);
    }
}

/// A viewer and its socket.
#[derive(Debug)]
struct Sitting {
    socket: Option<Socket>,
    viewer: Viewer,
    role: Role,
    fate: Option<String>,
}

/// A socket, with or without TLS.
#[derive(Debug)]
enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Socket {
    /// Connects and shakes hands.
    fn open(seat: &Seat) -> Result<Socket, String> {
        let tcp = TcpStream::connect_timeout(&seat.to, CONNECT_MAX);
        let mut tcp = tcp.map_err(|e| format!("cannot connect: {e}"))?;
        let Some((config, name)) = &seat.tls else { return Ok(Socket::Plain(tcp)) };
        // A server that says nothing must not keep the others waiting.
        tcp.set_read_timeout(Some(CONNECT_MAX)).map_err(|e| e.to_string())?;
        let connection = ClientConnection::new(Arc::clone(config), name.clone());
        let mut connection = connection.map_err(|e| e.to_string())?;
        while connection.is_handshaking() {
            connection.complete_io(&mut tcp).map_err(|e| format!("no TLS: {e}"))?;
        }
        Ok(Socket::Tls(Box::new(StreamOwned::new(connection, tcp))))
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Socket::Plain(tcp) => tcp,
            Socket::Tls(tls) => tls.get_ref(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Plain(tcp) => tcp.read(buffer),
            Socket::Tls(tls) => tls.read(buffer),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Socket::Plain(tcp) => tcp.write_all(bytes),
            Socket::Tls(tls) => tls.write_all(bytes),
        }
    }
}

impl Sitting {
    fn new(seat: &Seat, number: u64) -> Sitting {
        let is_probe = seat.role == Role::Probe;
        let viewer = match &seat.place {
            Target::Rtmp(rtmp) => Viewer::rtmp(rtmp.address.clone(), number, is_probe),
            Target::Http(http) => Viewer::http(&http.authority, &http.path, is_probe),
            Target::WebSocket(ws) => Viewer::websocket(&ws.authority, &ws.path, is_probe),
        };
        let mut sitting = Sitting { socket: None, viewer, role: seat.role, fate: None };
        match Socket::open(seat) {
            Ok(socket) => sitting.socket = Some(socket),
            Err(why) => sitting.fate = Some(why),
        }
        sitting
    }

    fn set(mut self, how: impl FnOnce(&TcpStream) -> io::Result<()>) -> Self {
        if let Some(Err(error)) = self.socket.as_ref().map(|s| how(s.tcp())) {
            self.fail(error.to_string());
        }
        self
    }

    fn fail(&mut self, why: String) {
        self.fate.get_or_insert(why);
        self.socket = None;
    }

    /// Reads once, at most `max` bytes, and answers whether there may be more.
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        let Some(socket) = &mut self.socket else { return false };
        let read = socket.read(buffer);
        let now = Instant::now();
        let handled = match read {
            Ok(0) => Err("the server closed".to_owned()),
            // Inside of TLS a read ends with a record.
            Ok(n) => {
                let may_be_more = n == buffer.len() || matches!(socket, Socket::Tls(_));
                self.viewer.handle(&buffer[..n], now).map(|()| may_be_more)
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(e) => Err(e.to_string()),
        };
        match handled.and_then(|more| self.write().map(|()| more)) {
            Ok(more) => more,
            Err(why) => {
                self.fail(why);
                false
            }
        }
    }

    /// Sends what the viewer has to say: a few hundred bytes, for which there is always room.
    fn write(&mut self) -> Result<(), String> {
        if let (false, Some(socket)) = (self.viewer.unsent.is_empty(), &mut self.socket) {
            socket.write_all(&self.viewer.unsent).map_err(|e| e.to_string())?;
            self.viewer.unsent.clear();
        }
        Ok(())
    }

    fn into_member(mut self) -> Member {
        self.viewer.finish(Instant::now());
        Member { role: self.role, seen: self.viewer.seen, fate: self.fate }
    }
}

/// The thread that reads everyone in turn.
struct Sweep<'a> {
    plan: Plan,
    phase: &'a AtomicU8,
    sitting: Vec<Sitting>,
    next: usize,
}

impl<'a> Sweep<'a> {
    fn new(plan: Plan, phase: &'a AtomicU8) -> Self {
        Sweep { plan, phase, sitting: Vec::new(), next: 0 }
    }

    fn run(mut self) -> Vec<Member> {
        let (began, mut buffer) = (Instant::now(), vec![0; READ_BYTES]);
        let mut before = SEATING;
        loop {
            let sweep_began = Instant::now();
            let phase = self.phase.load(Ordering::Relaxed);
            if phase == OVER {
                return self.sitting.into_iter().map(Sitting::into_member).collect();
            }
            if before == SEATING && phase != SEATING {
                self.sitting.iter_mut().for_each(|s| s.viewer.restart());
            }
            if before != STORMING && phase == STORMING {
                for seat in std::mem::take(&mut self.plan.joiners) {
                    self.seat(&seat);
                }
            }
            before = phase;
            let due = (began.elapsed().as_secs_f64() * f64::from(self.plan.ramp_per_s)) as usize;
            while self.next < due.min(self.plan.seats.len()) {
                let seat = self.plan.seats[self.next].clone();
                self.seat(&seat);
                self.next += 1;
            }
            self.sitting.iter_mut().for_each(|s| read_all(s, &mut buffer));
            std::thread::sleep(self.plan.tick.saturating_sub(sweep_began.elapsed()));
        }
    }

    fn seat(&mut self, seat: &Seat) {
        let number = self.sitting.len() as u64;
        let mut sitting = Sitting::new(seat, number);
        // Said while the socket still waits, so that nothing has to be tried again.
        if let Err(why) = sitting.write() {
            sitting.fail(why);
        }
        self.sitting.push(sitting.set(|socket| socket.set_nonblocking(true)));
    }
}

fn read_all(sitting: &mut Sitting, buffer: &mut [u8]) {
    let buffer = match sitting.role {
        Role::Stalled if sitting.viewer.is_playing() => return,
        Role::Slow(bytes) => {
            let len = bytes.min(buffer.len());
            sitting.read(&mut buffer[..len]);
            return;
        }
        Role::Ordinary | Role::Probe | Role::Stalled | Role::Joiner => buffer,
    };
    while sitting.read(buffer) {}
}

/// A viewer that sleeps in its read.
fn probe(seat: &Seat, phase: &AtomicU8) -> Member {
    let wait = |socket: &TcpStream| socket.set_read_timeout(Some(PROBE_LOOK));
    let mut sitting = Sitting::new(seat, 0).set(wait);
    if let Err(why) = sitting.write() {
        sitting.fail(why);
    }
    let (mut buffer, mut is_measuring) = (vec![0; READ_BYTES], false);
    loop {
        match phase.load(Ordering::Relaxed) {
            OVER => return sitting.into_member(),
            SEATING => {}
            _ if !is_measuring => {
                is_measuring = true;
                sitting.viewer.restart();
            }
            _ => {}
        }
        if sitting.socket.is_none() {
            std::thread::sleep(PROBE_LOOK);
        }
        sitting.read(&mut buffer);
    }
}

const SEATING: u8 = 0;
const MEASURING: u8 = 1;
const STORMING: u8 = 2;
const OVER: u8 = 3;
const READ_BYTES: usize = 256 << 10;
const CONNECT_MAX: Duration = Duration::from_secs(5);
const PROBE_LOOK: Duration = Duration::from_millis(100);
