//! Drawings that differ in their transparency alone.

use std::collections::HashMap;
use std::ffi::OsString;

use mobilenet::dataset::Input;
use mobilenet::pixels::{DecodeOptions, Opacity};

use super::options::STDIN;

/// What tells drawings apart whose colours, without their alpha, are the same: black on nothing, say. To the
/// network they are one picture, since it sees no alpha. Files are looked at when they are asked for, and once.
pub struct Transparency<'a> {
    names: &'a [OsString],
    options: DecodeOptions,
    /// By number; nothing where a file can't be read any more.
    known: HashMap<usize, Option<Opacity>>,
}

impl<'a> Transparency<'a> {
    /// That of the files of these names.
    pub fn new(names: &'a [OsString], options: DecodeOptions) -> Self {
        Self {
            names,
            options,
            known: HashMap::new(),
        }
    }

    /// Whether two pictures may be copies, as far as it is known.
    pub fn may_be_copies(&mut self, a: usize, b: usize) -> bool {
        self.look_at(a);
        self.look_at(b);
        match (&self.known[&a], &self.known[&b]) {
            (Some(a), Some(b)) => a.is_like(b),
            _ => true,
        }
    }

    /// How many files could not be looked at.
    pub fn unseen(&self) -> usize {
        self.known.values().filter(|known| known.is_none()).count()
    }

    fn look_at(&mut self, number: usize) {
        let look = || {
            let name = &self.names[number];
            // Its bytes came once.
            if name == STDIN {
                return None;
            }
            let input = Input::file(name.clone());
            let opacity = |bytes: &[u8]| Opacity::of(bytes, &self.options);
            input.decode(&self.options, opacity).ok()
        };
        self.known.entry(number).or_insert_with(look);
    }
}
