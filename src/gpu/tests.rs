//! The kernels against plain loops: their text, compiled for a CPU, and what nvcc makes of it,
//! interpreted.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use candle_core::{DType, Device, Layout, Tensor};
use half::bf16;

use super::kernel::{Kernel, KernelOp, Sizes};
use super::launch::Launch;
use super::plain;
use crate::ops::{Activation, Padding};
use crate::pixels::{ByteScale, COLOURS};

/// Compiles `tests/data/gpu/emulate.cpp`; `None`, said aloud, where there is no C++ compiler.
fn emulator(folder: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/gpu/emulate.cpp");
    let program = folder.join("emulate");
    let checks = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
    // Sanitizers need a library of their own, which not every compiler comes with.
    for checks in [&checks[..], &[]] {
        let compiled = Command::new("c++")
            .args(["-std=c++17", "-O1", "-Wall", "-Wno-unknown-pragmas"])
            .args(checks)
            .arg(&source)
            .arg("-o")
            .arg(&program)
            .output();
        match compiled {
            Ok(output) if output.status.success() => return Some(program),
            Ok(output) if checks.is_empty() => {
                panic!("{}", String::from_utf8_lossy(&output.stderr))
            }
            Ok(_) => (),
            Err(error) => {
                crate::skipped::skip(format_args!("no C++ compiler ({error})"));
                return None;
            }
        }
    }
    None
}

/// The PTX that `tests/data/gpu/compile.sh` made, for an old GPU and a new one; none, said aloud,
/// where it has not been run since the kernels changed.
fn ptx() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = |generation| root.join(format!("target/gpu/kernels-{generation}.ptx"));
    let files = [75, 90].map(file);
    let changed = |file: &Path| file.metadata().and_then(|data| data.modified()).ok();
    let sources = ["src/gpu/kernels.h", "src/gpu/kernels.cu"].map(|source| root.join(source));
    let fresh = |file: &PathBuf| sources.iter().all(|s| changed(s) <= changed(file));
    if files.iter().all(fresh) {
        return files.into();
    }
    crate::skipped::skip("tests/data/gpu/compile.sh makes the kernels' PTX");
    Vec::new()
}

/// What runs kernels: the emulator's program, and the PTX that it is to interpret.
struct Emulator {
    program: PathBuf,
    ptx: Option<PathBuf>,
}

/// Runs a launch with the emulator.
fn emulate(
    emulator: &Emulator,
    launch: &Launch,
    input: &[u8],
    parameters: &[f32],
    output: usize,
) -> Vec<u8> {
    let mut message = Vec::new();
    let mut name = launch.name.clone().into_bytes();
    name.resize(64, 0);
    message.extend(name);
    message.extend((launch.threads as u64).to_le_bytes());
    message.extend(launch.sizes.bytes());
    for len in [input.len(), 4 * parameters.len(), output] {
        message.extend((len as u64).to_le_bytes());
    }
    message.extend(input);
    message.extend(parameters.iter().flat_map(|x| x.to_le_bytes()));
    let mut child = Command::new(&emulator.program)
        .args(&emulator.ptx)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the emulator");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(&message).expect("written");
    drop(stdin);
    let ran = child.wait_with_output().expect("an output");
    assert!(ran.status.success(), "{}", launch.name);
    ran.stdout
}

/// Values that are not symmetric, the same for a seed.
fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1u64 << 24) as f32) * 2.0 - 0.9
    };
    (0..len).map(|_| next()).collect()
}

/// What bytes become, different for each colour.
const SCALE: ByteScale = ByteScale {
    zero: [127.5, 123.675, -3.0],
    scale: [1.0 / 128.0, -0.02, 0.005],
};

fn layout(shape: impl Into<candle_core::Shape>) -> Layout {
    Layout::contiguous(shape)
}

