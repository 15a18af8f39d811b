//! How alike embeddings are, by the cosine of the angle between them.
//!
//! Sums are taken in f64, or lead to the same answers, and so a similarity is the same whatever
//! else it is computed with.

use std::iter::Sum;
use std::ops::{Add, Mul};

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use crate::error::{Error, Result};

/// What a length of 1 may be off by: the values are rounded to f32.
const NORM_TOLERANCE: f64 = 1e-6;
/// Sums that are taken side by side.
const LANES: usize = 16;

/// Divides a vector by its length (L2 norm), which is 1 afterwards. A vector of zeros stays one, and
/// one of length 1 stays as it is, to the bit. False where the length is not a finite number.
pub fn normalise(vector: &mut [f32]) -> bool {
    let norm = norm(vector);
    if norm > 0.0 && (norm - 1.0).abs() > NORM_TOLERANCE {
        for value in vector {
            *value = (f64::from(*value) / norm) as f32;
        }
    }
    norm.is_finite()
}

/// The length (L2 norm) of a vector.
pub fn norm(vector: &[f32]) -> f64 {
    dot(vector, vector).sqrt()
}

/// The scalar product of two vectors of equal length.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum_of_products(a, b)
}

/// The same with sums in f32, which is faster.
pub(crate) fn dot_in_f32(a: &[f32], b: &[f32]) -> f32 {
    sum_of_products(a, b)
}

/// In several sums side by side, as a processor likes it.
fn sum_of_products<T>(a: &[f32], b: &[f32]) -> T
where
    T: Copy + Default + From<f32> + Add<Output = T> + Mul<Output = T> + Sum,
{
    let mut sums = [T::default(); LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let product = |(&a, &b): (&f32, &f32)| T::from(a) * T::from(b);
    let rest = a_chunks.remainder().iter().zip(b_chunks.remainder());
    let rest: T = rest.map(product).sum();
    for (a, b) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] = sums[lane] + product((&a[lane], &b[lane]));
        }
    }
    sums.into_iter().sum::<T>() + rest
}

/// The cosine of the angle between two vectors of equal length, from -1 to 1. A vector of zeros
/// is like nothing: 0, as in scikit-learn's `cosine_similarity`.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    rounded(dot(a, b) / (norm(a) * norm(b)))
}

/// As a similarity is told: what is not a number comes of zeros.
fn rounded(cosine: f64) -> f32 {
    if cosine.is_nan() {
        0.0
    } else {
        cosine.clamp(-1.0, 1.0) as f32
    }
}

/// The nearest of many vectors to one, of which only as many are kept as are asked for.
#[derive(Debug, Clone)]
pub struct Nearest<T> {
    query: Vec<f32>,
    most: usize,
    least: f32,
    /// In the order in which they were offered where it is the same similarity, with some that are
    /// not among the nearest any more.
    found: Vec<(f32, T)>,
}

impl<T> Nearest<T> {
    /// Looks for the `most` vectors nearest to `query` with a similarity of at least `least`.
    pub fn new(query: Vec<f32>, most: usize, least: f32) -> Self {
        Self {
            query,
            most,
            least,
            found: Vec::new(),
        }
    }

    /// Looks at a vector of the query's length; `item` is what it stands for.
    pub fn offer(&mut self, vector: &[f32], item: impl FnOnce() -> T) {
        let similarity = cosine(&self.query, vector);
        if similarity < self.least || self.most == 0 {
            return;
        }
        self.found.push((similarity, item()));
        // Now and then: sorting takes its time.
        if self.found.len() >= self.most.saturating_mul(2).max(1 << 10) {
            self.sort();
        }
    }

    /// Keeps the nearest, in descending order.
    fn sort(&mut self) {
        // It is stable, and similarities are numbers.
        self.found.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        self.found.truncate(self.most);
    }

    /// What was found with its similarity, the nearest first; of equally near ones the one that
    /// was offered first.
    pub fn found(mut self) -> Vec<(f32, T)> {
        self.sort();
        self.found
    }
}

