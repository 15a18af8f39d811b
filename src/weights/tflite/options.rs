//! What operators' options say, under the numbers that the schema gives their kinds and fields.

use super::flatbuffer::Result;
use super::graph::{Code, MAX_DIMENSIONS, Operator};
use crate::model::ConvolutionKind;
use crate::ops::{Activation, Padding};

const CONV_2D: u8 = 1;
const DEPTHWISE_CONV_2D: u8 = 2;
const POOL_2D: u8 = 5;
const FULLY_CONNECTED: u8 = 8;
const SOFTMAX: u8 = 9;
const RESHAPE: u8 = 17;
const STRIDED_SLICE: u8 = 32;
const PACK: u8 = 59;

/// The number of VALID; SAME is 0.
const VALID: i8 = 1;

/// A convolution's stride, padding and fused activation.
pub(super) fn settings(
    operator: &Operator,
    kind: ConvolutionKind,
    zeros: Option<[i64; 2]>,
) -> Result<(usize, Padding, i8)> {
    // The depthwise one has its depth multiplier before the activation.
    let (options, activation) = match operator.code {
        Code::FULLY_CONNECTED => {
            let options = operator.options(FULLY_CONNECTED)?;
            if options.scalar::<i8>(1, 0)? != 0 {
                return Err("its weight is shuffled, which is not supported".into());
            }
            return Ok((1, Padding::Same, options.scalar(0, 0)?));
        }
        Code::DEPTHWISE_CONV_2D => {
            let options = operator.options(DEPTHWISE_CONV_2D)?;
            let multiplier: i32 = options.scalar(3, 0)?;
            // Where it is not stated, the shapes tell: one filter a channel.
            if ![0, 1].contains(&multiplier) {
                return Err(format!("its depth multiplier is {multiplier}, not 1"));
            }
            (options, 4)
        }
        _ => (operator.options(CONV_2D)?, 3),
    };
    let dilation: [i32; 2] = [
        options.scalar(activation + 1, 1)?,
        options.scalar(activation + 2, 1)?,
    ];
    if dilation != [1, 1] {
        return Err(format!("its dilation is {dilation:?}, not [1, 1]"));
    }
    let strides: [i32; 2] = [options.scalar(1, 0)?, options.scalar(2, 0)?];
    let stride = match strides {
        [1, 1] => 1,
        [2, 2] => 2,
        _ => return Err(format!("its strides are {strides:?}, not 1 or 2")),
    };
    let valid = options.scalar(0, 0i8)? == VALID;
    let is_3x3 = matches!(kind, ConvolutionKind::Standard | ConvolutionKind::Depthwise);
    let padding = match (is_3x3, zeros, valid) {
        (true, None, false) | (false, None, _) => Padding::Same,
        (true, Some([0, 1]), true) if stride == 2 => Padding::After,
        (true, Some([1, 1]), true) => Padding::Symmetric,
        (true, None, true) => {
            return Err("it has no zeros around its input (VALID), which is not supported".into());
        }
        (_, Some(zeros), _) => {
            return Err(format!(
                "{zeros:?} zeros before and after its input are not supported"
            ));
        }
    };
    Ok((stride, padding, options.scalar(activation, 0)?))
}

/// Whether an activation is part of a convolution.
pub(super) fn has_fused_activation(operator: &Operator) -> Result<bool> {
    let (kind, field) = match operator.code {
        Code::FULLY_CONNECTED => (FULLY_CONNECTED, 0),
        Code::DEPTHWISE_CONV_2D => (DEPTHWISE_CONV_2D, 4),
        _ => (CONV_2D, 3),
    };
    Ok(operator.options(kind)?.scalar(field, 0i8)? != 0)
}

/// The activation of a number in the schema.
pub(super) fn activation(number: i8) -> Result<Option<Activation>> {
    match number {
        0 => Ok(None),
        1 => Ok(Some(Activation::Relu)),
        3 => Ok(Some(Activation::Relu6)),
        2 => Err("its activation RELU_N1_TO_1 is not supported".into()),
        4 => Err("its activation TANH is not supported".into()),
        n => Err(format!("its activation {n} is not supported")),
    }
}

/// Refuses an average pool that is not one average of all of its input's pixels.
pub(super) fn check_pool(operator: &Operator, [height, width]: [usize; 2]) -> Result<()> {
    let options = operator.options(POOL_2D)?;
    let filter: [i32; 2] = [options.scalar(4, 0)?, options.scalar(3, 0)?];
    let fused: i8 = options.scalar(5, 0)?;
    let whole = filter.map(|side| side.try_into().ok()) == [Some(height), Some(width)];
    let once = options.scalar(0, 0)? == VALID || filter == [1, 1];
    match whole && once && fused == 0 {
        true => Ok(()),
        false => Err(format!(
            "it takes {filter:?} pixels of {height}x{width}, where one average of all of them is \
             expected"
        )),
    }
}

/// The shape that a RESHAPE states itself.
pub(super) fn new_shape(operator: &Operator) -> Result<Vec<i32>> {
    operator.options(RESHAPE)?.numbers(0, MAX_DIMENSIONS)
}

/// Refuses to put numbers together otherwise than to a list.
pub(super) fn check_pack(operator: &Operator) -> Result<()> {
    let options = operator.options(PACK)?;
    let (n, axis): (i32, i32) = (options.scalar(0, 0)?, options.scalar(1, 0)?);
    match usize::try_from(n) == Ok(operator.inputs().len()) && axis == 0 {
        true => Ok(()),
        false => Err(format!("{operator} puts {n} numbers together along {axis}")),
    }
}

/// Whether a part of a list is a number of it, between the bounds that are stated.
pub(super) fn takes_one(operator: &Operator) -> Result<bool> {
    let options = operator.options(STRIDED_SLICE)?;
    let mut masks = [0i32; 5];
    for (field, mask) in masks.iter_mut().enumerate() {
        *mask = options.scalar(field, 0)?;
    }
    // Of its five masks (begin, end, ellipsis, new axis, shrink axis) the last makes a number of a
    // list of one, and the first means 0, which has to be stated too.
    let relative: i8 = options.scalar(5, 0)?;
    Ok(matches!(masks, [0 | 1, 0, 0, 0, 1]) && relative == 0)
}

/// Refuses a softmax of another steepness.
pub(super) fn check_softmax(operator: &Operator) -> Result<()> {
    let beta: f32 = operator.options(SOFTMAX)?.scalar(0, 0.0)?;
    match beta == 1.0 {
        true => Ok(()),
        false => Err(format!("its beta is {beta}, not 1")),
    }
}

/// Refuses an activation after a sum, difference, product or quotient.
pub(super) fn check_arithmetic(operator: &Operator) -> Result<()> {
    let kind = match operator.code {
        Code::ADD => 11,
        Code::MUL => 21,
        Code::SUB => 28,
        _ => 29,
    };
    match operator.options(kind)?.scalar(0, 0i8)? {
        0 => Ok(()),
        _ => Err("an activation follows it".into()),
    }
}
