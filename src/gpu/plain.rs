//! What each kernel computes, in plain loops: slow, and easy to believe.

use candle_core::{CpuStorage, DType, Layout, Result, bail};
use half::{bf16, f16};

use super::kernel::{Kernel, KernelOp, Sizes, TAPS};
use crate::pixels::{ByteScale, COLOURS};

/// A contiguous tensor's values in f32; bytes, which only pixels are, as they are scaled.
pub(super) fn floats(
    storage: &CpuStorage,
    layout: &Layout,
    scale: Option<ByteScale>,
) -> Result<Vec<f32>> {
    let Some((start, end)) = layout.contiguous_offsets() else {
        bail!("a tensor that is not contiguous");
    };
    Ok(match (storage, scale) {
        (CpuStorage::F32(values), _) => values[start..end].to_vec(),
        (CpuStorage::F16(values), _) => values[start..end].iter().map(|x| x.to_f32()).collect(),
        (CpuStorage::BF16(values), _) => values[start..end].iter().map(|x| x.to_f32()).collect(),
        (CpuStorage::U8(values), Some(scale)) => {
            let pixels = values[start..end].iter().enumerate();
            pixels.map(|(i, &x)| scale.of(i % COLOURS, x)).collect()
        }
        _ => bail!("a tensor of another type"),
    })
}

/// Values in the type of a tensor.
pub(super) fn storage(values: Vec<f32>, dtype: DType) -> Result<CpuStorage> {
    Ok(match dtype {
        DType::F32 => CpuStorage::F32(values),
        DType::F16 => CpuStorage::F16(values.into_iter().map(f16::from_f32).collect()),
        DType::BF16 => CpuStorage::BF16(values.into_iter().map(bf16::from_f32).collect()),
        other => bail!("a layer in {}", other.as_str()),
    })
}

/// Runs a kernel.
pub(super) fn run(op: &KernelOp, sizes: &Sizes, input: &[f32], parameters: &[f32]) -> Vec<f32> {
    let channels = sizes.channels;
    let parameter = |row: usize, channel: usize| parameters[row * channels + channel];
    // What is not a number stays so.
    let activate = |x: f32| x.clamp(0.0, op.highest());
    match op.kernel {
        Kernel::Stem => windows(sizes, op.kernel.stride(), |taps, channel| {
            let mut sum = parameter(TAPS * TAPS * COLOURS, channel);
            for &(tap, pixel) in taps {
                for colour in 0..COLOURS {
                    let x = input[pixel * COLOURS + colour];
                    sum += x * parameter(tap * COLOURS + colour, channel);
                }
            }
            activate(sum)
        }),
        Kernel::Depthwise { stride, input_bias } => windows(sizes, stride, |taps, channel| {
            let mut sum = parameter(TAPS * TAPS, channel);
            for &(tap, pixel) in taps {
                let mut x = input[pixel * channels + channel];
                if input_bias {
                    x = activate(x + parameter(TAPS * TAPS + 1, channel));
                }
                sum += x * parameter(tap, channel);
            }
            activate(sum)
        }),
        Kernel::Average => {
            let pixels = sizes.height * sizes.width;
            let mean = |i: usize| {
                let (image, channel) = (i / channels, i % channels);
                let value = |p: usize| {
                    let x = input[(image * pixels + p) * channels + channel];
                    activate(x + parameter(0, channel))
                };
                (0..pixels).map(value).sum::<f32>() / pixels as f32
            };
            (0..sizes.images * channels).map(mean).collect()
        }
    }
}

/// Calls `value` for each channel of each output pixel, with the number of each tap that falls into
/// the image and of the pixel under it.
fn windows(
    sizes: &Sizes,
    stride: usize,
    value: impl Fn(&[(usize, usize)], usize) -> f32,
) -> Vec<f32> {
    let mut values = Vec::new();
    let mut taps = Vec::new();
    for image in 0..sizes.images {
        for y in 0..sizes.out_height {
            for x in 0..sizes.out_width {
                taps.clear();
                for tap in 0..TAPS * TAPS {
                    let row = (y * stride + tap / TAPS).checked_sub(sizes.before_rows);
                    let column = (x * stride + tap % TAPS).checked_sub(sizes.before_columns);
                    if let (Some(row), Some(column)) = (row, column)
                        && row < sizes.height
                        && column < sizes.width
                    {
                        taps.push((tap, (image * sizes.height + row) * sizes.width + column));
                    }
                }
                values.extend((0..sizes.channels).map(|channel| value(&taps, channel)));
            }
        }
    }
    values
}