/// Vectors that are to be compared all with all.
#[derive(Debug, Clone)]
pub struct Collection {
    width: usize,
    /// Vectors of length 1, or of zeros, one after the other.
    values: Vec<f32>,
}

/// Vectors that are alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Their numbers in the order in which they were added, at least two.
    pub members: Vec<usize>,
    /// The least similarity of any two of them. It may be under the threshold, where some are
    /// linked only by others.
    pub lowest: f32,
    /// The greatest similarity of any two of them.
    pub highest: f32,
}

/// Groups of vectors, with what they were found by.
#[derive(Debug, Clone)]
pub struct Grouped {
    /// In the order of their first members.
    pub groups: Vec<Group>,
    table: Tensor,
}

impl Grouped {
    /// The similarity of two of the vectors, by the numbers that groups have them by.
    ///
    /// # Errors
    /// A number that is no vector's.
    pub fn similarity(&self, a: usize, b: usize) -> Result<f32> {
        exact(&self.table, a, b)
    }
}

/// Rows of a block of the table of all similarities.
const BLOCK_ROWS: usize = 512;
/// Its columns: 8 MB in f32.
const BLOCK_COLUMNS: usize = 4096;

impl Collection {
    /// An empty one, for vectors of `width` values.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            values: Vec::new(),
        }
    }

    /// Adds a vector.
    ///
    /// # Errors
    /// It has another number of values than the others.
    pub fn push(&mut self, vector: &[f32]) -> Result<()> {
        if vector.len() != self.width {
            let (got, width) = (vector.len(), self.width);
            let message = format!("an embedding of {got} values among those of {width}");
            return Err(Error::length(width, got, message));
        }
        let start = self.values.len();
        self.values.extend_from_slice(vector);
        normalise(&mut self.values[start..]);
        Ok(())
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Groups of vectors that are alike: two with a similarity of at least `least` belong to the
    /// same group, and so whatever is linked through others (single linkage). Groups and their
    /// members are in the order in which they were added; what is like nothing is in none.
    ///
    /// All pairs are compared, block by block, in time of the square of the number of vectors
    /// and memory of its size. `go_on` is told the share of the work that is done and may end
    /// it, and then there is no answer.
    ///
    /// # Errors
    /// Not enough memory.
    pub fn groups(self, least: f32, go_on: impl FnMut(f64) -> bool) -> Result<Option<Vec<Group>>> {
        let grouped = self.groups_where(least, |_, _| true, go_on)?;
        Ok(grouped.map(|grouped| grouped.groups))
    }

    /// The same, where two vectors belong to the same group only if `may_be_one` says so of their numbers, too. It
    /// is asked for those alone that are alike.
    ///
    /// # Errors
    /// Not enough memory.
    pub fn groups_where(
        self,
        least: f32,
        mut may_be_one: impl FnMut(usize, usize) -> bool,
        mut go_on: impl FnMut(f64) -> bool,
    ) -> Result<Option<Grouped>> {
        let (count, width) = (self.len(), self.width);
        let table = Tensor::from_vec(self.values, (count, width), &Device::Cpu)?;
        let rows = |start: usize, len: usize| table.narrow(0, start, len.min(count - start));
        // Each of `width` products and sums may be off by half of the last bit, of lengths of 1.
        let margin = (width + 8) as f32 * f32::EPSILON / 2.0;
        let mut sets = Sets::new(count);
        for start in (0..count).step_by(BLOCK_ROWS) {
            let left = (count - start) as f64 / count as f64;
            let block = rows(start, BLOCK_ROWS)?;
            for column in (start..count).step_by(BLOCK_COLUMNS) {
                if !go_on(1.0 - left * left) {
                    return Ok(None);
                }
                let others = rows(column, BLOCK_COLUMNS)?;
                for (a, b, similarity) in pairs(&block, &others, least - margin)? {
                    let (a, b) = (start + a, column + b);
                    if a >= b || sets.are_one(a, b) {
                        continue;
                    }
                    let is_alike = similarity >= least + margin || exact(&table, a, b)? >= least;
                    if is_alike && may_be_one(a, b) {
                        sets.join(a, b);
                    }
                }
            }
        }
        let mut groups = Vec::new();
        for members in sets.groups() {
            let Some((lowest, highest)) = range(&table, &members, || go_on(1.0))? else {
                return Ok(None);
            };
            groups.push(Group {
                members,
                lowest,
                highest,
            });
        }
        Ok(Some(Grouped { groups, table }))
    }
}

