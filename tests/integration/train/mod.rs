//! Training: the network and its steps, and `mobilenet train` as a shell uses it.
//!
//! - `command`: what it learns, tells and refuses
//! - `definitions`: gradients and steps against Keras and by definition
//! - `digits`: the network of this repository
//! - `stopped`: runs that are stopped and gone on with, and what they leave
//! - `tuning`: runs that begin with a checkpoint, beside `learn`

mod command;
mod definitions;
mod digits;
mod stopped;
mod tuning;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use mobilenet::pixels::RgbImage;
use mobilenet::weights::{Checkpoint, LoadOptions};

use crate::support::{Program, Ran, arg, floats};

type Golden = HashMap<String, Tensor>;

fn open(path: &Path) -> Checkpoint {
    Checkpoint::open(path, &LoadOptions::default()).expect("a checkpoint")
}

/// A checkpoint's tensors under our names.
fn our_tensors(checkpoint: &Checkpoint) -> Golden {
    let bytes = checkpoint
        .to_safetensors(&Default::default())
        .expect("bytes");
    candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).expect("tensors")
}

fn f32s(tensor: &Tensor) -> Vec<f32> {
    floats(&tensor.to_dtype(DType::F32).expect("f32"))
}

const COLOURS: [(&str, [u8; 3]); 3] = [
    ("blue", [40, 60, 220]),
    ("green", [50, 200, 60]),
    ("red", [210, 50, 40]),
];

/// Folders of coloured squares on grey.
fn squares(program: &Program, folder: &str, each: usize) -> PathBuf {
    for (number, (name, colour)) in COLOURS.iter().enumerate() {
        let class = program.path(folder).join(name);
        std::fs::create_dir_all(&class).expect("a folder");
        for i in 0..each {
            let (left, top) = (4 + 5 * i as u32 % 13, 3 + 7 * i as u32 % 11);
            let side = 12 + (3 * i as u32 + number as u32) % 7;
            let grey = (90 + 37 * (i + number) % 120) as u8;
            let within = |v: u32, from: u32| (from..from + side).contains(&v);
            let picture = RgbImage::from_fn(40, 36, |x, y| {
                let inside = within(x, left) && within(y, top);
                image::Rgb(if inside { *colour } else { [grey; 3] })
            });
            picture
                .save(class.join(format!("{i:02}.png")))
                .expect("saved");
        }
    }
    program.path(folder)
}

/// A network that learns in a second.
const SMALL: [&str; 14] = [
    "--alpha",
    "0.1",
    "--shallow",
    "--size",
    "32",
    "--batch-size",
    "12",
    "--least-area",
    "0.7",
    "--learning-rate",
    "0.01",
    "--colour",
    "0.1",
    "--no-mirror",
];

fn train(program: &Program, folder: &Path, output: &str, more: &[&str]) -> Ran {
    let fixed = ["train", arg(folder), "-o", output];
    program.run(&[&fixed, &SMALL[..], more].concat())
}

fn bytes(program: &Program, name: &str) -> Vec<u8> {
    std::fs::read(program.path(name)).expect("a file")
}
