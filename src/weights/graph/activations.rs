//! What the pixels have become at a place in a graph: which dimension is which, and the layers so far.

use std::rc::Rc;

use super::affine::Affine;
use super::convolve::Kernel;
use super::dims::Dim;
use super::layer::Layer;
use crate::head::Head;
use crate::weights::protobuf::Result;

/// What a dimension is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    Pictures,
    Height,
    Width,
    Channels,
    /// Of a side of 1.
    One,
}

/// How far the network has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Pixels,
    /// A convolution without its activation.
    Convolved,
    /// A convolution's ReLU or ReLU6.
    Activated,
    /// The average of the last one.
    Pooled,
    /// The last layer.
    Logits,
    Scores(Head),
}

#[derive(Debug, Clone)]
pub(super) struct Activations {
    pub axes: Vec<Axis>,
    /// Height and width, where they are known.
    pub sides: [Option<usize>; 2],
    pub channels: usize,
    /// How many pictures there are, if that is fixed.
    pub pictures: Option<usize>,
    /// Zeros that were put around, before and after, by height and width; a convolution has to follow.
    pub zeros: Option<[[i64; 2]; 2]>,
    pub stage: Stage,
    /// What is done to each channel since.
    pub affine: Option<Affine>,
    /// What is done to the pixels before the first convolution.
    pub scaling: Option<Affine>,
    pub layers: Vec<Rc<Layer>>,
    /// The last of them is a 1x1 convolution after the blocks.
    pub has_head: bool,
    /// The convolution that is [`Stage::Convolved`] or [`Stage::Logits`].
    pub open: Option<Rc<Kernel>>,
    /// The side of what an average pool takes in, where only that tells the side of the pixels.
    pub pooled_side: Option<usize>,
}

impl Activations {
    /// Pixels of these dimensions.
    pub fn pixels(axes: Vec<Axis>, sides: [Option<usize>; 2], pictures: Option<usize>) -> Self {
        Self {
            axes,
            sides,
            channels: crate::pixels::COLOURS,
            pictures,
            zeros: None,
            stage: Stage::Pixels,
            affine: None,
            scaling: None,
            layers: Vec::new(),
            has_head: false,
            open: None,
            pooled_side: None,
        }
    }

    /// Its shape, as a graph may ask for it.
    pub fn shape(&self) -> Vec<Dim> {
        let side = |axis: &Axis| match axis {
            Axis::Pictures => self.pictures.map_or(Dim::Pictures, Dim::Of),
            Axis::Height => self.sides[0].map_or(Dim::Unknown, Dim::Of),
            Axis::Width => self.sides[1].map_or(Dim::Unknown, Dim::Of),
            Axis::Channels => Dim::Of(self.channels),
            Axis::One => Dim::Of(1),
        };
        self.axes.iter().map(side).collect()
    }

    /// The dimension of a number that may count from the end.
    pub fn axis(&self, number: i64) -> Result<usize> {
        axis(number, self.axes.len())
    }

    /// Height and width as sides of 1, where they are known to be: then their average has nothing to do,
    /// and converters leave it out.
    fn without_sides(&self) -> Option<Self> {
        let mut it = self.clone();
        let has_sides = self.axes.contains(&Axis::Height) || self.axes.contains(&Axis::Width);
        if has_sides {
            if self.sides != [Some(1); 2] || self.stage != Stage::Activated {
                return None;
            }
            it.stage = Stage::Pooled;
            for axis in &mut it.axes {
                if matches!(axis, Axis::Height | Axis::Width) {
                    *axis = Axis::One;
                }
            }
        }
        Some(it)
    }

    /// The same channels in another shape.
    pub fn reshaped(&self, target: &[Dim]) -> Result<Self> {
        let whole = || "it does not keep the channels of a picture together".to_owned();
        let mut it = self.without_sides().ok_or_else(whole)?;
        let shape = self.shape();
        let kept = |(at, dim): (usize, &Dim)| match dim {
            Dim::Kept => shape.get(at).copied().ok_or_else(whole),
            other => Ok(*other),
        };
        let target: Vec<Dim> = target.iter().enumerate().map(kept).collect::<Result<_>>()?;
        let holds = |dim: &Dim| *dim == Dim::Rest || *dim == Dim::Of(self.channels);
        // The last of those that may be the channels.
        let place = target.iter().rposition(holds).ok_or_else(whole)?;
        let is_left = target[place] == Dim::Rest;
        let fits = |(at, dim): (usize, &Dim)| match dim {
            _ if at == place => true,
            Dim::Of(1) => true,
            Dim::Pictures => at == 0,
            Dim::Rest => at == 0 && !is_left,
            Dim::Of(n) => at == 0 && self.pictures == Some(*n),
            _ => false,
        };
        if !target.iter().enumerate().all(fits) {
            return Err(whole());
        }
        let label = |at: usize| match at {
            _ if at == place => Axis::Channels,
            0 => Axis::Pictures,
            _ => Axis::One,
        };
        it.axes = (0..target.len()).map(label).collect();
        Ok(it)
    }