/// The pairs of a row of `a` and one of `b` whose similarity, in f32, is at least `least`.
fn pairs(a: &Tensor, b: &Tensor, least: f32) -> Result<Vec<(usize, usize, f32)>> {
    let columns = b.dim(0)?;
    let products: Vec<f32> = a.matmul(&b.t()?)?.flatten_all()?.to_vec1()?;
    let rows = products.par_chunks(columns).enumerate();
    let pairs = rows.flat_map_iter(|(i, row)| {
        let row = row.iter().enumerate();
        row.filter(move |(_, similarity)| **similarity >= least)
            .map(move |(j, similarity)| (i, j, *similarity))
    });
    Ok(pairs.collect())
}

/// The similarity of two rows.
fn exact(table: &Tensor, a: usize, b: usize) -> Result<f32> {
    let row = |i| table.get(i)?.to_vec1();
    Ok(cosine(&row(a)?, &row(b)?))
}

/// The least and the greatest similarity among some rows, of which there are two or more, unless
/// `go_on` ends it.
///
/// The products are in f64: their last bits depend on how they are computed, and are rounded
/// away.
fn range(
    table: &Tensor,
    members: &[usize],
    mut go_on: impl FnMut() -> bool,
) -> Result<Option<(f32, f32)>> {
    let rows = |members: &[usize]| -> Result<(Tensor, Vec<f64>)> {
        let numbers: Vec<u32> = members.iter().map(|&i| i as u32).collect();
        let numbers = Tensor::new(numbers, &Device::Cpu)?;
        let rows = table.index_select(&numbers, 0)?.to_dtype(DType::F64)?;
        let norms = rows.sqr()?.sum(1)?.sqrt()?.to_vec1()?;
        Ok((rows, norms))
    };
    let mut range = (f32::INFINITY, f32::NEG_INFINITY);
    for (i, block) in members.chunks(BLOCK_ROWS).enumerate() {
        let (a, a_norms) = rows(block)?;
        for (j, others) in members.chunks(BLOCK_ROWS).enumerate().skip(i) {
            if !go_on() {
                return Ok(None);
            }
            let (b, b_norms) = rows(others)?;
            let products: Vec<Vec<f64>> = a.matmul(&b.t()?)?.to_vec2()?;
            for (k, row) in products.iter().enumerate() {
                // A pair once, and nothing with itself.
                let first = if i == j { k + 1 } else { 0 };
                for (product, norm) in row.iter().zip(&b_norms).skip(first) {
                    let similarity = rounded(product / (a_norms[k] * norm));
                    range = (range.0.min(similarity), range.1.max(similarity));
                }
            }
        }
    }
    Ok(Some(range))
}

/// Disjoint sets of numbers (union-find, with halved paths).
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// The least number of a set.
    fn first(&mut self, mut i: usize) -> usize {
        while self.0[i] != i {
            self.0[i] = self.0[self.0[i]];
            i = self.0[i];
        }
        i
    }

    fn are_one(&mut self, a: usize, b: usize) -> bool {
        self.first(a) == self.first(b)
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.first(a), self.first(b));
        self.0[a.max(b)] = a.min(b);
    }

    /// The sets of two and more, in the order of their first numbers.
    fn groups(mut self) -> Vec<Vec<usize>> {
        let count = self.0.len();
        let mut groups = vec![Vec::new(); count];
        for i in 0..count {
            groups[self.first(i)].push(i);
        }
        groups.retain(|group| group.len() > 1);
        groups
    }
}
