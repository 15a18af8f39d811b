#![no_main]

mod checkpoint;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checkpoint::read(data, 0, b"\x08\x08\x3a"));