/// Holds one layer of these sizes against plain loops, in f32 and bf16.
fn compare(program: &Emulator, op: KernelOp, (images, height, width): (usize, usize, usize)) {
    let (in_channels, rows) = match op.kernel {
        Kernel::Stem => (COLOURS, 28),
        Kernel::Depthwise { input_bias, .. } => (op.channels, 10 + usize::from(input_bias)),
        Kernel::Average => (op.channels, 1),
    };
    let parameters = values(rows * op.channels, 3);
    let input = values(images * height * width * in_channels, 5);
    let input_layout = layout((images, height, width, in_channels));
    let sizes: Sizes = op
        .sizes(&input_layout, &layout(parameters.len()))
        .expect("sizes that fit");
    let count = op.output(&sizes).elem_count();
    let check = |got: &[f32], want: &[f32], allowed: f32, what: &str| {
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            let off = (got - want).abs();
            assert!(
                off <= allowed * want.abs().max(1.0),
                "{what}: {got} for {want}, {op:?}"
            );
        }
    };
    let floats = |bytes: &[u8]| -> Vec<f32> {
        let chunks = bytes.chunks_exact(4);
        chunks
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    };
    let halves = |bytes: &[u8]| -> Vec<f32> {
        let chunks = bytes.chunks_exact(2);
        chunks
            .map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32())
            .collect()
    };

    let f32_launch = op.launch(&sizes, DType::F32, 0).expect("a launch");
    let bytes: Vec<u8> = input.iter().flat_map(|x| x.to_le_bytes()).collect();
    let want = plain::run(&op, &sizes, &input, &parameters);
    let got = floats(&emulate(
        program,
        &f32_launch,
        &bytes,
        &parameters,
        4 * count,
    ));
    check(&got, &want, 1e-6, "f32");

    let halved: Vec<bf16> = input.iter().map(|&x| bf16::from_f32(x)).collect();
    let rounded: Vec<f32> = halved.iter().map(|x| x.to_f32()).collect();
    let bytes: Vec<u8> = halved.iter().flat_map(|x| x.to_le_bytes()).collect();
    match op.kernel {
        Kernel::Stem => {
            let pixels: Vec<u8> = (0..input.len()).map(|i| (i * 37 % 256) as u8).collect();
            let scaled = pixels.iter().enumerate();
            let scaled: Vec<f32> = scaled.map(|(i, &x)| SCALE.of(i % COLOURS, x)).collect();
            let want = plain::run(&op, &sizes, &scaled, &parameters);
            let launch = op.launch(&sizes, DType::U8, 0).expect("a launch");
            let got = floats(&emulate(program, &launch, &pixels, &parameters, 4 * count));
            check(&got, &want, 1e-5, "bytes");
            let half = KernelOp {
                dtype: DType::BF16,
                ..op
            };
            let launch = half.launch(&sizes, DType::U8, 0).expect("a launch");
            let got = halves(&emulate(program, &launch, &pixels, &parameters, 2 * count));
            check(&got, &want, 5e-3, "bytes to bf16");
        }
        Kernel::Depthwise { .. } => {
            let half = KernelOp {
                dtype: DType::BF16,
                ..op
            };
            let want = plain::run(&op, &sizes, &rounded, &parameters);
            let launch = half.launch(&sizes, DType::BF16, 0).expect("a launch");
            let got = halves(&emulate(program, &launch, &bytes, &parameters, 2 * count));
            check(&got, &want, 5e-3, "bf16");
        }
        Kernel::Average => {
            let want = plain::run(&op, &sizes, &rounded, &parameters);
            let launch = op.launch(&sizes, DType::BF16, 0).expect("a launch");
            let got = floats(&emulate(program, &launch, &bytes, &parameters, 4 * count));
            check(&got, &want, 1e-6, "from bf16");
        }
    }
}

#[test]
fn kernels_compute_what_plain_loops_do_at_odd_sizes() {
    let folder = tempfile::tempdir().expect("a folder");
    if let Some(program) = emulator(folder.path()) {
        compare_all(&Emulator { program, ptx: None });
    }
}

