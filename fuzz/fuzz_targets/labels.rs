#![no_main]

use std::path::Path;

use mobilenet::labels::Labels;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = Labels::from_bytes(data, Path::new("fuzz"), 3);
});
