//! What encoders in the field do with chunks, as bytes.
#![allow(clippy::unwrap_used)]

use thalweg_testkit::{corpus, cut};
use thalweg_wire::rtmp::chunk::{Header, Reader};

/// Message type, timestamp, length and stream id of each message, at every cut.
fn check(name: &str, bytes: &[u8], want: &[(u8, u32, usize, u32)]) {
    cut::every_way(bytes, |parts| {
        let mut reader = Reader::new(1 << 20);
        let mut got = Vec::new();
        for part in parts {
            let mut part = *part;
            while let Some(m) = reader.read(&mut part).unwrap() {
                assert!(m.payload.iter().all(|&b| b == m.message_type), "{name}: payload mixed up");
                got.push((m.message_type, m.timestamp, m.payload.len(), m.stream_id));
            }
        }
        assert_eq!(got, want, "{name}");
        got
    });
    corpus::holds("chunk", name, bytes);
}

/// A message whose every byte is its type.
fn message(csid: u8, timestamp: u32, message_type: u8, len: usize, chunk: usize) -> Vec<u8> {
    let header = Header {
        chunk_stream_id: csid,
        timestamp,
        message_bytes: len as u32,
        message_type,
        stream_id: 1,
    };
    let mut out = Vec::new();
    header.write(chunk, &vec![message_type; len], &mut out);
    out
}

#[test]
fn interleaved_chunk_streams() {
    let video = message(6, 10, 9, 200, 128);
    let (front, back) = video.split_at(12 + 128);
    let bytes = [front, &message(4, 11, 8, 20, 128), back].concat();
    check("interleaved", &bytes, &[(8, 11, 20, 1), (9, 10, 200, 1)]);
}

#[test]
fn every_header_format_and_id_length() {
    let bytes = [
        &b"\x04\0\0\x0a\0\0\x02\x08\x01\0\0\0\x08\x08"[..], // 0: time 10
        b"\x44\0\0\x05\0\0\x01\x08\x08",                    // 1: 5 later, one byte
        b"\x84\0\0\x07\x08",                                // 2: 7 later
        b"\xc4\x08",                                        // 3: again 7 later
        b"\x00\x0a\0\0\x01\0\0\x01\x08\x01\0\0\0\x08",      // id of two bytes
        b"\x01\0\x01\0\0\x02\0\0\x01\x08\x01\0\0\0\x08",    // id of three bytes
        b"\xc4\x08",                                        // and back to the first
    ]
    .concat();
    let want = [10, 15, 22, 29, 1, 2, 36].map(|t| (8, t, if t == 10 { 2 } else { 1 }, 1));
    check("formats", &bytes, &want);
}

#[test]
fn a_message_like_the_last_at_the_same_moment() {
    // What librtmp sends for two equal messages at one time: type 3 after type 0.
    let bytes = [&message(4, 1000, 8, 3, 128)[..], b"\xc4\x08\x08\x08"].concat();
    check("same moment", &bytes, &[(8, 1000, 3, 1), (8, 1000, 3, 1)]);
}

#[test]
fn extended_time_repeated_in_every_chunk() {
    let bytes = [message(6, 0x0100_0000, 9, 300, 128), message(6, 0x0100_0028, 9, 5, 128)].concat();
    check("extended repeated", &bytes, &[(9, 0x0100_0000, 300, 1), (9, 0x0100_0028, 5, 1)]);
}

#[test]
fn extended_time_only_in_the_first_chunk() {
    for len in [129, 130, 131, 132, 200, 300] {
        let with = message(6, 0x0100_0000, 9, len, 128);
        // Cut the four repeated bytes out after each continuation.
        let mut without = with[..16 + 128].to_vec();
        let mut rest = &with[16 + 128..];
        while !rest.is_empty() {
            let n = (rest.len() - 5).min(128);
            without.push(rest[0]);
            without.extend_from_slice(&rest[5..5 + n]);
            rest = &rest[5 + n..];
        }
        let bytes = [without, message(4, 1, 8, 40, 128)].concat();
        let want = [(9, 0x0100_0000, len, 1), (8, 1, 40, 1)];
        check(&format!("extended once {len}"), &bytes, &want);
    }
}

#[test]
fn extended_delta() {
    let bytes = [
        &message(4, 5, 8, 1, 128)[..],
        b"\x84\xff\xff\xff\x01\0\0\0\x08", // a delta of 2^24
        b"\xc4\x01\0\0\0\x08",             // repeated, with its field
    ]
    .concat();
    check(
        "extended delta",
        &bytes,
        &[(8, 5, 1, 1), (8, 0x0100_0005, 1, 1), (8, 0x0200_0005, 1, 1)],
    );
}

#[test]
fn chunk_size_changes_in_the_middle_of_a_message() {
    let set_256 = b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\x01\0";
    let bytes = [
        &message(6, 0, 9, 500, 128)[..12 + 128],
        set_256,
        b"\xc6",
        &[9; 256],
        b"\xc6",
        &[9; 116],
        &message(4, 1, 8, 200, 256),
    ]
    .concat();
    check("size changes midway", &bytes, &[(9, 0, 500, 1), (8, 1, 200, 1)]);
}

#[test]
fn an_aborted_message_is_forgotten() {
    let abort_6 = b"\x02\0\0\0\0\0\x04\x02\0\0\0\0\0\0\0\x06";
    let bytes =
        [&message(6, 0, 9, 500, 128)[..12 + 128], abort_6, &message(6, 40, 9, 3, 128)].concat();
    check("abort", &bytes, &[(9, 40, 3, 1)]);
}

#[test]
fn two_gigabytes_of_chunk_size_mean_whole_messages() {
    let set = b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\x7f\xff\xff\xff";
    let bytes = [&set[..], &message(6, 0, 9, 5000, 1 << 20)].concat();
    check("huge chunk size", &bytes, &[(9, 0, 5000, 1)]);
}

#[test]
fn messages_without_a_body() {
    let bytes = [message(4, 7, 8, 0, 128), message(4, 8, 8, 1, 128)].concat();
    check("empty message", &bytes, &[(8, 7, 0, 1), (8, 8, 1, 1)]);
}