    /// Without dimensions of 1: these, or all of them.
    pub fn squeezed(&self, axes: Option<&[i64]>) -> Result<Self> {
        let error = || "it leaves out a dimension that is not of 1".to_owned();
        let mut it = self.without_sides().ok_or_else(error)?;
        let is_one = |axis: Axis| match axis {
            Axis::One => true,
            Axis::Pictures => self.pictures == Some(1),
            _ => false,
        };
        let leaves: Vec<bool> = match axes {
            None => it.axes.iter().map(|axis| is_one(*axis)).collect(),
            Some(axes) => {
                let mut leaves = vec![false; it.axes.len()];
                for axis in axes {
                    let at = it.axis(*axis)?;
                    if !is_one(it.axes[at]) {
                        return Err(error());
                    }
                    leaves[at] = true;
                }
                leaves
            }
        };
        let mut leaves = leaves.into_iter();
        it.axes.retain(|_| leaves.next() == Some(false));
        Ok(it)
    }

    /// With dimensions of 1 more, at these places of what it becomes.
    pub fn unsqueezed(&self, axes: &[i64]) -> Result<Self> {
        let n = self.axes.len() + axes.len();
        let new = axes.iter().map(|number| axis(*number, n));
        let new: Vec<usize> = new.collect::<Result<_>>()?;
        let mut old = self.axes.iter();
        let lacks_pictures = !self.axes.contains(&Axis::Pictures);
        let mut it = self.clone();
        it.axes = (0..n)
            .map(|at| match new.contains(&at) {
                true if at == 0 && lacks_pictures => Some(Axis::Pictures),
                true => Some(Axis::One),
                false => old.next().copied(),
            })
            .collect::<Option<_>>()
            .ok_or("it adds a dimension twice")?;
        if n > MAX_AXES || it.axes.len() != n || old.next().is_some() {
            return Err("it adds dimensions that can't be".into());
        }
        Ok(it)
    }

    /// With its dimensions in another order.
    pub fn transposed(&self, order: Option<&[i64]>) -> Result<Self> {
        let n = self.axes.len();
        let order: Vec<usize> = match order {
            None => (0..n).rev().collect(),
            Some(order) => {
                let order = order.iter().map(|number| self.axis(*number));
                order.collect::<Result<_>>()?
            }
        };
        if order.len() != n || !(0..n).all(|axis| order.contains(&axis)) {
            return Err(format!("{order:?} is no order of its {n} dimensions"));
        }
        let mut it = self.clone();
        it.axes = order.iter().map(|&from| self.axes[from]).collect();
        Ok(it)
    }

    /// The average over dimensions.
    pub fn averaged(&self, axes: &[i64], keep: bool) -> Result<Self> {
        let mut gone = Vec::new();
        for number in axes {
            let at = self.axis(*number)?;
            match self.axes[at] {
                Axis::Height | Axis::Width | Axis::One => gone.push(at),
                _ => return Err("it averages over pictures or channels".into()),
            }
        }
        let of_pixels = gone.iter().any(|&at| self.axes[at] != Axis::One);
        if of_pixels && self.stage != Stage::Activated {
            return Err(self.unexpected("an average"));
        }
        let mut it = self.clone();
        for &at in &gone {
            it.axes[at] = Axis::One;
        }
        if !keep {
            let mut at = 0..;
            it.axes
                .retain(|_| at.next().is_some_and(|at| !gone.contains(&at)));
        }
        let is_left = |axis: &Axis| matches!(axis, Axis::Height | Axis::Width);
        if of_pixels && !it.axes.iter().any(is_left) {
            it.stage = Stage::Pooled;
        }
        Ok(it)
    }

    /// Why something can't come here.
    pub fn unexpected(&self, what: &str) -> String {
        let here = match self.stage {
            Stage::Pixels => "right after the pixels",
            Stage::Convolved => "between a convolution and its activation",
            Stage::Activated => "between two convolutions",
            Stage::Pooled => "after the average",
            Stage::Logits => "after its last layer",
            Stage::Scores(_) => "after its scores",
        };
        format!("not a MobileNet V1: {what} comes {here}")
    }
}

/// A network's activations have four dimensions.
const MAX_AXES: usize = 8;

/// The dimension of a number that may count from the end.
pub(super) fn axis(number: i64, dimensions: usize) -> Result<usize> {
    let n = dimensions as i64;
    let from_start = if number < 0 {
        number.checked_add(n)
    } else {
        Some(number)
    };
    let axis = from_start.filter(|axis| (0..n).contains(axis));
    let axis = axis.map(|axis| axis as usize);
    axis.ok_or_else(|| format!("it has {n} dimensions, none of them {number}"))
}
