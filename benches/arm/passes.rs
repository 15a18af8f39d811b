//! Runs a network of random weights some times on one thread and nothing else, for tools that count:
//! `passes ALPHA SIZE TYPE KERNELS PASSES`, where KERNELS is a name that `mobilenet doctor` knows.

use std::error::Error;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use mobilenet::Isa;
use mobilenet::model::{Config, MobileNet, Precision, random_tensors};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [alpha, size, precision, isa, passes] = arguments.as_slice() else {
        return Err("passes ALPHA SIZE f32|bf16|int8 KERNELS PASSES".into());
    };
    let (size, passes): (usize, usize) = (size.parse()?, passes.parse()?);
    let precision = match precision.as_str() {
        "f32" => Precision::from(DType::F32),
        "bf16" => DType::BF16.into(),
        "int8" => Precision::Int8,
        other => return Err(format!("{other} is no type of ours").into()),
    };
    let config = Config::with_alpha(alpha.parse()?);
    let tensors = random_tensors(&config, 1)?;
    let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
    let network = MobileNet::builder(&config, &weights)
        .with_precision(precision)
        .with_isa(isa.parse::<Isa>()?)
        .build()?
        .with_threads(1);
    let pixels = Tensor::zeros((1, 3, size, size), DType::F32, &Device::Cpu)?;
    for _ in 0..passes {
        std::hint::black_box(network.forward(&pixels)?);
    }
    Ok(())
}
