//! The handshake, simple and digest, both sides (RTMP 1.0 section 5.2).
//!
//! ```text
//! client                server
//! C0 C1  1 + 1536  -->
//!                  <--  S0 S1 S2  1 + 1536 + 1536
//! C2     1536      -->
//!
//! C1, S1   0  time:32   4  zero, or a version when a digest follows   8  1528 random bytes
//! C2, S2   the other side's random bytes back; with digests, 1504 random bytes and 32 of proof
//! ```
//!
//! The digest handshake is not in the specification; Flash Player 9 brought it and encoders still
//! use it. One of two layouts hides 32 bytes of HMAC-SHA-256 among the random ones. A peer that
//! sends no digest gets the simple handshake; neither side's last packet is checked, because too
//! many encoders send it wrong.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::error::{Error, Misbehaved, Unsupported};

/// The server's half.
#[derive(Debug)]
pub struct Server {
    state: ServerState,
    random: Random,
}

#[derive(Debug)]
enum ServerState {
    C0C1(Vec<u8>),
    C2 { left: usize },
    Done,
}

impl Server {
    /// A handshake whose random bytes come from `seed`. They prove nothing, so they need not be
    /// secret, only different.
    pub fn new(seed: u64) -> Self {
        Server { state: ServerState::C0C1(Vec::new()), random: Random(seed | 1) }
    }

    /// Takes handshake bytes off `input`, appends what is to be sent, and answers whether the
    /// handshake is done. Bytes after it stay in `input`.
    ///
    /// # Errors
    /// When the first byte shows that this is not RTMP.
    pub fn handle_bytes(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<bool, Error> {
        if let ServerState::C0C1(got) = &mut self.state {
            if got.is_empty()
                && let Some(&first) = input.first()
            {
                check_version(first)?;
            }
            fill(got, input, 1 + PACKET_BYTES);
            if got.len() < 1 + PACKET_BYTES {
                return Ok(false);
            }
            let c1 = got.split_off(1);
            self.reply(&c1, out);
            self.state = ServerState::C2 { left: PACKET_BYTES };
        }
        if let ServerState::C2 { left } = &mut self.state {
            let n = (*left).min(input.len());
            *input = input.get(n..).unwrap_or_default();
            *left -= n;
            if *left == 0 {
                self.state = ServerState::Done;
            }
        }
        Ok(matches!(self.state, ServerState::Done))
    }

    fn reply(&mut self, c1: &[u8], out: &mut Vec<u8>) {
        out.push(VERSION);
        let mut s1 = self.random.packet(SERVER_VERSION);
        match find_digest(c1, &CLIENT_KEY[..CLIENT_KEY_TEXT]) {
            Some((layout, c1_digest)) => {
                sign(&mut s1, layout, &SERVER_KEY[..SERVER_KEY_TEXT]);
                out.extend_from_slice(&s1);
                out.extend_from_slice(&self.random.proof(&SERVER_KEY, &c1_digest));
            }
            None => {
                s1[4..8].fill(0);
                out.extend_from_slice(&s1);
                out.extend_from_slice(c1);
            }
        }
    }
}

/// The client's half.
#[derive(Debug)]
pub struct Client {
    got: Vec<u8>,
    sent_c2: bool,
    random: Random,
}

/// What a client puts into C1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// No digest, as the specification has it.
    Simple,
    /// A digest whose offset stands at the front, byte 8.
    DigestFirst,
    /// A digest whose offset stands after the key block, byte 772.
    DigestSecond,
}

impl Client {
    /// Begins a handshake; appends C0 and C1.
    pub fn new(style: Style, seed: u64, out: &mut Vec<u8>) -> Self {
        let mut random = Random(seed | 1);
        let mut c1 = random.packet(CLIENT_VERSION);
        let key = &CLIENT_KEY[..CLIENT_KEY_TEXT];
        match style {
            Style::Simple => c1[4..8].fill(0),
            Style::DigestFirst => sign(&mut c1, Layout::DigestFirst, key),
            Style::DigestSecond => sign(&mut c1, Layout::DigestSecond, key),
        }
        out.push(VERSION);
        out.extend_from_slice(&c1);
        Client { got: Vec::new(), sent_c2: false, random }
    }