#[test]
fn nvccs_kernels_compute_what_plain_loops_do_at_odd_sizes() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(program) = emulator(folder.path()) else {
        return;
    };
    for ptx in ptx() {
        let (program, ptx) = (program.clone(), Some(ptx));
        compare_all(&Emulator { program, ptx });
    }
}

const KERNELS: [Kernel; 6] = [
    Kernel::Stem,
    Kernel::Average,
    Kernel::Depthwise {
        stride: 1,
        input_bias: false,
    },
    Kernel::Depthwise {
        stride: 1,
        input_bias: true,
    },
    Kernel::Depthwise {
        stride: 2,
        input_bias: false,
    },
    Kernel::Depthwise {
        stride: 2,
        input_bias: true,
    },
];

/// Every kernel at odd sizes.
fn compare_all(emulator: &Emulator) {
    // One lane, four and eight of them; rows that strips do not divide; images of one pixel.
    let shapes = [(1, 1, 1), (2, 7, 5), (1, 4, 9), (3, 2, 13)];
    let paddings = [Padding::Same, Padding::After, Padding::Symmetric];
    for (i, kernel) in KERNELS.into_iter().enumerate() {
        for (j, channels) in [1, 3, 4, 8, 24].into_iter().enumerate() {
            for (k, shape) in shapes.into_iter().enumerate() {
                // `After` is for stride 2.
                let padding = paddings[(i + j + k) % 3];
                let padding = match (padding, kernel.stride()) {
                    (Padding::After, 1) => Padding::Same,
                    (padding, _) => padding,
                };
                let activation = [Activation::Relu6, Activation::Relu][(j + k) % 2];
                let dtype = DType::F32;
                compare(
                    emulator,
                    KernelOp {
                        kernel,
                        channels,
                        padding,
                        activation,
                        dtype,
                        scale: SCALE,
                    },
                    shape,
                );
            }
        }
    }
}

/// Otherwise damaged weights would be answered with zeros.
#[test]
fn what_is_not_a_number_stays_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(program) = emulator(folder.path()) else {
        return;
    };
    for ptx in std::iter::once(None).chain(ptx().into_iter().map(Some)) {
        let emulator = Emulator {
            program: program.clone(),
            ptx,
        };
        for kernel in KERNELS {
            let op = KernelOp {
                kernel,
                channels: 8,
                padding: Padding::Same,
                activation: Activation::Relu6,
                dtype: DType::F32,
                scale: SCALE,
            };
            let channels = if kernel == Kernel::Stem { COLOURS } else { 8 };
            let input = vec![f32::NAN; 5 * 5 * channels];
            let rows = match kernel {
                Kernel::Stem => 28,
                Kernel::Average => 1,
                Kernel::Depthwise { input_bias, .. } => 10 + usize::from(input_bias),
            };
            let parameters = values(rows * 8, 1);
            let sizes = op
                .sizes(&layout((1, 5, 5, channels)), &layout(parameters.len()))
                .expect("sizes that fit");
            let plain = plain::run(&op, &sizes, &input, &parameters);
            assert!(plain.iter().all(|x| x.is_nan()), "{kernel:?}");
            let launch = op.launch(&sizes, DType::F32, 0).expect("a launch");
            let bytes: Vec<u8> = input.iter().flat_map(|x| x.to_le_bytes()).collect();
            let count = op.output(&sizes).elem_count();
            let got = emulate(&emulator, &launch, &bytes, &parameters, 4 * count);
            for value in got.chunks_exact(4) {
                let value = f32::from_le_bytes([value[0], value[1], value[2], value[3]]);
                assert!(value.is_nan(), "{kernel:?}: {value}");
            }
        }
    }
}

