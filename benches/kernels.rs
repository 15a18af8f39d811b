//! Each kernel in each instruction set that this machine has, beside the most that the machine can
//! do in it:
//!
//!     cargo bench --bench kernels [-- FILTER]
//!
//! FILTER is a part of a name such as `avx512/alpha 0.25/depthwise` or `bf16-avx512bf16`. After criterion's own report
//! comes a table of the fastest sample of each, in GFLOP/s and in percent of what a loop of
//! multiplications and additions in registers reached in the same run.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use candle_core::{DType, Device};
use candle_nn::VarBuilder;
use criterion::{Criterion, Throughput};
use mobilenet::Isa;
use mobilenet::model::{Config, MobileNet, Precision, random_tensors};

/// Steps of the loop that measures the peak, some microseconds.
const PEAK_STEPS: usize = 2000;

/// The fastest sample of a benchmark, in GFLOP/s.
struct Fastest {
    name: String,
    gflops: f64,
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .sample_size(20)
        .without_plots()
        .configure_from_args();
    let fastest = RefCell::new(Vec::new());
    let in_f32 = Isa::available()
        .into_iter()
        .map(|isa| (Precision::from(DType::F32), isa));
    let in_int8 = Isa::available_for(Precision::Int8).into_iter();
    let in_int8 = in_int8.map(|isa| (Precision::Int8, isa));
    let bf16 = Precision::from(DType::BF16);
    let in_bf16 = Isa::available_for(bf16).into_iter().map(|isa| (bf16, isa));
    for (precision, isa) in in_f32.chain(in_bf16).chain(in_int8) {
        let operations = isa.peak(precision, PEAK_STEPS);
        let isa_name = match precision {
            Precision::Float(DType::F32) => isa.to_string(),
            _ => format!("{precision}-{isa}"),
        };
        let mut peak = || {
            isa.peak(precision, PEAK_STEPS);
        };
        measure(
            &mut criterion,
            format!("{isa_name}/peak"),
            operations,
            &mut peak,
            &fastest,
        );
        for alpha in [1.0, 0.25] {
            let config = Config::with_alpha(alpha);
            let tensors = random_tensors(&config, 0).expect("tensors");
            let weights = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
            let network = MobileNet::builder(&config, &weights)
                .with_precision(precision)
                .with_isa(isa)
                .build()
                .expect("a network");
            let mut seen = HashSet::new();
            for mut piece in network.pieces(224, 224) {
                let name = format!(
                    "{isa_name}/alpha {alpha:?}/{}/{}",
                    piece.kernel, piece.shape
                );
                // Blocks 7 to 11 are the same.
                if seen.insert(name.clone()) {
                    measure(
                        &mut criterion,
                        name,
                        piece.operations,
                        &mut piece.run,
                        &fastest,
                    );
                }
            }
        }
    }
    criterion.final_summary();
    report(&fastest.borrow());
}

/// Measures one, unless the command line's filter leaves it out.
fn measure(
    criterion: &mut Criterion,
    name: String,
    operations: usize,
    run: &mut dyn FnMut(),
    fastest: &RefCell<Vec<Fastest>>,
) {
    let mut least = f64::INFINITY;
    // A group's name would be a folder of its own in criterion's reports.
    let mut group = criterion.benchmark_group("kernels");
    group.throughput(Throughput::Elements(operations as u64));
    group.bench_function(&name, |bencher| {
        bencher.iter_custom(|times| {
            let start = Instant::now();
            for _ in 0..times {
                run();
            }
            let elapsed = start.elapsed();
            least = least.min(elapsed.as_secs_f64() / times as f64);
            elapsed
        });
    });
    group.finish();
    if least.is_finite() {
        let gflops = operations as f64 / least / 1e9;
        fastest.borrow_mut().push(Fastest { name, gflops });
    }
}

fn report(fastest: &[Fastest]) {
    println!("\n{:52} {:>8}  of the peak", "fastest sample", "GFLOP/s");
    for Fastest { name, gflops } in fastest {
        let isa = name.split('/').next().unwrap_or_default();
        let peak = fastest
            .iter()
            .find(|other| other.name == format!("{isa}/peak"));
        let part = peak.map_or_else(String::new, |peak| {
            format!("{:9.0} %", 100.0 * gflops / peak.gflops)
        });
        println!("{name:52} {gflops:8.1}  {part}");
    }
}
