//! A reader that knows how much came out of it.

use std::io::{self, BufRead, Read};

pub struct Counted {
    source: Box<dyn BufRead>,
    at: u64,
}

impl Counted {
    pub fn new(source: Box<dyn BufRead>) -> Self {
        Self { source, at: 0 }
    }

    /// How much there is, of which what is left is passed over.
    ///
    /// # Errors
    /// It can't be read.
    pub fn rest(mut self) -> io::Result<u64> {
        Ok(self.at + io::copy(&mut self.source, &mut io::sink())?)
    }
}

impl Read for Counted {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(bytes)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl BufRead for Counted {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.at += bytes as u64;
        self.source.consume(bytes);
    }
}
