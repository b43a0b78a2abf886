//! Real receivers that lie, redirect, dawdle or never end; and names that lead inside.
#![allow(clippy::unwrap_used)]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use thalweg_console::hooks::post::{Client, Message, Post, Resolve, Undelivered};
use thalweg_console::hooks::target::{Allow, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answers each question with the next list, then with the last again.
#[derive(Debug, Clone)]
struct Lies {
    answers: Vec<Vec<&'static str>>,
    asked: Arc<AtomicUsize>,
}

impl Lies {
    fn new(answers: &[&[&'static str]]) -> Lies {
        Lies { answers: answers.iter().map(|a| a.to_vec()).collect(), asked: Arc::default() }
    }
}

#[async_trait]
impl Resolve for Lies {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<IpAddr>> {
        let n = self.asked.fetch_add(1, SeqCst).min(self.answers.len() - 1);
        Ok(self.answers[n].iter().map(|a| a.parse().unwrap()).collect())
    }
}

/// A receiver that counts who connects, and does with each request what it is told.
async fn receiver<F>(
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            counter.fetch_add(1, SeqCst);
            let mut head = [0; 4096];
            let _ = socket.read(&mut head).await;
            tokio::spawn(serve(socket));
        }
    });
    (address, count)
}

async fn says(answer: &'static str) -> (SocketAddr, Arc<AtomicUsize>) {
    receiver(move |mut socket| async move {
        socket.write_all(answer.as_bytes()).await?;
        socket.shutdown().await
    })
    .await
}

fn message(url: &str, within_ms: u64) -> Message {
    let (body, signature) = ("{}".to_owned(), Some("t=1, v1=ab".to_owned()));
    let within = Duration::from_millis(within_ms);
    Message { target: Target::parse(url).unwrap(), body, signature, within }
}

fn inside() -> Allow {
    Allow::parse(&["127.0.0.0/8"]).unwrap()
}

async fn post(address: SocketAddr, within_ms: u64) -> Result<u16, Undelivered> {
    let url = format!("http://{address}/told?secret=s3cret");
    Client::new(inside()).post(&message(&url, within_ms)).await
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"code\":0}";

#[tokio::test]
async fn a_request_arrives_whole() {
    let (sender, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"{}") {
            socket.read_buf(&mut request).await.unwrap();
        }
        sender.send(String::from_utf8(request).unwrap()).unwrap();
        socket.write_all(OK.as_bytes()).await.unwrap();
    });
    assert_eq!(post(address, 5000).await, Ok(200));
    let request = requests.recv().await.unwrap().to_lowercase();
    for part in [
        "post /told?secret=s3cret http/1.1\r\n".to_owned(),
        format!("host: {address}\r\n"),
        "content-type: application/json\r\n".to_owned(),
        "x-thalweg-signature: t=1, v1=ab\r\n".to_owned(),
        "content-length: 2\r\n".to_owned(),
    ] {
        assert!(request.contains(&part), "{part:?} in {request}");
    }
}

#[tokio::test]
async fn nobody_is_called_inside() {
    let (address, count) = says(OK).await;
    let strict = Client::new(Allow::default());
    for host in ["127.0.0.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"] {
        let url = format!("http://{host}:{}/", address.port());
        let answer = strict.post(&message(&url, 5000)).await;
        assert_eq!(answer, Err(Undelivered::Forbidden), "{host}");
    }
    let metadata = strict.post(&message("http://169.254.169.254/latest/", 5000)).await;
    assert_eq!(metadata, Err(Undelivered::Forbidden));
    assert_eq!(count.load(SeqCst), 0);
}

#[tokio::test]
async fn one_address_inside_is_enough_to_distrust_a_name() {
    let (address, count) = says(OK).await;
    let lies = Lies::new(&[&["203.0.114.1", "127.0.0.1"]]);
    let url = format!("http://hooks.example.com:{}/", address.port());
    let client = Client::with_resolver(Allow::default(), lies);
    assert_eq!(client.post(&message(&url, 5000)).await, Err(Undelivered::Forbidden));
    assert_eq!(count.load(SeqCst), 0);
}

