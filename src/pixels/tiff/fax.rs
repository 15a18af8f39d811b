//! What fax machines send: runs of white and of black pixels, of each row for itself or beside the
//! row above. The tables of codes are the fax crate's.

use std::convert::Infallible;

use fax::BitReader;
use fax::maps::{Mode, black, mode, white};

use super::damaged;
use crate::error::ImageError;

/// How rows follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Each row for itself, and each begins at a multiple of so many bits.
    Rows { align: usize },
    /// With a mark before each row, which may say that it is stored beside the row above.
    Group3 { is_two_dimensional: bool },
    /// Each row beside the one above.
    Group4,
}

/// Rows of white and black pixels, packed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fax<'a> {
    pub bytes: &'a [u8],
    /// Whether the lowest bit of a byte comes first.
    pub is_reversed: bool,
    /// Pixels of a row.
    pub width: usize,
}

/// The bits in order; behind their end there are zeros.
struct Bits<'a> {
    fax: Fax<'a>,
    at: usize,
}

/// Places in a row where the colour changes, from white on, all before its end.
type Changes = Vec<usize>;

/// Why a row ends before its last pixel.
enum Stop {
    /// The marks that end a picture.
    End,
    /// What is no code.
    Fault,
}

impl Fax<'_> {
    /// As many rows as `length` bytes hold, eight pixels a byte, the first in the highest bit, with
    /// black as one. Rows that a sender left out at the end are white.
    pub fn unpack(self, scheme: Scheme, length: usize) -> Result<Vec<u8>, ImageError> {
        let row_bytes = self.width.div_ceil(8);
        let mut bits = Bits { fax: self, at: 0 };
        let mut above = Changes::new();
        let mut rows = Vec::new();
        let has_marks = matches!(scheme, Scheme::Group3 { .. }) && bits.is_mark_next();
        while rows.len() < length {
            if bits.is_at_end() {
                break;
            }
            let row = match scheme {
                Scheme::Group4 => bits.row_beside(&above),
                Scheme::Rows { align } => {
                    let row = bits.row();
                    bits.at = bits.at.next_multiple_of(align);
                    row
                }
                Scheme::Group3 { is_two_dimensional } => {
                    if has_marks && !bits.skip_mark() {
                        break;
                    }
                    let is_beside = has_marks && is_two_dimensional && !bits.next();
                    if bits.is_mark_next() {
                        // Marks without a row between them are the end.
                        break;
                    }
                    if is_beside {
                        bits.row_beside(&above)
                    } else {
                        bits.row()
                    }
                }
            };
            above = match row {
                Ok(row) => row,
                Err(Stop::End) => break,
                Err(Stop::Fault) => {
                    let number = rows.len() / row_bytes;
                    return Err(damaged(&format!(
                        "what is no code in row {number} of a fax"
                    )));
                }
            };
            draw(&above, self.width, &mut rows);
        }
        rows.resize(length, 0);
        Ok(rows)
    }
}

