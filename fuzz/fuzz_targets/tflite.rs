#![no_main]

mod checkpoint;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checkpoint::read(data, 4, b"TFL3"));
