//! The loops in plain Rust: the definition of the others.

use super::{CHANNELS, Columns, Loops, Rows};

pub(super) static LOOPS: Loops = Loops {
    needs: &[],
    columns,
    rows,
};

fn columns(task: &Columns, output: &mut [u8]) {
    for (line, output) in task.lines().zip(output.chunks_exact_mut(task.written())) {
        for ((begin, weights), pixel) in task.taps.iter().zip(output.chunks_exact_mut(CHANNELS)) {
            let mut sums = [task.taps.half(); CHANNELS];
            let inputs = line[(begin - task.offset) * CHANNELS..].chunks_exact(CHANNELS);
            for (samples, weight) in inputs.zip(weights) {
                for (sum, sample) in sums.iter_mut().zip(samples) {
                    *sum += i32::from(*sample) * weight;
                }
            }
            pixel.copy_from_slice(&sums.map(|sum| task.taps.to_byte(sum)));
        }
    }
}

fn rows(task: &Rows, output: &mut [u8]) {
    each_row(task, output);
}

/// Inlined into a function with other instructions, it uses those.
#[inline(always)]
pub(super) fn each_row(task: &Rows, output: &mut [u8]) {
    let mut sums = vec![0; task.part.len()];
    let outputs = output.chunks_exact_mut(task.part.len());
    for ((begin, weights), output) in task.taps.iter().zip(outputs) {
        sums.fill(task.taps.half());
        for (line, weight) in task.lines(begin).zip(weights) {
            for (sum, sample) in sums.iter_mut().zip(line) {
                *sum += i32::from(*sample) * weight;
            }
        }
        for (byte, sum) in output.iter_mut().zip(&sums) {
            *byte = task.taps.to_byte(*sum);
        }
    }
}