impl Bits<'_> {
    /// Whether all bits were taken.
    fn is_at_end(&self) -> bool {
        self.at >= self.fax.bytes.len() * 8
    }

    fn next(&mut self) -> bool {
        let bit = self.peek(1) == Some(1);
        self.at += 1;
        bit
    }

    /// Whether a mark comes next, behind any number of zeros that fill up.
    fn is_mark_next(&self) -> bool {
        self.peek(11) == Some(0) && !self.is_at_end()
    }

    /// Goes behind the next mark: eleven zeros or more, and a one.
    fn skip_mark(&mut self) -> bool {
        while !self.is_at_end() {
            if self.is_mark_next() {
                while !self.is_at_end() {
                    if self.next() {
                        return true;
                    }
                }
            }
            self.at += 1;
        }
        false
    }

    /// The length of a run.
    fn run(&mut self, is_black: bool) -> Result<usize, Stop> {
        let mut sum = 0;
        loop {
            if self.is_mark_next() || self.is_at_end() {
                return Err(Stop::Fault);
            }
            let part = if is_black {
                black::decode(self)
            } else {
                white::decode(self)
            };
            let part = usize::from(part.ok_or(Stop::Fault)?);
            sum += part;
            // What is longer has its multiples of 64 first.
            if part < 64 {
                return Ok(sum);
            }
            if sum > self.fax.width + 64 {
                return Err(Stop::Fault);
            }
        }
    }

    /// A row for itself.
    fn row(&mut self) -> Result<Changes, Stop> {
        let width = self.fax.width;
        let mut changes = Changes::new();
        let (mut at, mut is_black) = (0, false);
        while at < width {
            at += self.run(is_black)?;
            is_black = !is_black;
            push(&mut changes, at, width)?;
        }
        Ok(changes)
    }

    /// A row beside the one above.
    fn row_beside(&mut self, above: &[usize]) -> Result<Changes, Stop> {
        let width = self.fax.width;
        let mut changes = Changes::new();
        let (mut at, mut is_black, mut is_first) = (0, false, true);
        // The change above that is looked at: changes before it are behind.
        let mut next = 0;
        while at < width {
            if self.is_at_end() {
                return Err(Stop::Fault);
            }
            // The first change above, right of here, to the other colour. At the beginning the
            // place before the first pixel is meant.
            while next > 0 && above[next - 1] > at {
                next -= 1;
            }
            let is_behind = |change: usize| change < at || change == at && !is_first;
            while above.get(next).is_some_and(|&change| is_behind(change))
                || next < above.len() && (next % 2 == 1) != is_black
            {
                next += 1;
            }
            let b1 = above.get(next).copied().unwrap_or(width);
            match mode::decode(self) {
                Some(Mode::Pass) => at = above.get(next + 1).copied().unwrap_or(width),
                Some(Mode::Vertical(delta)) => {
                    let to = b1.checked_add_signed(delta.into()).ok_or(Stop::Fault)?;
                    if to < at || to > width {
                        return Err(Stop::Fault);
                    }
                    at = to;
                    is_black = !is_black;
                    push(&mut changes, at, width)?;
                }
                Some(Mode::Horizontal) => {
                    for is_black in [is_black, !is_black] {
                        at += self.run(is_black)?;
                        push(&mut changes, at, width)?;
                    }
                }
                Some(Mode::EOF) if is_first => return Err(Stop::End),
                _ => return Err(Stop::Fault),
            }
            is_first = false;
        }
        Ok(changes)
    }
}

impl BitReader for Bits<'_> {
    type Error = Infallible;

    fn peek(&self, count: u8) -> Option<u16> {
        let at = self.at / 8;
        let byte = |index: usize| {
            let byte = self.fax.bytes.get(at + index).copied().unwrap_or(0);
            u32::from(if self.fax.is_reversed {
                byte.reverse_bits()
            } else {
                byte
            })
        };
        let window = byte(0) << 16 | byte(1) << 8 | byte(2);
        let below = 24 - self.at % 8 - usize::from(count);
        Some((window >> below & ((1 << count) - 1)) as u16)
    }

    fn consume(&mut self, count: u8) -> Result<(), Infallible> {
        self.at += usize::from(count);
        Ok(())
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        (self.at.next_multiple_of(8) - self.at) as u8
    }
}

/// Adds a change of colour; a row ends at its last pixel.
fn push(changes: &mut Changes, at: usize, width: usize) -> Result<(), Stop> {
    if at > width {
        return Err(Stop::Fault);
    }
    if at < width {
        changes.push(at);
    }
    Ok(())
}

/// A row's bits, behind those of the rows before.
fn draw(changes: &[usize], width: usize, rows: &mut Vec<u8>) {
    let begin = rows.len();
    rows.resize(begin + width.div_ceil(8), 0);
    let row = &mut rows[begin..];
    for run in changes.chunks(2) {
        let (from, to) = (run[0], run.get(1).copied().unwrap_or(width));
        for x in from..to {
            row[x / 8] |= 0x80 >> (x % 8);
        }
    }
}
