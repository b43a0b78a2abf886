#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| thalweg_wire::rtmp_udp::fuzz::media(data));
