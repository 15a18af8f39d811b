//! Tests: every gradient against differences of the function itself, in f64.

use candle_core::{DType, Device, Result, Tensor, Var};

use super::batch_norm::{BatchNorm, Statistics};
use super::convolution::{Depthwise, Standard};
use super::layer::{Norms, Phase};
use super::network::TrainableNetwork;
use super::{cross_entropy, initial_tensors};
use crate::model::{Config, Padding as NetworkPadding};
use crate::ops::{Activation, Padding, conv2d_sums, depthwise_sums};
use crate::random::{Purpose, Random};

const PADDINGS: [Padding; 3] = [Padding::Same, Padding::After, Padding::Symmetric];
const STEP: f64 = 1e-5;

fn random(shape: &[usize], item: usize) -> Tensor {
    let mut random = Random::new(7, Purpose::Weights, 0, item);
    let values: Vec<f64> = (0..shape.iter().product())
        .map(|_| random.between(-1.0, 1.2))
        .collect();
    Tensor::from_vec(values, shape, &Device::Cpu).expect("a tensor")
}

/// A sum of a tensor's values in which each counts differently.
fn weighed(y: &Tensor) -> Result<Tensor> {
    (y * random(y.dims(), 99))?.sum_all()
}

/// Compares the gradients of `run`, which gives a scalar, with its differences at `places` of each
/// of its inputs at most.
fn check(
    name: &str,
    inputs: &[Tensor],
    places: usize,
    run: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<()> {
    let vars: Vec<Var> = inputs.iter().map(Var::from_tensor).collect::<Result<_>>()?;
    let tensors = |vars: &[Var]| {
        vars.iter()
            .map(|v| v.as_tensor().clone())
            .collect::<Vec<_>>()
    };
    let gradients = run(&tensors(&vars))?.backward()?;
    for (number, var) in vars.iter().enumerate() {
        let gradient = gradients
            .get(var)
            .expect("a gradient")
            .flatten_all()?
            .to_vec1::<f64>()?;
        let original = var.as_tensor().copy()?;
        let values = original.flatten_all()?.to_vec1::<f64>()?;
        let stride = values.len().div_ceil(places);
        let mut moved = 0.0f64;
        for place in (number % stride..values.len()).step_by(stride) {
            let at = |value: f64| -> Result<f64> {
                let mut values = values.clone();
                values[place] = value;
                var.set(&Tensor::from_vec(values, original.dims(), &Device::Cpu)?)?;
                run(&tensors(&vars))?.to_scalar::<f64>()
            };
            let difference = (at(values[place] + STEP)? - at(values[place] - STEP)?) / (2.0 * STEP);
            let off = (difference - gradient[place]).abs();
            moved = moved.max(difference.abs());
            assert!(
                off <= 1e-6 * difference.abs().max(1.0),
                "{name}, input {number} at {place}: {}, not {difference}",
                gradient[place]
            );
        }
        assert!(moved > 1e-4, "{name}: input {number} changes nothing");
        var.set(&original)?;
    }
    Ok(())
}

fn same(name: &str, a: &Tensor, b: &Tensor) -> Result<()> {
    assert_eq!(a.dims(), b.dims(), "{name}");
    let off = (a - b)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>()?;
    assert!(off < 1e-12, "{name}: {off}");
    Ok(())
}

#[test]
fn depthwise_convolutions() -> Result<()> {
    for padding in PADDINGS {
        for stride in [1, 2] {
            for (h, w) in [(1, 1), (2, 3), (5, 4), (7, 7)] {
                let name = format!("{padding:?} stride {stride} {h}x{w}");
                let (x, weight) = (random(&[3, 2, h, w], 1), random(&[3, 1, 3, 3], 2));
                let y = x.apply_op2(&weight, Depthwise { stride, padding })?;
                let plain =
                    depthwise_sums(&x.transpose(0, 1)?.contiguous()?, &weight, stride, padding)?;
                same(&name, &y, &plain.transpose(0, 1)?.contiguous()?)?;
                // Of a filter that lies over zeros only, no tap but the middle one counts.
                check(&name, &[x, weight], 40, |t| {
                    weighed(&t[0].apply_op2(&t[1], Depthwise { stride, padding })?)
                })?;
            }
        }
    }
    Ok(())
}

#[test]
fn the_stem() -> Result<()> {
    for padding in PADDINGS {
        for stride in [1, 2] {
            for (h, w) in [(2, 3), (5, 4), (7, 7)] {
                let name = format!("{padding:?} stride {stride} {h}x{w}");
                let (x, weight) = (random(&[3, 2, h, w], 1), random(&[4, 3, 3, 3], 2));
                let y = x.apply_op2(&weight, Standard { stride, padding })?;
                let plain =
                    conv2d_sums(&x.transpose(0, 1)?.contiguous()?, &weight, stride, padding)?;
                same(&name, &y, &plain.transpose(0, 1)?.contiguous()?)?;
                check(&name, &[weight], 108, |t| {
                    weighed(&x.apply_op2(&t[0], Standard { stride, padding })?)
                })?;
            }
        }
    }
    Ok(())
}

#[test]
fn batch_norm_with_the_statistics_of_its_batch() -> Result<()> {
    for activation in [Activation::Relu, Activation::Relu6] {
        for shape in [[3, 2, 1, 1], [2, 3, 3, 5], [1, 2, 40, 31]] {
            let name = format!("{activation:?} {shape:?}");
            let x = (random(&shape, 1) * 3.0)?;
            // So that some reach 6.
            let gamma = (random(&shape[..1], 2).abs()? * 4.0)?;
            let beta = random(&shape[..1], 3).affine(1.0, 2.0)?;
            check(&name, &[x, gamma, beta], 40, |t| {
                weighed(&t[0].apply_op3(&t[1], &t[2], BatchNorm::of_batch(1e-3, activation))?)
            })?;
        }
    }
    Ok(())
}

#[test]
fn batch_norm_with_statistics_that_are_given() -> Result<()> {
    for activation in [Activation::Relu, Activation::Relu6] {
        for shape in [[3, 4, 2, 2], [2, 3, 3, 5], [1, 2, 40, 31]] {
            let name = format!("{activation:?} {shape:?}");
            let x = (random(&shape, 1) * 3.0)?;
            let gamma = (random(&shape[..1], 2).abs()? * 4.0)?;
            let beta = random(&shape[..1], 3).affine(1.0, 2.0)?;
            let statistics = Statistics {
                mean: random(&shape[..1], 4),
                variance: random(&shape[..1], 5).sqr()?.affine(2.0, 1.0)?,
            };
            let operation = BatchNorm::fixed(1e-3, activation, &statistics)?;
            check(&name, &[x, gamma, beta], 40, |t| {
                weighed(&t[0].apply_op3(&t[1], &t[2], operation.clone())?)
            })?;
        }
    }
    // Statistics of another number of channels are an error.
    let (x, one, two) = (random(&[2, 1, 3, 3], 1), random(&[1], 2), random(&[2], 3));
    let statistics = Statistics {
        mean: one.clone(),
        variance: one.abs()?,
    };
    let operation = BatchNorm::fixed(1e-3, Activation::Relu, &statistics)?;
    assert!(x.apply_op3(&two, &two, operation).is_err());
    Ok(())
}

#[test]
fn the_loss() -> Result<()> {
    for smoothing in [0.0, 0.1] {
        let logits = (random(&[5, 4], 1) * 3.0)?;
        check(&format!("smoothing {smoothing}"), &[logits], 20, |t| {
            cross_entropy(&t[0], &[0, 3, 1, 1, 2], smoothing)
        })?;
    }
    Ok(())
}

/// A network with weights that keep all of its layers awake, and pixels.
fn network(
    padding: NetworkPadding,
    activation: Activation,
    shallow: bool,
    frozen: usize,
    norms: Norms,
) -> (TrainableNetwork, Tensor) {
    let config = Config {
        classes: Some(4),
        padding,
        activation,
        shallow,
        ..Config::with_alpha(0.07)
    };
    let mut tensors = initial_tensors(&config, 3).expect("tensors");
    for (name, tensor) in &mut tensors {
        let number = name.bytes().map(usize::from).sum::<usize>();
        let noise = random(tensor.dims(), 100 + number).to_dtype(DType::F32);
        let noise = noise.expect("noise");
        let changed = match name {
            n if n.ends_with("_bn.weight") => noise.affine(0.2, 1.0),
            n if n.ends_with("running_var") => noise.affine(0.3, 1.0),
            n if n.contains("_bn.") => noise.affine(0.2, 0.3),
            _ => Ok(tensor.clone()),
        };
        *tensor = changed.expect("tensors");
    }
    let pixels = random(&[3, 3, 35, 35], 5);
    let network = TrainableNetwork::new(&config, &tensors, frozen, norms, &Device::Cpu, DType::F64);
    (network.expect("a network"), pixels)
}

#[test]
fn the_whole_network() -> crate::Result<()> {
    let classes = [2, 0, 3];
    for (padding, activation, shallow, norms) in [
        (
            NetworkPadding::Keras,
            Activation::Relu6,
            false,
            Norms::Batch,
        ),
        (NetworkPadding::Same, Activation::Relu, true, Norms::Batch),
        (
            NetworkPadding::Symmetric,
            Activation::Relu6,
            true,
            Norms::Batch,
        ),
        (NetworkPadding::Keras, Activation::Relu, true, Norms::Stored),
    ] {
        let (network, pixels) = network(padding, activation, shallow, 0, norms);
        let loss = |network: &TrainableNetwork| -> crate::Result<Tensor> {
            let passed = network.forward(&pixels, Phase::Training)?;
            Ok(cross_entropy(&passed.logits, &classes, 0.1)?)
        };
        let gradients = loss(&network)?.backward()?;
        let mut awake = 0;
        for parameter in network.parameters() {
            let var = &parameter.value;
            let name = &parameter.name;
            let gradient = gradients
                .get(var)
                .expect(name)
                .flatten_all()?
                .to_vec1::<f64>()?;
            let original = var.as_tensor().copy()?;
            let values = original.flatten_all()?.to_vec1::<f64>()?;
            let place = values.len() / 2;
            // The kinks of ReLU are near for one of thousands of values: a small step passes none.
            let step = 1e-7;
            let at = |value: f64| -> crate::Result<f64> {
                let mut values = values.clone();
                values[place] = value;
                var.set(&Tensor::from_vec(values, original.dims(), &Device::Cpu)?)?;
                Ok(loss(&network)?.to_scalar::<f64>()?)
            };
            let difference = (at(values[place] + step)? - at(values[place] - step)?) / (2.0 * step);
            var.set(&original)?;
            let off = (difference - gradient[place]).abs();
            assert!(
                off < 1e-5 * difference.abs().max(0.1),
                "{name}: {} {difference}",
                gradient[place]
            );
            awake += usize::from(difference.abs() > 1e-5);
        }
        assert!(awake > 20, "{awake} parameters matter");
    }
    Ok(())
}

#[test]
fn loops_and_compositions_have_the_same_values_and_gradients() -> crate::Result<()> {
    for (padding, activation, norms) in [
        (NetworkPadding::Keras, Activation::Relu6, Norms::Batch),
        (NetworkPadding::Same, Activation::Relu, Norms::Batch),
        (NetworkPadding::Symmetric, Activation::Relu, Norms::Batch),
        (NetworkPadding::Keras, Activation::Relu6, Norms::Stored),
    ] {
        for frozen in [0, 5] {
            let (fast, pixels) = network(padding, activation, false, frozen, norms);
            let (plain, _) = network(padding, activation, false, frozen, norms);
            let (mut fast, mut plain) = (fast, plain.composed());
            let run = |network: &mut TrainableNetwork| -> crate::Result<_> {
                let passed = network.forward(&pixels, Phase::Training)?;
                let gradients = cross_entropy(&passed.logits, &[1, 0, 3], 0.0)?.backward()?;
                network.follow(&passed, 0.7)?;
                Ok((passed.logits, gradients))
            };
            let (fast_logits, fast_gradients) = run(&mut fast)?;
            let (plain_logits, plain_gradients) = run(&mut plain)?;
            same("logits", &fast_logits, &plain_logits)?;
            for (a, b) in fast.parameters().iter().zip(plain.parameters()) {
                let gradient = |store: &candle_core::backprop::GradStore, v| store.get(v).cloned();
                let a_gradient =
                    gradient(&fast_gradients, a.value.as_tensor()).expect("a gradient");
                let b_gradient =
                    gradient(&plain_gradients, b.value.as_tensor()).expect("a gradient");
                let off = (a_gradient - b_gradient)?
                    .abs()?
                    .flatten_all()?
                    .max(0)?
                    .to_scalar::<f64>()?;
                assert!(off < 1e-9, "{}: {off}", a.name);
            }
            let moved = plain.tensors()?;
            for (name, tensor) in fast.tensors()? {
                same(&name, &tensor, &moved[&name])?;
            }
        }
    }
    Ok(())
}

#[test]
fn what_is_frozen_is_not_trained_and_keeps_its_statistics() -> crate::Result<()> {
    for (frozen, trained) in [(0, 83), (1, 74), (13, 2)] {
        let (mut network, pixels) = network(
            NetworkPadding::Keras,
            Activation::Relu6,
            false,
            frozen,
            Norms::Batch,
        );
        assert_eq!(network.parameters().len(), trained, "{frozen}");
        let before = network.tensors()?;
        let passed = network.forward(&pixels, Phase::Training)?;
        network.follow(&passed, 0.5)?;
        for (name, tensor) in network.tensors()? {
            let off = (tensor - &before[&name])?
                .abs()?
                .flatten_all()?
                .max(0)?
                .to_scalar::<f64>()?;
            let layer = name
                .split('.')
                .next()
                .unwrap_or_default()
                .trim_end_matches("_bn");
            let block: usize = layer
                .rsplit('_')
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0);
            let moves = name.contains("running") && (block > frozen || frozen == 0);
            assert_eq!(off > 0.0, moves, "{frozen}: {name}");
        }
    }
    let norms = Norms::Batch;
    let (network, _) = network(NetworkPadding::Keras, Activation::Relu6, true, 8, norms);
    let (config, tensors) = (network.config().clone(), network.tensors()?);
    let refused = TrainableNetwork::new(&config, &tensors, 9, norms, &Device::Cpu, DType::F32);
    assert!(refused.is_err_and(|e| e.to_string().contains("there are 8")));
    Ok(())
}
