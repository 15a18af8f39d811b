//! The values of tensors on the CPU, for operations in plain loops.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, WithDType, bail};

/// What candle gives to an operation on the CPU.
pub(super) type Operand<'a> = (&'a CpuStorage, &'a Layout);

/// The values of an operand in order. It has to lie so.
pub(super) fn operand<'a, T: WithDType>((storage, layout): Operand<'a>) -> Result<&'a [T]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&T::cpu_storage_as_slice(storage)?[start..end]),
        None => bail!("an operand that does not lie in order"),
    }
}

/// Gives the values of a tensor to a function, in order.
pub(super) fn with_values<T: WithDType, R>(
    tensor: &Tensor,
    run: impl FnOnce(&[T]) -> Result<R>,
) -> Result<R> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => run(operand((storage, layout))?),
        _ => bail!("a tensor that is not on the CPU"),
    }
}
