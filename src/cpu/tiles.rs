//! How a layer's output is shared out: to the threads, and each thread's rows to tiles.

use std::ops::Range;

use super::barrier::Member;
use super::workspace::PaddedImage;

/// Pixels that go through the depthwise and the pointwise kernel together: few enough that
/// their channels stay in the second-level cache, many enough to use a panel of weights often.
/// Sixteen rows of fourteen, more than the layers have where most of the weights are, and an even
/// number of rows of the larger ones: some depthwise kernels take two at a time.
const TILE_PIXELS: usize = 224;

/// Fewest pixels for each thread; where there are fewer, threads share out the channels.
const THREAD_PIXELS: usize = 42;

/// The rows of the largest tile.
pub(super) fn tile_rows(written: PaddedImage) -> usize {
    (TILE_PIXELS / written.columns.len).clamp(1, written.rows.len)
}

/// The rows of each tile, and how many there are in the next: tiles of about the same height.
pub(super) fn tiles(
    written: PaddedImage,
    rows: Range<usize>,
) -> impl Iterator<Item = (Range<usize>, usize)> {
    let tiles = rows.len().div_ceil(tile_rows(written));
    let at = move |tile: usize| rows.start + rows.len() * tile.min(tiles) / tiles;
    (0..tiles).map(move |tile| {
        let end = at(tile + 1);
        (at(tile)..end, at(tile + 2) - end)
    })
}

/// A thread's share of the output: some rows of all channels, or where rows are few all rows of some
/// panels of channels. Nothing where there is less than a share for each.
pub(super) fn share(
    written: PaddedImage,
    channels: usize,
    panel: usize,
    member: Member,
) -> Option<(Range<usize>, Range<usize>)> {
    let threads = member.threads();
    let rows = written.rows.len;
    let by_rows = rows * written.columns.len >= THREAD_PIXELS * threads && rows >= threads;
    let panels = channels.div_ceil(panel);
    let (rows, panels) = if by_rows {
        (member.share(rows), 0..panels)
    } else {
        (0..rows, member.share(panels))
    };
    let channels = panels.start * panel..(panels.end * panel).min(channels);
    (!rows.is_empty() && !panels.is_empty()).then_some((rows, channels))
}
