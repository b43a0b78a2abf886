#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| thalweg_access::fuzz::signed_url(data));
