#![no_main]

use mobilenet::pixels::{Orientation, PictureFormat, RgbImage};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = PictureFormat::of(data);
    let orientation = Orientation::of(data);
    let shown = orientation.apply(RgbImage::new(3, 2));
    assert_eq!(shown.width() * shown.height(), 6);
});
