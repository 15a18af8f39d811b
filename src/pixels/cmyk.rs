//! Inks to light.

/// Cyan, magenta, yellow and black to RGB, without a profile, in the rounding of Pillow.
pub(super) fn cmyk_to_rgb([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    let left = 255 - black;
    let product = |a: u8, b: u8| {
        let x = u32::from(a) * u32::from(b) + 128;
        (((x >> 8) + x) >> 8) as u8
    };
    // What the ink takes of the light that black leaves, each in 8 bits.
    [cyan, magenta, yellow].map(|ink| left - product(ink, left))
}