#[test]
fn a_launch_is_named_for_its_types_and_lanes() {
    let op = |kernel, channels, dtype| KernelOp {
        kernel,
        channels,
        padding: Padding::Same,
        activation: Activation::Relu6,
        dtype,
        scale: SCALE,
    };
    let name = |op: KernelOp, input: DType, offset: usize| {
        let channels = if op.kernel == Kernel::Stem {
            3
        } else {
            op.channels
        };
        let rows = match op.kernel {
            Kernel::Stem => 28,
            Kernel::Depthwise { input_bias, .. } => 10 + usize::from(input_bias),
            Kernel::Average => 1,
        };
        let input_layout = layout((2, 9, 9, channels));
        let sizes = op.sizes(&input_layout, &layout(rows * op.channels));
        let launch = op.launch(&sizes.expect("sizes"), input, offset);
        launch.map(|launch| (launch.name, launch.threads)).ok()
    };
    let depthwise = |stride, input_bias| Kernel::Depthwise { stride, input_bias };
    let named = |name: &str, threads| Some((name.to_owned(), threads));
    for (op, input, offset, want) in [
        (
            op(Kernel::Stem, 16, DType::F16),
            DType::U8,
            1,
            named("stem_u8_f16_8", 2 * 2 * 5 * 2),
        ),
        (
            op(Kernel::Stem, 6, DType::F32),
            DType::F32,
            0,
            named("stem_f32_f32_1", 2 * 6 * 5 * 2),
        ),
        (
            op(depthwise(1, true), 8, DType::F32),
            DType::F32,
            0,
            named("depthwise_biased_f32_4_s1", 2 * 2 * 9 * 3),
        ),
        // Where the input begins between two packs, elements are read one by one.
        (
            op(depthwise(2, false), 8, DType::F32),
            DType::F32,
            2,
            named("depthwise_f32_1_s2", 2 * 8 * 5 * 2),
        ),
        (
            op(Kernel::Average, 7, DType::F32),
            DType::BF16,
            0,
            named("average_bf16", 14),
        ),
        (op(depthwise(1, true), 8, DType::F16), DType::F32, 0, None),
        (op(Kernel::Stem, 8, DType::F64), DType::U8, 0, None),
        (op(Kernel::Average, 8, DType::F32), DType::U8, 0, None),
    ] {
        assert_eq!(name(op, input, offset), want);
    }
}

#[test]
fn what_does_not_fit_is_an_error_and_what_is_too_much_too() {
    let op = KernelOp {
        kernel: Kernel::Depthwise {
            stride: 1,
            input_bias: false,
        },
        channels: 8,
        padding: Padding::Same,
        activation: Activation::Relu6,
        dtype: DType::F32,
        scale: SCALE,
    };
    let fits = layout((1, 4, 4, 8));
    assert!(op.sizes(&fits, &layout(80)).is_ok());
    assert!(op.sizes(&fits, &layout(88)).is_err());
    assert!(op.sizes(&layout((1, 4, 4, 7)), &layout(80)).is_err());
    assert!(op.sizes(&layout((0, 4, 4, 8)), &layout(80)).is_err());
    assert!(op.sizes(&layout((4, 4, 8)), &layout(80)).is_err());
    let huge = op.sizes(&layout((1 << 16, 256, 256, 8)), &layout(80));
    let error = op.launch(&huge.expect("sizes"), DType::F32, 0);
    assert!(
        error
            .expect_err("too much")
            .to_string()
            .contains("smaller batch")
    );
    // Through candle, on the CPU.
    let input = Tensor::zeros((1, 4, 4, 8), DType::F32, &Device::Cpu).expect("zeros");
    let parameters = Tensor::ones(80, DType::F32, &Device::Cpu).expect("ones");
    let output = op.run(&input, &parameters).expect("a run");
    assert_eq!(output.dims(), [1, 4, 4, 8]);
    let turned = input.permute((0, 2, 1, 3)).expect("a view");
    let narrow = input.narrow(3, 0, 7).expect("a view");
    assert!(op.run(&narrow, &parameters).is_err());
    assert!(op.run(&turned, &parameters).is_err());
}

#[test]
fn the_trial_is_right_where_there_is_no_gpu() {
    assert_eq!(super::trial(&Device::Cpu).expect("plain loops"), 0.0);
    assert!(super::kernels_work(&Device::Cpu));
}
