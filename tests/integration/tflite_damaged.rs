//! TensorFlow Lite files that are damaged, hostile or of another network: an error that names the
//! place, or a network that can be built; never a panic.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{DType, Device, Tensor};
use mobilenet::model::Precision;
use mobilenet::pixels::PixelScale;
use mobilenet::weights::{Checkpoint, LoadOptions};
use rayon::prelude::*;

use crate::support::{answer, data, floats, image, tensors};
use crate::tflite::{fixture, read};

/// A file whose tables can be found and written over.
#[derive(Clone)]
struct File(Vec<u8>);

impl File {
    fn number<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0[at..at + N].try_into().expect("N bytes")
    }

    fn follow(&self, at: usize) -> usize {
        at + u32::from_le_bytes(self.number(at)) as usize
    }

    /// Where a field of a table lies, if the table has it.
    fn place(&self, table: usize, field: usize) -> Option<usize> {
        let back = i32::from_le_bytes(self.number(table));
        let fields = usize::try_from(table as i64 - i64::from(back)).expect("a place");
        let length = usize::from(u16::from_le_bytes(self.number(fields)));
        let entry = 4 + 2 * field;
        if entry >= length {
            return None;
        }
        let offset = u16::from_le_bytes(self.number(fields + entry));
        (offset != 0).then(|| table + usize::from(offset))
    }

    fn field(&self, table: usize, field: usize) -> usize {
        self.place(table, field).expect("the field")
    }

    fn vector(&self, table: usize, field: usize) -> usize {
        self.follow(self.field(table, field))
    }

    /// A table of a vector of tables.
    fn element(&self, vector: usize, number: usize) -> usize {
        self.follow(vector + 4 + 4 * number)
    }

    fn model(&self) -> usize {
        self.follow(0)
    }

    fn graph(&self) -> usize {
        self.element(self.vector(self.model(), 2), 0)
    }

    fn tensor(&self, number: usize) -> usize {
        self.element(self.vector(self.graph(), 0), number)
    }

    fn operator(&self, number: usize) -> usize {
        self.element(self.vector(self.graph(), 3), number)
    }

    fn options(&self, operator: usize) -> usize {
        self.vector(self.operator(operator), 4)
    }

    /// Where the number of an operator's input or output lies.
    fn input(&self, operator: usize, number: usize) -> usize {
        self.vector(self.operator(operator), 1) + 4 + 4 * number
    }

    fn output(&self, operator: usize) -> usize {
        self.vector(self.operator(operator), 2) + 4
    }

    /// The weight of a convolution.
    fn weight(&self, operator: usize) -> usize {
        self.tensor(u32::from_le_bytes(self.number(self.input(operator, 1))) as usize)
    }

    fn buffers(&self) -> usize {
        self.vector(self.model(), 4)
    }

    /// The bytes of a buffer, if it has any.
    fn data(&self, buffer: usize) -> Range<usize> {
        let Some(at) = self.place(self.element(self.buffers(), buffer), 0) else {
            return 0..0;
        };
        let vector = self.follow(at);
        let length = u32::from_le_bytes(self.number(vector)) as usize;
        vector + 4..vector + 4 + length
    }

    /// The bytes of every buffer, by number.
    fn all_data(&self) -> Vec<Range<usize>> {
        let count = u32::from_le_bytes(self.number(self.buffers()));
        (0..count as usize)
            .map(|buffer| self.data(buffer))
            .collect()
    }

    /// Moves what the buffers hold behind the FlatBuffer, as files above 2 GB have it; `place`
    /// makes what is stated of the place and the length.
    fn with_data_behind(mut self, place: impl Fn(usize, usize) -> [u64; 2]) -> Self {
        for (buffer, range) in self.all_data().into_iter().enumerate() {
            if range.is_empty() {
                continue;
            }
            let bytes = self.0[range.clone()].to_vec();
            self.0[range].fill(0);
            let at = self.0.len();
            self.0.extend(&bytes);
            let fields = self.0.len();
            // The fields' places: no first one, then two of 8 bytes.
            self.0
                .extend([10u16, 20, 0, 4, 12].map(u16::to_le_bytes).as_flattened());
            let table = self.0.len();
            self.0.extend(((table - fields) as i32).to_le_bytes());
            self.0
                .extend(place(at, bytes.len()).map(u64::to_le_bytes).as_flattened());
            let entry = self.buffers() + 4 + 4 * buffer;
            self.write(entry, &((table - entry) as u32).to_le_bytes());
        }
        self
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }
}

