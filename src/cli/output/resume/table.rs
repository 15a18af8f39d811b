//! Reads rows that an earlier run wrote as CSV or TSV.

use std::io::{self, BufRead};

use anyhow::{Context, Result, ensure};
use csv::{ByteRecord, ReaderBuilder};
use mobilenet::similarity::norm;

use super::earlier::{Earlier, Place, Seen};
use super::{Expected, not_ours};
use crate::cli::output::table::HEADER;

/// Reads a table of predictions. A picture has up to `most` lines, and only as many, or the next
/// picture, show that none is missing, unless more is expected of it.
///
/// # Errors
/// A file that no run of ours wrote.
pub fn read_predictions(
    file: &mut impl BufRead,
    delimiter: u8,
    most: usize,
    expected: &Expected,
) -> Result<Earlier> {
    let mut earlier = Earlier::default();
    let mut picture: Option<Picture> = None;
    let header: Vec<Vec<u8>> = HEADER.iter().map(|name| name.as_bytes().to_vec()).collect();
    for_each_record(file, delimiter, &header, &mut earlier, |earlier, record| {
        let Record {
            fields,
            place,
            line,
        } = record;
        if matches!(&fields[1], b"" | b"1") {
            if let Some(picture) = picture.take() {
                let is_doubted = expected.doubted.contains(&picture.place);
                picture.add_to(earlier, is_doubted, most);
            }
            picture = Some(Picture {
                name: fields[0].to_vec(),
                has_failed: !fields[6].is_empty(),
                predictions: usize::from(!fields[1].is_empty()),
                place,
            });
        } else {
            let same = picture.as_mut().filter(|picture| picture.name == fields[0]);
            let picture = same.with_context(|| not_ours(line))?;
            picture.predictions += 1;
            picture.place.end = place.end;
        }
        let predictions = picture.as_ref().map_or(0, |picture| picture.predictions);
        let facts = &mut earlier.facts;
        facts.most_predictions = facts.most_predictions.max(predictions);
        if let (None, Ok(index)) = (&facts.class, str::from_utf8(&fields[2])) {
            let label = String::from_utf8_lossy(&fields[4]).into_owned();
            facts.class = index.parse().ok().map(|index| (index, label));
        }
        Ok(())
    })?;
    if let Some(last) = picture {
        last.add_to(&mut earlier, !expected.ends_whole, most);
    }
    Ok(earlier)
}

/// Reads a table of embeddings with this header, a line for each.
///
/// # Errors
/// A file that no run of ours wrote.
pub fn read_embeddings(file: &mut impl BufRead, header: &[Vec<u8>]) -> Result<Earlier> {
    let mut earlier = Earlier::default();
    let width = header.len() - 2;
    for_each_record(file, b',', header, &mut earlier, |earlier, record| {
        let Record {
            fields,
            place,
            line,
        } = record;
        let has_failed = !fields[width + 1].is_empty();
        if !has_failed && earlier.facts.embedding.is_none() {
            let values = fields.iter().skip(1).take(width);
            let values = values.map(|value| str::from_utf8(value).ok()?.parse().ok());
            let values: Option<Vec<f32>> = values.collect();
            let values = values.with_context(|| not_ours(line))?;
            earlier.facts.embedding = Some((width, norm(&values)));
        }
        let seen = if has_failed {
            Seen::Failed(place)
        } else {
            Seen::Answered
        };
        earlier.add(fields[0].to_vec(), seen);
        Ok(())
    })?;
    Ok(earlier)
}

/// A picture's lines in a table of predictions.
struct Picture {
    name: Vec<u8>,
    has_failed: bool,
    predictions: usize,
    place: Place,
}

impl Picture {
    /// Adds it to what is there. `is_doubted`: nothing behind it shows that it is whole.
    fn add_to(self, earlier: &mut Earlier, is_doubted: bool, most: usize) {
        let seen = if self.has_failed {
            Seen::Failed(self.place)
        } else if is_doubted && self.predictions > 0 && self.predictions < most {
            Seen::Unsure(self.place)
        } else {
            Seen::Answered
        };
        earlier.add(self.name, seen);
    }
}

/// A record of a table, whose fields are as many as the header's.
struct Record {
    fields: ByteRecord,
    place: Place,
    /// The number of its first line.
    line: u64,
}

/// Reads the records behind the header. A last one that is not whole does not count.
fn for_each_record(
    file: &mut impl BufRead,
    delimiter: u8,
    header: &[Vec<u8>],
    earlier: &mut Earlier,
    mut take: impl FnMut(&mut Earlier, Record) -> Result<()>,
) -> Result<()> {
    let mut lines = Lines {
        file,
        at: 0,
        ends: 0,
    };
    let Some((first, _)) = lines.next()? else {
        return Ok(());
    };
    let header_line = header.join(&delimiter);
    if !first.ends_with(b"\n") && header_line.starts_with(&first) {
        // Stopped within the header.
        return Ok(());
    }
    ensure!(fields(&first, delimiter)?.iter().eq(header), not_ours(1));
    earlier.whole_bytes = lines.at;
    loop {
        let begin = lines.at;
        let Some((bytes, line)) = lines.next()? else {
            return Ok(());
        };
        if !bytes.ends_with(b"\n") || has_open_quote(&bytes) {
            // Only the end of the file may be like this. A quote that somebody put into the file
            // would make all that follows part of it.
            let mut rows = bytes.split_inclusive(|byte| *byte == b'\n').skip(1);
            let is_row = |row: &[u8]| {
                let is_whole = row.ends_with(b"\n") && !has_open_quote(row);
                is_whole && fields(row, delimiter).is_ok_and(|row| row.len() == header.len())
            };
            ensure!(!rows.any(is_row), not_ours(line));
            return Ok(());
        }
        if !bytes.trim_ascii().is_empty() {
            let fields = fields(&bytes, delimiter)?;
            if fields.len() != header.len() {
                // A last line that was cut, and then ended by somebody.
                ensure!(lines.next()?.is_none(), not_ours(line));
                return Ok(());
            }
            let place = begin..lines.at;
            take(
                earlier,
                Record {
                    fields,
                    place,
                    line,
                },
            )?;
        }
        earlier.whole_bytes = lines.at;
    }
}

/// The lines of a file; one goes on to the next while a quote is open.
struct Lines<'a, R> {
    file: &'a mut R,
    /// Bytes that were read.
    at: u64,
    /// Line ends among them.
    ends: u64,
}

impl<R: BufRead> Lines<'_, R> {
    /// The next line with its end, and its number from 1.
    fn next(&mut self) -> io::Result<Option<(Vec<u8>, u64)>> {
        let mut line = Vec::new();
        let number = self.ends + 1;
        let mut is_open = false;
        loop {
            let before = line.len();
            let read = self.file.read_until(b'\n', &mut line)?;
            self.at += read as u64;
            is_open ^= has_open_quote(&line[before..]);
            if !line.ends_with(b"\n") || read == 0 {
                break;
            }
            self.ends += 1;
            if !is_open {
                break;
            }
        }
        Ok((!line.is_empty()).then_some((line, number)))
    }
}

/// Whether a field is quoted to the end and further. A quote within one is written twice.
fn has_open_quote(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'"', bytes).count() % 2 == 1
}

/// The fields of one line.
fn fields(line: &[u8], delimiter: u8) -> Result<ByteRecord> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(line.len() + 1)
        .from_reader(line);
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record)?;
    Ok(record)
}
