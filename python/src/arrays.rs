//! numpy's arrays to pictures, and numbers to arrays, through Python's own interface.
//!
//! numpy is imported when an array is there or wanted, so the module does without it else. A picture's bytes are
//! copied before the interpreter's lock is given up: other threads may write to an array.

use mobilenet::pixels::RgbImage;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};

/// What is taken.
const WANTED: &str = "a numpy array of uint8, [H, W, 3] or [N, H, W, 3] in RGB";

/// Bytes of pictures that are copied and looked at together: enough that all threads are at work.
const TOGETHER: usize = 64 << 20;
/// The most pictures of them.
const MOST_TOGETHER: usize = 32;

/// One or more pictures of the same size.
pub struct Pictures<'py> {
    array: Bound<'py, PyAny>,
    is_one: bool,
    number: usize,
    size: (u32, u32),
}

impl<'py> Pictures<'py> {
    /// The pictures in an array.
    pub fn of(array: Bound<'py, PyAny>) -> PyResult<Self> {
        let py = array.py();
        if !array.is_instance(&py.import("numpy")?.getattr("ndarray")?)? {
            let given = array.get_type().fully_qualified_name()?;
            return Err(PyTypeError::new_err(format!(
                "expected {WANTED}, not {given}"
            )));
        }
        let dtype = array.getattr("dtype")?.str()?;
        if dtype != "uint8" {
            return Err(PyTypeError::new_err(format!(
                "expected {WANTED}, not one of {dtype}"
            )));
        }
        let shape: Vec<usize> = array.getattr("shape")?.extract()?;
        let (is_one, number, height, width) = match shape[..] {
            [height, width, 3] => (true, 1, height, width),
            [number, height, width, 3] => (false, number, height, width),
            _ => return Err(wrong_shape(&shape)),
        };
        let side = |pixels: usize| u32::try_from(pixels).ok().filter(|&pixels| pixels > 0);
        let size = side(width).zip(side(height));
        Ok(Self {
            size: size.ok_or_else(|| wrong_shape(&shape))?,
            array,
            is_one,
            number,
        })
    }

    /// Gives them to `take`, several at a time.
    pub fn each(self, mut take: impl FnMut(&[RgbImage]) -> PyResult<()>) -> PyResult<()> {
        let (width, height) = self.size;
        let bytes = width as usize * height as usize * 3;
        let together = (TOGETHER / bytes).clamp(1, MOST_TOGETHER);
        let mut next = 0;
        while next < self.number {
            let end = self.number.min(next + together);
            let pictures = (next..end).map(|number| self.picture(number));
            take(&pictures.collect::<PyResult<Vec<_>>>()?)?;
            self.array.py().check_signals()?;
            next = end;
        }
        Ok(())
    }

    /// A copy of one, in rows, however the array lies in memory.
    fn picture(&self, number: usize) -> PyResult<RgbImage> {
        let picture = match self.is_one {
            true => self.array.clone(),
            false => self.array.get_item(number)?,
        };
        let bytes = picture.call_method0("tobytes")?;
        let bytes = bytes.cast::<PyBytes>()?.as_bytes().to_vec();
        let (width, height) = self.size;
        RgbImage::from_raw(width, height, bytes)
            .ok_or_else(|| PyValueError::new_err("the array changed its shape"))
    }
}

fn wrong_shape(shape: &[usize]) -> PyErr {
    PyValueError::new_err(format!("expected {WANTED}, not of shape {shape:?}"))
}

/// Rows of numbers that become an array.
pub struct Matrix<'py> {
    bytes: Bound<'py, PyByteArray>,
    rows: usize,
    width: usize,
}

impl<'py> Matrix<'py> {
    /// No rows yet.
    pub fn new(py: Python<'py>, width: usize) -> Self {
        Self {
            bytes: PyByteArray::new(py, &[]),
            rows: 0,
            width,
        }
    }

    /// Adds a row.
    pub fn add(&mut self, row: &[f32]) -> PyResult<()> {
        let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_ne_bytes()).collect();
        let bytes = PyBytes::new(self.bytes.py(), &bytes);
        self.bytes.call_method1("extend", (bytes,))?;
        self.rows += 1;
        Ok(())
    }

    /// The array of float32, which may be written to.
    pub fn array(self) -> PyResult<Bound<'py, PyAny>> {
        let numpy = self.bytes.py().import("numpy")?;
        let shape = (self.rows, self.width);
        numpy.call_method1("ndarray", (shape, "float32", self.bytes))
    }
}
