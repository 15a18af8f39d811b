#![no_main]

use mobilenet::pixels::{DecodeOptions, Preprocessing, dimensions};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let options = DecodeOptions {
        reduced: data.len() % 2 == 0,
        // Larger pictures take longer, and find no more.
        max_pixels: 1 << 20,
        ..DecodeOptions::default()
    };
    let _ = dimensions(data);
    let _ = Preprocessing::center(32).read(data, &options);
});
