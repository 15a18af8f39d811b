#![no_main]

mod checkpoint;

// The upper bytes of the header's length, and the header's first.
libfuzzer_sys::fuzz_target!(|data: &[u8]| checkpoint::read(data, 3, b"\0\0\0\0\0{"));
