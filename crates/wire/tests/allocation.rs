//! Nothing is allocated on a peer's word, and little on its bytes.
#![allow(clippy::unwrap_used)]

use thalweg_testkit::alloc::{Counting, count};
use thalweg_wire::amf0::Decoder;
use thalweg_wire::flv::{self, Demuxer, TagHeader};
use thalweg_wire::rtmp::chunk::{Header, Reader};
use thalweg_wire::rtmp_udp::control;
use thalweg_wire::rtmp_udp::media::StreamReader;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn an_announced_message_allocates_only_what_came() {
    let mut reader = Reader::new(16 << 20);
    let announced_15_mb = b"\x06\0\0\0\xf0\0\0\x09\x01\0\0\0\x17\x01";
    let (read, used) = count(|| reader.read(&mut &announced_15_mb[..]));
    assert_eq!(read, Ok(None));
    assert!(used.bytes < 1024, "{used:?}");
}

#[test]
fn an_announced_tag_allocates_only_what_came() {
    let mut demuxer = Demuxer::new(16 << 20);
    let head = TagHeader { tag_type: 9, body_bytes: 0xf0_0000, timestamp: 0 }.encode();
    let bytes = [&flv::file_header(true, true)[..], &head, &[0x17, 1]].concat();
    let (read, used) = count(|| demuxer.handle_bytes(&bytes));
    assert_eq!(read, Ok(()));
    assert!(used.bytes < 1024, "{used:?}");
}

#[test]
fn an_announced_array_allocates_only_what_came() {
    let bytes = b"\x0a\xff\xff\xff\xff\x05\x05";
    let (_, used) = count(|| Decoder::new(bytes).next_value());
    assert!(used.bytes < 1024, "{used:?}");
}

#[test]
fn a_message_that_comes_in_one_read_is_allocated_once() {
    let header = Header {
        chunk_stream_id: 6,
        timestamp: 0,
        message_bytes: 50_000,
        message_type: 9,
        stream_id: 1,
    };
    let mut bytes = Vec::new();
    header.write(128, &[0x27; 50_000], &mut bytes);
    let mut reader = Reader::new(1 << 20);
    reader.read(&mut &bytes[..]).unwrap(); // the chunk stream itself
    let (message, used) = count(|| reader.read(&mut &bytes[..]).unwrap().unwrap());
    assert_eq!(message.payload.capacity(), 50_000);
    assert!(used.calls <= 2, "{used:?}");
}

#[test]
fn many_messages_begun_reserve_no_more_than_twice_the_bound() {
    let mut reader = Reader::new(64 << 10);
    let mut bytes = Vec::new();
    for id in 0..60u8 {
        // 60 KB announced, one chunk sent.
        bytes.extend_from_slice(&[0, id, 0, 0, 0, 0, 0xea, 0x60, 20, 0, 0, 0, 0]);
        bytes.extend_from_slice(&[2; 128]);
    }
    let (read, used) = count(|| reader.read(&mut &bytes[..]));
    assert_eq!(read, Ok(None));
    assert!(reader.reserved_bytes() <= 128 << 10, "{}", reader.reserved_bytes());
    assert!(used.bytes < 160 << 10, "{used:?}");
}

#[test]
fn an_announced_control_message_allocates_only_what_came() {
    let mut reader = control::Reader::default();
    let announced_64_kb = b"\x14\0\0\0\0\0\0\0\0\x01\0\0\x02";
    let (read, used) = count(|| reader.read(&mut &announced_64_kb[..]));
    assert_eq!(read, Ok(None));
    assert!(used.bytes < 1024 && reader.held_bytes() < 1024, "{used:?}");
}

#[test]
fn an_announced_message_of_a_burst_allocates_only_what_came() {
    let mut reader = StreamReader::new(16 << 20);
    let announced_15_mb = b"\x7f\0\xf0\0\0\x09\x01\0\x01";
    let (read, used) = count(|| reader.read(&mut &announced_15_mb[..]));
    assert_eq!(read, Ok(None));
    assert!(used.bytes < 1024 && reader.held_bytes() < 1024, "{used:?}");
}

#[test]
fn a_stream_of_media_that_trickles_allocates_little_more_than_came() {
    let mut reader = StreamReader::new(16 << 20);
    let (_, used) = count(|| {
        for _ in 0..10_000 {
            assert_eq!(reader.read(&mut &[8; 10][..]), Ok(None));
        }
    });
    assert!(reader.held_bytes() <= 2 * 100_000, "{}", reader.held_bytes());
    assert!(used.bytes < 3 * 100_000 && used.calls < 30, "{used:?}");
}