/// A name that is good when it is looked at and leads inside when it is called.
#[tokio::test]
async fn a_name_is_resolved_once_a_request() {
    let (address, count) = says(OK).await;
    let lies = Lies::new(&[&["127.0.0.1"], &["10.0.0.7"]]);
    let asked = Arc::clone(&lies.asked);
    let client = Client::with_resolver(inside(), lies);
    let url = format!("http://hooks.example.com:{}/", address.port());
    assert_eq!(client.post(&message(&url, 5000)).await, Ok(200));
    assert_eq!((asked.load(SeqCst), count.load(SeqCst)), (1, 1));
    // And anew for the next: nothing is believed for longer.
    assert_eq!(client.post(&message(&url, 5000)).await, Err(Undelivered::Forbidden));
    assert_eq!(count.load(SeqCst), 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_a_way() {
    let (aim, count) = says(OK).await;
    let (address, _) = receiver(move |mut socket| async move {
        let answer =
            format!("HTTP/1.1 307 Go\r\nLocation: http://{aim}/\r\nContent-Length: 0\r\n\r\n");
        socket.write_all(answer.as_bytes()).await
    })
    .await;
    assert_eq!(post(address, 5000).await, Ok(307));
    assert_eq!(count.load(SeqCst), 0);
}

#[tokio::test]
async fn whoever_dawdles_is_left() {
    let (silent, _) = receiver(|socket| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(socket);
        Ok(())
    })
    .await;
    // A byte at a time, each in time.
    let (trickles, _) = receiver(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n").await?;
        loop {
            socket.write_all(b" ").await?;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    for address in [silent, trickles] {
        let began = Instant::now();
        let answer = post(address, 300).await;
        assert_eq!(answer, Err(Undelivered::Late(Duration::from_millis(300))));
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn an_answer_has_an_end() {
    let (endless, _) = receiver(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await?;
        loop {
            socket.write_all(b"1000\r\n").await?;
            socket.write_all(&[b'a'; 0x1000]).await?;
            socket.write_all(b"\r\n").await?;
        }
    })
    .await;
    assert_eq!(post(endless, 10_000).await, Err(Undelivered::TooLong));
    let (endless_head, _) = receiver(|mut socket| async move {
        socket.write_all(b"HTTP/1.1 200 OK\r\n").await?;
        loop {
            socket.write_all(b"X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").await?;
        }
    })
    .await;
    assert!(matches!(post(endless_head, 10_000).await, Err(Undelivered::Garbled(_))));
}

#[tokio::test]
async fn whoever_speaks_something_else_has_not_answered() {
    for answer in ["", "hello\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort"] {
        let (address, _) = says(answer).await;
        let answer = post(address, 5000).await;
        assert!(matches!(answer, Err(Undelivered::Garbled(_))), "{answer:?}");
        let text = answer.unwrap_err().to_string();
        assert!(!text.contains("s3cret"), "{text}");
    }
    // TLS is not spoken there.
    let (address, _) = says(OK).await;
    let client = Client::new(inside());
    let answer = client.post(&message(&format!("https://{address}/"), 5000)).await;
    assert!(matches!(answer, Err(Undelivered::Connect(_))), "{answer:?}");
}

#[tokio::test]
async fn a_dead_address_does_not_stand_for_the_others() {
    let (address, count) = says(OK).await;
    let closed = TcpListener::bind("127.0.0.2:0").await.unwrap();
    drop(closed);
    let client = Client::with_resolver(inside(), Lies::new(&[&["127.0.0.2", "127.0.0.1"]]));
    let url = format!("http://hooks.example.com:{}/", address.port());
    assert_eq!(client.post(&message(&url, 5000)).await, Ok(200));
    assert_eq!(count.load(SeqCst), 1);
}