    /// As [`Server::handle_bytes`].
    ///
    /// # Errors
    /// When the first byte shows that the server does not speak RTMP.
    pub fn handle_bytes(&mut self, input: &mut &[u8], out: &mut Vec<u8>) -> Result<bool, Error> {
        if self.got.is_empty()
            && let Some(&first) = input.first()
        {
            check_version(first)?;
        }
        fill(&mut self.got, input, 1 + 2 * PACKET_BYTES);
        if !self.sent_c2
            && let Some(s1) = self.got.get(1..1 + PACKET_BYTES)
        {
            match find_digest(s1, &SERVER_KEY[..SERVER_KEY_TEXT]) {
                Some((_, s1_digest)) => {
                    out.extend_from_slice(&self.random.proof(&CLIENT_KEY, &s1_digest));
                }
                None => out.extend_from_slice(s1),
            }
            self.sent_c2 = true;
        }
        Ok(self.got.len() == 1 + 2 * PACKET_BYTES)
    }
}

fn check_version(first: u8) -> Result<(), Error> {
    match first {
        VERSION => Ok(()),
        6 | 8 => Err(Unsupported::Rtmpe(first).into()),
        TLS_HANDSHAKE => Err(Misbehaved::TlsOnRtmp.into()),
        b'G' | b'P' | b'H' | b'O' | b'D' | b'C' => Err(Misbehaved::HttpOnRtmp.into()),
        other => Err(Misbehaved::NotRtmp(other).into()),
    }
}

fn fill(got: &mut Vec<u8>, input: &mut &[u8], want: usize) {
    let n = want.saturating_sub(got.len()).min(input.len());
    let (now, later) = input.split_at(n);
    got.extend_from_slice(now);
    *input = later;
}

/// Where in a packet the digest hides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    DigestFirst,
    DigestSecond,
}

impl Layout {
    /// The digest's place: four bytes summed, over a block of 764 bytes that begins with them.
    fn digest_at(self, packet: &[u8]) -> usize {
        let block = match self {
            Layout::DigestFirst => 8,
            Layout::DigestSecond => 8 + DIGEST_BLOCK_BYTES,
        };
        let sum: usize = packet[block..block + 4].iter().map(|&b| usize::from(b)).sum();
        block + 4 + sum % (DIGEST_BLOCK_BYTES - 4 - DIGEST_BYTES)
    }
}

/// Finds a valid digest of `packet`, which has [`PACKET_BYTES`], under `key`.
fn find_digest(packet: &[u8], key: &[u8]) -> Option<(Layout, [u8; DIGEST_BYTES])> {
    [Layout::DigestFirst, Layout::DigestSecond].into_iter().find_map(|layout| {
        let at = layout.digest_at(packet);
        let digest = digest_around(packet, at, key);
        (packet[at..at + DIGEST_BYTES] == digest).then_some((layout, digest))
    })
}

fn sign(packet: &mut [u8; PACKET_BYTES], layout: Layout, key: &[u8]) {
    let at = layout.digest_at(packet);
    let digest = digest_around(packet, at, key);
    packet[at..at + DIGEST_BYTES].copy_from_slice(&digest);
}

/// The digest of a packet without the 32 bytes at `at`, where the digest itself goes.
fn digest_around(packet: &[u8], at: usize, key: &[u8]) -> [u8; DIGEST_BYTES] {
    hmac(key, &[&packet[..at], &packet[at + DIGEST_BYTES..]])
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
    parts.iter().for_each(|p| mac.update(p));
    mac.finalize().into_bytes().into()
}

/// Xorshift: bytes that differ from session to session.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A C1 or S1: time 0, a version, random bytes.
    fn packet(&mut self, version: [u8; 4]) -> [u8; PACKET_BYTES] {
        let mut p = [0; PACKET_BYTES];
        for word in p[8..].chunks_mut(8) {
            word.copy_from_slice(&self.next().to_le_bytes()[..word.len()]);
        }
        p[4..8].copy_from_slice(&version);
        p
    }

    /// A C2 or S2 that proves the other side's digest was read.
    fn proof(&mut self, key: &[u8], their_digest: &[u8]) -> [u8; PACKET_BYTES] {
        let mut p = self.packet([0; 4]);
        let end = PACKET_BYTES - DIGEST_BYTES;
        let digest = hmac(&hmac(key, &[their_digest]), &[&p[..end]]);
        p[end..].copy_from_slice(&digest);
        p
    }
}

