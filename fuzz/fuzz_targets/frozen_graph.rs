#![no_main]

mod checkpoint;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checkpoint::read(data, 0, b"\x0a"));
