//! Every instruction set's loops, byte for byte, beside the plain ones.

use super::*;
use crate::pixels::filter::{Filter, Resampler};
use crate::pixels::frame::Span;
use crate::pixels::line::Line;

/// The taps of a line for each kind of weight: none negative, negative ones, the largest, 16 bits.
fn each_taps(from: usize, to: usize) -> impl Iterator<Item = Taps> {
    let kinds = [
        (Filter::Bilinear, Resampler::Pillow),
        (Filter::Bicubic, Resampler::Pillow),
        (Filter::Lanczos, Resampler::Pillow),
        (Filter::Lanczos, Resampler::Torchvision),
    ];
    kinds.into_iter().map(move |(filter, resampler)| {
        let line = Line {
            from,
            part: Span::whole(from),
            to,
            filter,
            resampler,
        };
        Taps::new(&line, 0..to)
    })
}

/// Bytes of all sorts, or all near the greatest, or the extremes in turns, which overshoot.
fn each_picture(len: usize) -> [Vec<u8>; 3] {
    let all = (0..len).map(|i| (i * 7919 % 256) as u8);
    let bright = (0..len).map(|i| 254 + (i % 2) as u8);
    let extremes = (0..len).map(|i| if i / 7 % 2 == 0 { 0 } else { 255 });
    [all.collect(), bright.collect(), extremes.collect()]
}

/// Those that there are besides the plain ones.
fn others() -> Vec<&'static Loops> {
    let others = Loops::available().filter(|loops| !loops.needs.is_empty());
    let others: Vec<_> = others.collect();
    if others.is_empty() {
        crate::skipped::skip("this processor has no loops of its own for the resampler");
    }
    others
}

#[test]
fn columns_are_the_same_bytes() {
    for loops in others() {
        for (from, to) in [
            (1, 1),
            (1, 9),
            (2, 1),
            (7, 5),
            (16, 17),
            (500, 341),
            (5003, 31),
        ] {
            for taps in each_taps(from, to) {
                // Two lines, so that one is read behind the end of the other.
                for pixels in each_picture(2 * from * CHANNELS) {
                    let task = Columns {
                        pixels: &pixels,
                        width: from,
                        taps: &taps,
                        offset: 0,
                    };
                    let mut expected = vec![0; 2 * to * CHANNELS];
                    portable::LOOPS.columns(&task, &mut expected);
                    let mut found = vec![1; expected.len()];
                    loops.columns(&task, &mut found);
                    assert_eq!(found, expected, "{:?}: {from} to {to}", loops.needs);
                }
            }
        }
    }
}

#[test]
fn rows_are_the_same_bytes() {
    for loops in others() {
        for (from, to) in [(1, 1), (1, 9), (2, 1), (7, 5), (16, 17), (301, 31)] {
            for width in [1, 2, 5, 6, 7, 10, 11, 16, 22, 43] {
                for taps in each_taps(from, to) {
                    for pixels in each_picture(from * width * CHANNELS) {
                        // All of it, and what lies in the middle.
                        for part in [0..width * CHANNELS, width / 3 * CHANNELS..width * CHANNELS] {
                            let task = Rows {
                                pixels: &pixels,
                                stride: width * CHANNELS,
                                part,
                                taps: &taps,
                                offset: 0,
                            };
                            let mut expected = vec![0; to * task.part.len()];
                            portable::LOOPS.rows(&task, &mut expected);
                            let mut found = vec![1; expected.len()];
                            loops.rows(&task, &mut found);
                            assert_eq!(found, expected, "{:?}: {from}x{width}", loops.needs);
                        }
                    }
                }
            }
        }
    }
}
