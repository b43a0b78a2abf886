//! A server on loopback, on ports the system chose, with keys the tests know.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    unreachable_pub,
    reason = "each file uses its part, and a helper that panics has said why"
)]

pub mod log;
pub mod udp;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use thalweg_access::{
    Account, Action, Domain, Expiry, Key, Keys, Policy, PolicyHandle, Profile, Purpose, Revoked,
    Scheme, Schemes, SignedQuery, Subject, Token,
};
use thalweg_client::{Error, Player, Publisher, Trust};
use thalweg_hub::{Hub, StreamSnapshot};
use thalweg_server::tls::local::{Authority, names_for};
use thalweg_server::{Config, LoadError, Pages, Reloader, RemoteAuth, Server};
pub use thalweg_testkit::folder::Folder;
use thalweg_wire::media::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub struct TestServer {
    pub rtmp: SocketAddr,
    pub http: SocketAddr,
    pub https: Option<SocketAddr>,
    pub operator: SocketAddr,
    pub hub: Hub,
    pub policy: PolicyHandle,
    pub reloader: Reloader,
    /// What it keeps: gone with it.
    data: Folder,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

pub const PUSH_KEY: &str = "the push key of the tests";
pub const PLAY_KEY: &str = "the play key of the tests";

impl TestServer {
    pub fn start() -> Self {
        TestServer::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        TestServer::build(change, |server| server)
    }

    /// A server that asks accounts' own back ends by this.
    pub fn with_remote(remote: Arc<dyn RemoteAuth>) -> Self {
        TestServer::build(|_| {}, |server| server.with_remote(remote))
    }

    fn build(change: impl FnOnce(&mut Config), finish: impl FnOnce(Server) -> Server) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut config = Config::default();
        config.rtmp.listen = Some(any);
        config.http.listen = Some(any);
        config.https.listen = Some(any);
        config.operator.listen = any;
        config.play.wait_s = 2;
        let data = Folder::new(&format!("server-{}", SERVERS.fetch_add(1, Ordering::Relaxed)));
        data.path().clone_into(&mut config.data_dir);
        change(&mut config);
        let policy = PolicyHandle::new(policy(false));
        let server = finish(load(&config, &policy));
        let (stop, stopped) = oneshot::channel::<()>();
        let (rtmp, http) = (server.rtmp_address().unwrap(), server.http_address().unwrap());
        let (operator, hub) = (server.operator_address().unwrap(), server.hub().clone());
        let (https, reloader) = (server.https_address().unwrap(), server.reloader());
        let task = tokio::spawn(server.run(Pages::default(), async {
            let _ = stopped.await;
        }));
        let (stop, task) = (Some(stop), Some(task));
        TestServer { rtmp, http, https, operator, hub, policy, reloader, data, stop, task }
    }

    /// A server with a certificate, and whom to trust to believe it.
    pub fn secure(folder: &Folder) -> (Self, Trust) {
        let authority = Authority::open(folder.path()).unwrap();
        let certificate = authority.issue(&names_for("localhost")).unwrap();
        let trust = Trust::system().and(authority.certificate().as_bytes()).unwrap();
        (TestServer::with(|c| c.certificates = vec![certificate]), trust)
    }

    /// Begins to stop.
    pub fn stop(&mut self) -> JoinHandle<()> {
        drop(self.stop.take());
        self.task.take().unwrap()
    }

    pub fn push_url(&self, stream: &str) -> String {
        format!("rtmp://{}/live/{stream}?{}", self.rtmp, signature(PUSH_KEY, stream, 3600))
    }

    pub fn rtmp_url(&self, stream: &str) -> String {
        format!("rtmp://{}/live/{stream}", self.rtmp)
    }

    pub fn flv_url(&self, stream: &str) -> String {
        format!("http://{}/live/{stream}.flv", self.http)
    }

    /// Every way to watch: a scheme and a URL of it. The secure ones only where there is TLS.
    pub fn play_urls(&self, stream: &str) -> Vec<(&'static str, String)> {
        let plain = [("rtmp", self.rtmp), ("http", self.http), ("ws", self.http)];
        let secure =
            self.https.map(|https| [("rtmps", self.rtmp), ("https", https), ("wss", https)]);
        let all = plain.into_iter().chain(secure.into_iter().flatten());
        let suffix = |scheme: &str| if scheme.starts_with("rtmp") { "" } else { ".flv" };
        all.map(|(scheme, at)| (scheme, format!("{scheme}://{at}/live/{stream}{}", suffix(scheme))))
            .collect()
    }

    /// Every way to publish, not yet signed.
    pub fn push_doors(&self, stream: &str) -> Vec<(&'static str, String)> {
        let can_push = |(scheme, _): &(&str, String)| !scheme.starts_with("http");
        self.play_urls(stream).into_iter().filter(can_push).collect()
    }

    /// Every way to publish.
    pub fn push_urls(&self, stream: &str) -> Vec<(&'static str, String)> {
        let signature = signature(PUSH_KEY, stream, 3600);
        let urls = self.push_doors(stream).into_iter();
        urls.map(|(scheme, url)| (scheme, format!("{url}?{signature}"))).collect()
    }

    /// Waits until nobody publishes a stream.
    pub async fn until_vacant(&self, name: &str) {
        let is_vacant = || {
            let all = self.hub.snapshot(std::time::Instant::now()).streams;
            all.iter().all(|s| &*s.key.name != name || s.publisher.is_none())
        };
        for _ in 0..500 {
            if is_vacant() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("five seconds, and {name} is still published");
    }

    pub async fn publish(&self, stream: &str) -> Publisher {
        Publisher::connect(&self.push_url(stream)).await.unwrap()
    }

    /// Sends one HTTP request and reads everything that comes back.
    pub async fn http(&self, request: &str) -> String {
        exchange(self.http, request.as_bytes()).await
    }

    /// The one stream of that name.
    pub fn stream(&self, name: &str) -> StreamSnapshot {
        let all = self.hub.snapshot(std::time::Instant::now()).streams;
        all.into_iter().find(|s| &*s.key.name == name).unwrap()
    }

    /// Waits until something holds of a stream.
    pub async fn until(&self, name: &str, holds: impl Fn(&StreamSnapshot) -> bool) {
        for _ in 0..500 {
            let all = self.hub.snapshot(std::time::Instant::now()).streams;
            if all.iter().any(|s| &*s.key.name == name && holds(s)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("five seconds, and it still does not hold of {name}");
    }
}

/// UDP gets the number of the TCP port, which the system chose: it may be in use.
fn load(config: &Config, policy: &PolicyHandle) -> Server {
    for _ in 0..10 {
        match Server::load(config.clone(), policy.reader()) {
            Err(LoadError::PortInUse { .. }) => {}
            loaded => return loaded.unwrap(),
        }
    }
    panic!("ten ports are in use");
}

static SERVERS: AtomicUsize = AtomicUsize::new(0);

pub fn policy(play_auth: bool) -> Policy {
    policy_with(play_auth, Revoked::default())
}

pub fn policy_with(play_auth: bool, revoked: Revoked) -> Policy {
    let domain = |action, key: &str, auth| Domain {
        action,
        host: None,
        keys: Keys::new(Key::new(key)),
        auth,
        validity_s: 0,
        schemes: Schemes::Any,
    };
    let domains =
        vec![domain(Action::Push, PUSH_KEY, true), domain(Action::Play, PLAY_KEY, play_auth)];
    Policy::new(vec![Account { revoked, ..Account::new("1", domains) }]).unwrap()
}

/// The same in the vendor's profile.
pub fn vendor_policy() -> Policy {
    let account = policy(false).default_account().clone();
    Policy::new(vec![Account { profile: Profile::Vendor, ..account }]).unwrap()
}

/// Signs a stream of `live` with the strong signature, for an hour. The token may be changed.
pub fn strong(
    key: &str,
    stream: &str,
    purpose: Purpose,
    change: impl FnOnce(&mut Token),
) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let (from, sessions_max) = (None, None);
    let (expires_unix_s, not_before_unix_s) = (now + 3600, Some(now));
    let mut token = Token { purpose, expires_unix_s, not_before_unix_s, from, sessions_max };
    change(&mut token);
    let subject = Subject { account: "1", app: "live", stream };
    SignedQuery::strong(&Key::new(key), subject, &token).unwrap().text
}

/// Signs a stream until so many seconds from now.
pub fn signature(key: &str, stream: &str, from_now_s: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let expiry = Expiry { unix_s: now.saturating_add_signed(from_now_s) };
    SignedQuery::new(&Key::new(key), Scheme::Md5, stream, expiry).text
}

pub async fn exchange(to: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads `n` frames, headers included.
pub async fn read(player: &mut Player, n: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    while frames.len() < n {
        let next = tokio::time::timeout(Duration::from_secs(10), player.next_frame());
        frames.push(next.await.expect("a frame within ten seconds").unwrap());
    }
    frames
}

/// Reads until the stream ends, and answers how it did.
pub async fn read_to_end(player: &mut Player) -> (Vec<Frame>, Error) {
    let mut frames = Vec::new();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(10), player.next_frame());
        match next.await.expect("a frame or an end within ten seconds") {
            Ok(frame) => frames.push(frame),
            Err(error) => return (frames, error),
        }
    }
}

pub async fn send(publisher: &mut Publisher, frames: &[Frame]) {
    for frame in frames {
        publisher.send(frame).await.unwrap();
    }
}

/// What must be equal at both ends: kind, payload, and distance to the first of these frames.
pub fn essence(frames: &[Frame]) -> Vec<(u8, i64, Vec<u8>)> {
    let zero = frames.first().map_or(0, |f| f.dts);
    frames.iter().map(|f| (f.kind as u8, f.dts - zero, f.payload.to_vec())).collect()
}