/// Writes to a copy of a fixture and compares the reason with what is expected.
#[track_caller]
fn refused(name: &str, reason: &str, change: impl Fn(&mut File)) {
    let mut file = File(fixture(name));
    change(&mut file);
    let error = read(file.0).expect_err(reason).to_string();
    assert!(error.contains(reason), "{reason:?} is not in {error:?}");
}

#[test]
fn structures_that_lead_nowhere_are_refused() {
    let far = i32::MAX.to_le_bytes();
    refused("uint8", "an offset leads out of it", |f| f.write(0, &far));
    refused("uint8", "a table's fields lie outside", |f| {
        f.write(f.model(), &far)
    });
    refused("uint8", "TFLite schema has version 9", |f| {
        f.write(f.field(f.model(), 0), &[9])
    });
    for field in [1, 2, 4] {
        refused("uint8", "a vector is longer than it", |f| {
            f.write(f.vector(f.model(), field), &u32::MAX.to_le_bytes());
        });
    }
    refused("uint8", "it has no graph", |f| {
        f.write(f.vector(f.model(), 2), &[0])
    });
    refused("uint8", "it has 2 graphs", |f| {
        f.write(f.vector(f.model(), 2), &[2])
    });
    refused("uint8", "it has no buffer", |f| f.write(f.buffers(), &[4]));
    refused("uint8", "it has no tensor", |f| {
        let tensors = f.vector(f.graph(), 0);
        f.write(tensors, &[9]);
    });
    refused("uint8", "it has no tensor 2147483647", |f| {
        f.write(f.input(3, 1), &far)
    });
    refused("uint8", "operator 4 (CONV_2D): it has no weight", |f| {
        f.write(f.input(4, 1), &(-1i32).to_le_bytes());
    });
    refused("uint8", "operator 5 has no code", |f| {
        f.write(f.field(f.operator(5), 0), &far);
    });
    refused("uint8", "it has no buffer 2147483647", |f| {
        f.write(f.field(f.weight(0), 2), &far);
    });
    refused(
        "uint8",
        "operator 2 (CONV_2D) has no options of its own kind",
        |f| {
            f.write(f.field(f.operator(2), 3), &[77]);
        },
    );
    refused("uint8", "its operators lead in a circle", |f| {
        // What its input has become, operator 6 gives back; nothing else takes either.
        let input = f.number::<4>(f.input(6, 0));
        f.write(f.output(6), &input);
    });
    refused(
        "uint8",
        "goes to both operator 0 (CONV_2D) and operator 4",
        |f| {
            let input = f.number::<4>(f.input(0, 0));
            f.write(f.input(4, 0), &input);
        },
    );
}

#[test]
fn tensors_that_are_not_what_they_claim_are_refused() {
    let shape = |f: &File, operator: usize| f.vector(f.weight(operator), 0) + 4;
    refused("uint8", "is [-5, 3, 3, 3]", |f| {
        f.write(shape(f, 0), &(-5i32).to_le_bytes())
    });
    for (shown, side) in [("[3, 3, 3, 3]", 3), ("[2147483647, 3, 3, 3]", i32::MAX)] {
        refused("uint8", shown, |f| {
            f.write(shape(f, 0), &side.to_le_bytes())
        });
        refused("uint8", "which its buffer of 54 bytes is not", |f| {
            f.write(shape(f, 0), &side.to_le_bytes());
        });
    }
    refused("uint8", "which its buffer of 54 bytes is not", |f| {
        // A product of 2^124.
        f.write(shape(f, 0), &i32::MAX.to_le_bytes().repeat(4));
    });
    refused(
        "uint8",
        "operator 2 (CONV_2D): not a MobileNet V1: its weight is [2, 1, 1, 4], not",
        |f| {
            f.write(shape(f, 2), &2i32.to_le_bytes());
            f.write(shape(f, 2) + 12, &4i32.to_le_bytes());
        },
    );
    refused("uint8", "is of bfloat16, which is not supported", |f| {
        f.write(f.field(f.weight(0), 1), &[18]);
    });
}

