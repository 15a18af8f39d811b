#![no_main]

use mobilenet::pixels::{DecodeOptions, Opacity, Preprocessing, dimensions};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // Larger pictures take longer, and find no more.
    let options = DecodeOptions::default()
        .with_reduced(data.len() % 2 == 0)
        .with_background((data.len() % 3 == 0).then_some([255; 3]))
        .with_max_pixels(1 << 20);
    let _ = dimensions(data);
    let _ = Opacity::of(data, &options);
    let _ = Preprocessing::center(32).read(data, &options);
});