const VERSION: u8 = 3;
const TLS_HANDSHAKE: u8 = 0x16;
const PACKET_BYTES: usize = 1536;
const DIGEST_BYTES: usize = 32;
const DIGEST_BLOCK_BYTES: usize = 764;
/// Versions only tell the other side that a digest may follow.
const CLIENT_VERSION: [u8; 4] = [9, 0, 124, 2];
const SERVER_VERSION: [u8; 4] = [4, 5, 0, 1];

/// C1 and S1 are signed with the readable part of a key, C2 and S2 with the whole of it.
const CLIENT_KEY_TEXT: usize = 30;
const SERVER_KEY_TEXT: usize = 36;
const CLIENT_KEY: [u8; 62] = key(b"Genuine Adobe Flash Player 001");
const SERVER_KEY: [u8; 68] = key(b"Genuine Adobe Flash Media Server 001");

const fn key<const TEXT: usize, const ALL: usize>(text: &[u8; TEXT]) -> [u8; ALL] {
    const TAIL: [u8; 32] = [
        0xf0, 0xee, 0xc2, 0x4a, 0x80, 0x68, 0xbe, 0xe8, 0x2e, 0x00, 0xd0, 0xd1, 0x02, 0x9e, 0x7e,
        0x57, 0x6e, 0xec, 0x5d, 0x2d, 0x29, 0x80, 0x6f, 0xab, 0x93, 0xb8, 0xe6, 0x36, 0xcf, 0xeb,
        0x31, 0xae,
    ];
    assert!(TEXT + TAIL.len() == ALL);
    let mut out = [0; ALL];
    let mut i = 0;
    while i < ALL {
        out[i] = if i < TEXT { text[i] } else { TAIL[i - TEXT] };
        i += 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs both halves against each other, `step` bytes at a time.
    fn run(style: Style, step: usize) -> (Vec<u8>, Vec<u8>) {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        let mut client = Client::new(style, 7, &mut to_server);
        let mut server = Server::new(8);
        let mut server_done = false;
        for part in to_server.chunks(step) {
            server_done = server.handle_bytes(&mut &part[..], &mut to_client).unwrap();
        }
        assert!(!server_done, "C2 is still to come");
        let mut c2 = Vec::new();
        let mut client_done = false;
        for part in to_client.chunks(step) {
            client_done = client.handle_bytes(&mut &part[..], &mut c2).unwrap();
        }
        assert!(client_done);
        for part in c2.chunks(step) {
            server_done = server.handle_bytes(&mut &part[..], &mut Vec::new()).unwrap();
        }
        assert!(server_done);
        to_server.extend(c2);
        (to_server, to_client)
    }

    #[test]
    fn every_style_meets_our_server_at_every_cut() {
        for style in [Style::Simple, Style::DigestFirst, Style::DigestSecond] {
            for step in [1, 7, 1535, 1536, 1537, 4000] {
                run(style, step);
            }
        }
    }

    #[test]
    fn simple_peers_get_their_bytes_back() {
        let (c, s) = run(Style::Simple, 4000);
        assert_eq!(c[1..1537], s[1537..], "S2 echoes C1");
        assert_eq!(s[1..1537], c[1537..], "C2 echoes S1");
    }

    #[test]
    fn digest_peers_get_proof() {
        for style in [Style::DigestFirst, Style::DigestSecond] {
            let (c, s) = run(style, 4000);
            let (_, c1) = find_digest(&c[1..1537], &CLIENT_KEY[..30]).unwrap();
            let (_, s1) = find_digest(&s[1..1537], &SERVER_KEY[..36]).unwrap();
            for (packet, key, digest) in
                [(&s[1537..], &SERVER_KEY[..], c1), (&c[1537..], &CLIENT_KEY[..], s1)]
            {
                assert_eq!(packet[1504..], hmac(&hmac(key, &[&digest]), &[&packet[..1504]]));
            }
        }
    }

    #[test]
    fn other_protocols_are_told_from_the_first_byte() {
        for (bytes, want) in [
            (&b"GET / HTTP/1.1"[..], Error::from(Misbehaved::HttpOnRtmp)),
            (&[0x16, 3, 1], Misbehaved::TlsOnRtmp.into()),
            (&[6], Unsupported::Rtmpe(6).into()),
            (&[0x80], Misbehaved::NotRtmp(0x80).into()),
        ] {
            let got = Server::new(1).handle_bytes(&mut &bytes[..], &mut Vec::new());
            assert_eq!(got, Err(want));
        }
    }
}