#[test]
fn quantisation_that_makes_no_numbers_is_refused() {
    let part = |f: &File, field: usize| {
        let quantization = f.vector(f.weight(2), 4);
        f.vector(quantization, field)
    };
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        refused("uint8", &format!("has the scale {scale:?}"), |f| {
            f.write(part(f, 2) + 4, &scale.to_le_bytes());
        });
    }
    refused("uint8", "has the zero point 256", |f| {
        f.write(part(f, 3) + 4, &256i64.to_le_bytes());
    });
    refused("uint8", "has the zero point -9223372036854775808", |f| {
        f.write(part(f, 3) + 4, &i64::MIN.to_le_bytes());
    });
    refused("uint8", "has 0 scales and 1 zero points", |f| {
        f.write(part(f, 2), &[0])
    });
    // Operator 0 of this one quantises the pixels.
    refused(
        "int8",
        "is [4, 1, 1, 2] and has 3 scales along its dimension 0",
        |f| {
            let quantization = f.vector(f.weight(3), 4);
            f.write(f.vector(quantization, 2), &[3]);
            f.write(f.vector(quantization, 3), &[3]);
        },
    );
}

/// The scale of a file that was changed.
fn pixel_scale(name: &str, change: impl Fn(&mut File)) -> PixelScale {
    let mut file = File(fixture(name));
    change(&mut file);
    let read = read(file.0).expect("a checkpoint");
    read.preprocessing().pixel_scale
}

/// Compares what a scale makes of the lowest and the highest byte.
#[track_caller]
fn assert_near(scale: PixelScale, low: f64, high: f64) {
    for colour in 0..3 {
        let at = |byte: f64| byte * scale.scale()[colour] + scale.offset()[colour];
        assert!((at(0.0) - low).abs() < 1e-6, "{scale:?}, not from {low}");
        assert!((at(255.0) - high).abs() < 1e-6, "{scale:?}, not to {high}");
    }
}

/// What a graph makes of its pixels is the recipe's.
#[test]
fn another_scaling_of_pixels_is_the_recipes() {
    let by = |f: &mut File, operator: usize, number: f32| {
        let buffer = f.number::<4>(f.field(f.weight(operator), 2));
        let place = f.data(u32::from_le_bytes(buffer) as usize).start;
        f.write(place, &number.to_le_bytes());
    };
    for name in ["float32", "dynamic", "int8", "uint8"] {
        assert!(pixel_scale(name, |_| ()).is_default(), "{name}");
    }
    assert_near(pixel_scale("dynamic", |f| by(f, 0, 1.0 / 255.0)), -1.0, 0.0);
    assert_near(pixel_scale("dynamic", |f| by(f, 1, 0.0)), 0.0, 2.0);
    // Near -1 and 1, and not quite.
    let near = pixel_scale("dynamic", |f| by(f, 0, 1.0 / 128.0));
    assert_near(near, -1.0, 255.0 / 128.0 - 1.0);
    assert!(!near.is_default());
    for number in [f32::INFINITY, f32::NAN, 1e30] {
        refused("dynamic", "pixels can't be scaled by", |f| by(f, 1, number));
    }
    refused("dynamic", "pixels can't be scaled by", |f| by(f, 0, 0.0));
    // Integers that stand for other numbers.
    let quantised = |factor: f32| {
        pixel_scale("int8", |f| {
            let input = f.number::<4>(f.input(0, 0));
            let quantization = f.vector(f.tensor(u32::from_le_bytes(input) as usize), 4);
            let scale = f.vector(quantization, 2) + 4;
            let old = f32::from_le_bytes(f.number::<4>(scale));
            f.write(scale, &(old * factor).to_le_bytes());
        })
    };
    assert!(quantised(0.99).is_default());
    let half = quantised(0.5);
    let range = half.scale()[0] * 255.0;
    assert!((range - 1.0).abs() < 0.05, "{half:?}");
}

