#![no_main]

mod checkpoint;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checkpoint::read(data, 0, b"\x89HDF\r\n\x1a\n"));
