//! The upright 8-bit RGB of pictures, for programs that compare it with another decoder's
//! (`benches/pixels/compare_pillow.py`).
//!
//! Reads a path a line from stdin. For each, stdout has a line of width and height and then the pixels in
//! rows; or a line of `-` and why there are none.
//!
//! ```console
//! $ echo samples/digits/3-0.png | cargo run --release --example decode | head -1
//! ```

use std::io::{self, BufRead, BufWriter, Write};

use mobilenet::dataset::Input;
use mobilenet::pixels::{self, DecodeOptions};

fn main() -> io::Result<()> {
    let options = DecodeOptions::default();
    let mut out = BufWriter::new(io::stdout().lock());
    for path in io::stdin().lock().lines() {
        let input = Input::file(path?);
        match input.decode(&options, |bytes| pixels::decode(bytes, &options)) {
            Ok(image) => {
                writeln!(out, "{} {}", image.width(), image.height())?;
                out.write_all(&image)?;
            }
            Err(error) => writeln!(out, "- {}", error.to_string().replace('\n', " "))?,
        }
        // Whoever asks waits for the answer before the next question.
        out.flush()?;
    }
    Ok(())
}