/// Whatever the scales and zero points of weights and activations are: the file is refused, runs in
/// floats, or gives some answer.
#[test]
fn hostile_quantisation_is_no_panic() {
    for name in ["pool_uint8", "mean_int8"] {
        let file = File(fixture(name));
        let tensors = file.vector(file.graph(), 0);
        let count = u32::from_le_bytes(file.number(tensors)) as usize;
        let quantised = (0..count).filter_map(|number| {
            let table = file.place(file.tensor(number), 4)?;
            let quantisation = file.follow(table);
            let scales = file.follow(file.place(quantisation, 2)?);
            Some((
                scales,
                file.place(quantisation, 3).map(|at| file.follow(at)),
            ))
        });
        let mut changed = Vec::new();
        let mut change = |at: usize, bytes: &[u8]| {
            let mut file = file.clone();
            file.write(at, bytes);
            changed.push(file.0);
        };
        for (scales, zeros) in quantised {
            for scale in [
                0.0,
                -1.0,
                f32::NAN,
                f32::INFINITY,
                1e38,
                1e-38,
                1e-45,
                1e5,
                1e-7,
            ] {
                change(scales + 4, &scale.to_le_bytes());
            }
            for zero in [i64::MIN, -129, -128, 127, 255, 256, i64::MAX] {
                if let Some(zeros) = zeros {
                    change(zeros + 4, &zero.to_le_bytes());
                }
            }
        }
        assert!(changed.len() > 300, "{}", changed.len());
        let answered = AtomicUsize::new(0);
        changed.into_par_iter().for_each(|bytes| {
            let Ok(checkpoint) = read(bytes) else {
                return;
            };
            let size = checkpoint.preprocessing().size;
            let pixels = vec![77u8; size * size * 3];
            let pixels = Tensor::from_vec(pixels, (1, size, size, 3), &Device::Cpu);
            let pixels = pixels.expect("pixels");
            let usual = checkpoint.default_precision(&Device::Cpu);
            for precision in [usual, Precision::Int8, Precision::Int8Reference] {
                if let Ok(network) = checkpoint.network(&Device::Cpu, precision) {
                    assert!(network.forward(&pixels).is_ok());
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let answered = answered.into_inner();
        eprintln!("{name}: {answered} answers");
        assert!(answered > 100, "{answered}");
    }
}

/// Converters put a scale of pixels into the first layer, and then nothing else says of it.
#[test]
fn a_first_layer_for_bytes_is_refused_unless_it_is_said_to_be() {
    let mut file = File(fixture("float32"));
    let buffer = file.number::<4>(file.field(file.weight(0), 2));
    for at in file.data(u32::from_le_bytes(buffer) as usize).step_by(4) {
        let weight = f32::from_le_bytes(file.number(at)) / 127.5;
        file.write(at, &weight.to_le_bytes());
    }
    let error = read(file.0.clone()).expect_err("a stem for bytes");
    assert!(error.to_string().contains("--pixels 0..255"), "{error}");
    let bytes = PixelScale::new([1.0; 3], [0.0; 3]).expect("a scale");
    let options = LoadOptions::default().with_pixel_scale(bytes);
    let said = Checkpoint::from_bytes(file.0, Path::new("it.tflite"), &options);
    assert_eq!(said.expect("a network").preprocessing().pixel_scale, bytes);
}

#[test]
fn other_networks_are_named_as_such() {
    let code = |f: &File, operator: usize| {
        let number = f.number::<4>(f.field(f.operator(operator), 0));
        f.element(f.vector(f.model(), 1), u32::from_le_bytes(number) as usize)
    };
    refused(
        "float32",
        "not a MobileNet V1: operator 19 (MAX_POOL_2D)",
        |f| {
            // New files state a code twice.
            for field in [0, 3] {
                f.write(f.field(code(f, 19), field), &[17]);
            }
        },
    );
    let places = [
        (3, 1, "its strides are [1, 2], not 1 or 2"),
        (3, 3, "its depth multiplier is 2, not 1"),
        (0, 3, "its activation TANH is not supported"),
    ];
    for ((operator, field, reason), value) in places.into_iter().zip([1, 2, 4]) {
        refused("float32", reason, |f| {
            f.write(f.field(f.options(operator), field), &[value])
        });
    }
    refused(
        "float32",
        "operator 3 (DEPTHWISE_CONV_2D): not a MobileNet V1: its stride is 1",
        |f| {
            let options = f.options(3);
            f.write(f.field(options, 1), &[1]);
            f.write(f.field(options, 2), &[1]);
        },
    );
    refused(
        "float32",
        "its activation is not that of the layers before it",
        |f| {
            f.write(f.field(f.options(4), 3), &[1]);
        },
    );
    refused("float32", "it takes [2, 1] pixels of 2x2", |f| {
        f.write(f.field(f.options(17), 3), &[1]);
    });
    refused("float32", "comes where RELU6 or RELU is expected", |f| {
        f.write(f.field(f.options(0), 3), &[0]);
    });
    refused("float32", "which is not its only output", |f| {
        f.write(f.vector(f.graph(), 2) + 4, &[0]);
    });
    refused(
        "float32",
        "where pixels of a square picture are [1, side, side, 3]",
        |f| {
            f.write(f.vector(f.tensor(0), 0) + 8, &[44]);
        },
    );
    refused("float32", "input size 31 is out of range", |f| {
        f.write(f.vector(f.tensor(0), 0) + 8, &[31]);
        f.write(f.vector(f.tensor(0), 0) + 12, &[31]);
    });
}

/// A shape that is computed has to be that of the channels of as many pictures as there are.
#[test]
fn shapes_that_tear_channels_apart_are_refused() {
    // Behind the classifier: SHAPE, STRIDED_SLICE, PACK and RESHAPE.
    let [slice, pack, reshape] = [30, 31, 32];
    let apart = "operator 32 (RESHAPE): it does not keep the 5 channels of a picture together";
    let number = |f: &File, operator: usize, input: usize| {
        let tensor = f.tensor(u32::from_le_bytes(f.number(f.input(operator, input))) as usize);
        f.data(u32::from_le_bytes(f.number(f.field(tensor, 2))) as usize)
            .start
    };
    refused("top_litert", apart, |f| f.write(number(f, pack, 1), &[1]));
    refused("top_litert", apart, |f| {
        let channels = f.number::<4>(f.input(pack, 1));
        f.write(f.input(pack, 0), &channels);
    });
    for input in [1, 2] {
        refused("top_litert", "makes a part of its shape", |f| {
            f.write(number(f, slice, input), &[3]);
        });
    }
    refused("top_litert", "makes a part of its shape", |f| {
        let options = f.options(slice);
        f.write(f.field(options, 4), &[0]);
    });
    refused("top_litert", "makes a part of its shape", |f| {
        // Of the shape of a shape.
        let shape = f.number::<4>(f.input(slice, 0));
        f.write(f.input(slice - 1, 0), &shape);
    });
    refused("top_litert", "does not hold whole numbers", |f| {
        let weight = f.number::<4>(f.input(0, 2));
        f.write(f.input(reshape, 1), &weight);
    });
}

#[test]
fn values_may_lie_behind_the_tables() {
    let golden = tensors(data("tflite/golden.safetensors"));
    let inputs = [image(&golden["int8.input"])];
    let before = read(fixture("int8")).expect("as it was");
    let behind = File(fixture("int8")).with_data_behind(|at, length| [at as u64, length as u64]);
    let behind = read(behind.0).expect("the same");
    let [before, behind] = [before, behind].map(|it| floats(&answer(&it, &inputs).1));
    assert_eq!(before, behind);
    for place in [[u64::MAX, 8], [2, u64::MAX], [1 << 40, 1 << 40]] {
        let outside = File(fixture("int8")).with_data_behind(|_, _| place);
        let error = read(outside.0).expect_err("outside").to_string();
        assert!(error.contains("a buffer lies outside of it"), "{error}");
    }
}

/// Cut off before the last of the weights, each is an error.
#[test]
fn files_that_end_too_early_are_refused() {
    for name in ["float32", "uint8", "float16", "dynamic", "int8"] {
        let bytes = fixture(name);
        let weights = File(bytes.clone()).all_data();
        let weights = weights.iter().filter(|range| range.len() > 64);
        let end = weights.map(|range| range.end).max().expect("weights");
        for length in (8..bytes.len()).step_by(64) {
            let result = read(bytes[..length].to_vec());
            assert!(result.is_err() || length >= end, "{name}: {length} bytes");
        }
    }
}

/// Every byte of the tables, in several ways: any answer will do, but there has to be one.
#[test]
fn no_byte_makes_it_panic() {
    let (tried, valid) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let two: &[u8] = &[0xff, 0x01];
    for (name, masks) in [
        ("uint8", two),
        ("float16", &[0x02]),
        ("top_dynamic", &[0x01]),
    ] {
        let bytes = fixture(name);
        let weights = File(bytes.clone()).all_data();
        let weights: Vec<_> = weights.iter().filter(|range| range.len() > 64).collect();
        let tables = (0..bytes.len()).into_par_iter();
        tables
            .filter(|at| !weights.iter().any(|range| range.contains(at)))
            .flat_map_iter(|at| masks.iter().map(move |mask| (at, mask)))
            .for_each(|(at, mask)| {
                let mut changed = bytes.clone();
                changed[at] ^= mask;
                tried.fetch_add(1, Ordering::Relaxed);
                let Ok(checkpoint) = read(changed) else {
                    return;
                };
                valid.fetch_add(1, Ordering::Relaxed);
                let _ = checkpoint.network(&Device::Cpu, DType::F32);
            });
    }
    eprintln!("{tried:?} files, of which {valid:?} are still networks");
    assert!(tried.into_inner() > 20_000);
}
