//! The pictures that are learned from.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use image::RgbImage;
use rayon::prelude::*;

use crate::error::ImageError;
use crate::pixels::{AsPixels, Samples};
use crate::random::{Purpose, Random};

type Read<P> = Box<dyn Fn(usize) -> Result<P, ImageError> + Send + Sync>;

/// Pictures of known classes, kept in memory as far as there is room for them.
///
/// They are as they were taken, or [`Pixels`](crate::pixels::Pixels) that a recipe was applied to.
pub struct Dataset<P = RgbImage> {
    classes: Vec<usize>,
    read: Read<P>,
    kept: Vec<OnceLock<Arc<P>>>,
    /// Bytes that may still be kept.
    room: AtomicU64,
}

impl<P: AsPixels + Send + Sync + 'static> Dataset<P> {
    /// Pictures that `read` gives by their number, the same ones whenever it is asked; the class of
    /// each; and how many bytes of them may be kept.
    pub fn new(
        classes: Vec<usize>,
        room: u64,
        read: impl Fn(usize) -> Result<P, ImageError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            kept: classes.iter().map(|_| OnceLock::new()).collect(),
            classes,
            read: Box::new(read),
            room: AtomicU64::new(room),
        }
    }

    /// Some of them, numbered anew in this order, of which as many bytes may be kept as of all.
    ///
    /// # Panics
    /// Where a number is none of theirs.
    pub fn only(self, numbers: Vec<usize>) -> Self {
        let Self {
            classes,
            read,
            mut kept,
            room,
        } = self;
        let bytes = |kept: &OnceLock<Arc<P>>| kept.get().map_or(0, |picture| bytes(&**picture));
        let all: u64 = kept.iter().map(bytes).sum();
        let kept: Vec<_> = numbers
            .iter()
            .map(|&n| std::mem::take(&mut kept[n]))
            .collect();
        let freed = all - kept.iter().map(bytes).sum::<u64>();
        Self {
            classes: numbers.iter().map(|&number| classes[number]).collect(),
            kept,
            room: AtomicU64::new(room.into_inner() + freed),
            read: Box::new(move |number| read(numbers[number])),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The class of each.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// A picture.
    ///
    /// # Errors
    /// It can't be read.
    ///
    /// # Panics
    /// Where there are not as many.
    pub fn get(&self, number: usize) -> Result<Arc<P>, ImageError> {
        if let Some(kept) = self.kept[number].get() {
            return Ok(Arc::clone(kept));
        }
        let picture = Arc::new((self.read)(number)?);
        self.keep(number, &picture);
        Ok(picture)
    }

    /// Keeps a picture that was read already, if there is room.
    ///
    /// # Panics
    /// Where there are not as many.
    pub fn keep(&self, number: usize, picture: &Arc<P>) {
        let bytes = bytes(&**picture);
        let take = |room: u64| room.checked_sub(bytes);
        if self
            .room
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
        {
            let _ = self.kept[number].set(Arc::clone(picture));
        }
    }
}

impl<P: AsPixels + Clone + Send + Sync + 'static> Dataset<P> {
    /// Some of them, numbered anew in this order, where others are wanted too: what is kept of them is
    /// what the whole keeps.
    ///
    /// # Panics
    /// Where a number is none of theirs.
    pub fn part(self: &Arc<Self>, numbers: Vec<usize>) -> Self {
        let classes = numbers.iter().map(|&number| self.classes[number]).collect();
        let whole = Arc::clone(self);
        Self::new(classes, 0, move |number| {
            Ok(whole.get(numbers[number])?.as_ref().clone())
        })
    }

    /// Copies of some, read on several threads.
    ///
    /// # Errors
    /// One that can't be read.
    ///
    /// # Panics
    /// Where there are not as many.
    pub(super) fn some(&self, numbers: &[usize]) -> Result<Vec<P>, ImageError> {
        let copy = |&number: &usize| Ok(self.get(number)?.as_ref().clone());
        numbers.par_iter().map(copy).collect()
    }
}

/// What a picture takes in memory.
fn bytes(picture: &impl AsPixels) -> u64 {
    match picture.samples() {
        Samples::Bytes(bytes) => bytes.len() as u64,
        Samples::Floats(values) => size_of_val(values) as u64,
    }
}

/// Numbers of pictures to learn from, and of others to test with: a share of each class, chosen at
/// random, the same ones for a seed. Each class that has two pictures has at least one of both
/// kinds; both lists are in order.
pub fn split(classes: &[usize], share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut held_out = vec![false; classes.len()];
    for class in 0..classes.iter().max().map_or(0, |last| last + 1) {
        let of_class = classes.iter().enumerate().filter(|(_, c)| **c == class);
        let mut members: Vec<usize> = of_class.map(|(number, _)| number).collect();
        Random::new(seed, Purpose::Split, 0, class).shuffle(&mut members);
        let most = members.len().saturating_sub(1);
        let wanted = (members.len() as f64 * share).round() as usize;
        for &number in members.iter().take(wanted.max(1).min(most)) {
            held_out[number] = true;
        }
    }
    (0..classes.len()).partition(|&number| !held_out[number])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_is_split_by_itself() {
        let classes: Vec<usize> = (0..130).map(|i| if i < 30 { i % 2 } else { 2 }).collect();
        let (learn, test) = split(&classes, 0.1, 5);
        assert_eq!(learn.len() + test.len(), 130);
        let count = |class| test.iter().filter(|&&i| classes[i] == class).count();
        assert_eq!([count(0), count(1), count(2)], [2, 2, 10]);
        assert_eq!((learn.clone(), test.clone()), split(&classes, 0.1, 5));
        assert_ne!(test, split(&classes, 0.1, 6).1);
        assert!(learn.iter().all(|i| !test.contains(i)));
        // One of two, and none of one.
        assert_eq!(split(&[0, 0, 1], 0.01, 0).1.len(), 1);
        assert_eq!(split(&[], 0.5, 0), (vec![], vec![]));
    }

    #[test]
    fn pictures_are_kept_while_there_is_room() -> Result<(), ImageError> {
        use std::sync::atomic::AtomicUsize;
        let reads = Arc::new(AtomicUsize::new(0));
        let counted = reads.clone();
        let read = move |number: usize| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(RgbImage::from_pixel(2, 2, image::Rgb([number as u8; 3])))
        };
        let pictures = Dataset::new(vec![0; 3], 30, read);
        for _ in 0..3 {
            for number in 0..3 {
                assert_eq!(pictures.get(number)?[(0, 0)][0], number as u8);
            }
        }
        // Two are kept, the third is read three times.
        assert_eq!(reads.load(Ordering::Relaxed), 5);
        // What is left out makes room.
        let pictures = pictures.only(vec![2, 1]);
        for _ in 0..3 {
            assert_eq!(pictures.get(0)?[(0, 0)][0], 2);
            assert_eq!(pictures.get(1)?[(0, 0)][0], 1);
        }
        assert_eq!(reads.load(Ordering::Relaxed), 6);
        Ok(())
    }
}
