//! The integration tests, one binary.
//!
//! - `keras`: every Keras file gives Keras's own answers
//! - `keras_models`: so does every model that people build and train themselves
//! - `keras_forms`: and what Keras quantised, adapted or wrote into several files
//! - `weights`: safetensors files that others wrote
//! - `kinds`: pictures of rarer kinds, damaged and transparent ones, as Pillow has them
//! - `layouts`: checkpoints as transformers and timm write them
//! - `sidecars`: and every statement of those tools on pictures, beside what they make of one
//! - `cases`: checkpoints that other tools write today, with the scores they give
//! - `hidden`: last layers with others before them
//! - `heads`: last layers that give each class a score of its own
//! - `tensorflow_js`: TensorFlow.js's layers models
//! - `tflite`: TensorFlow Lite files of every type of weights
//! - `tflite_damaged`: and what is wrong with others
//! - `tflite_forms`: weights of fewer bits, pruned ones, pixels in planes
//! - `tflite_integers`: quantised ones in their own integers, beside LiteRT's
//! - `shards`: checkpoints in several parts, and the index that names them
//! - `timm`: networks of timm's own with a layer before the pool
//! - `torch`: PyTorch's files, and pickles that are made to harm
//! - `onnx`: ONNX files of each exporter, and what is wrong with others
//! - `tensorflow`: frozen graphs and the checkpoints of TF-Slim, the same
//! - `pixels`: every image gives Pillow's own bytes
//! - `recipes`: and those of TensorFlow, torchvision and transformers, by recipe
//! - `tiff`: TIFFs of every kind, too
//! - `raw`: of a raw photograph it is the preview in it
//! - `orientation`: and is upright, wherever its file says how it lies
//! - `codecs`: HEIC, AVIF and JPEG XL, against the libraries that everyone reads them with
//! - `formats`: the formats that are known by name
//! - `pixel_scale`: pixels of any scale, on every engine
//! - `pipeline`: the library over many pictures, whatever fails on the way
//! - `ops`: the operations that devices run, against their plain definition
//! - `cpu`: the CPU's own kernels, in every instruction set, against those
//! - `int8`: eight bits through the program
//! - `quantize`: files in eight bits, fitted to pictures or not
//! - `bf16`: bf16 on the CPU through the program
//! - `assembly`: the kernels' machine code
//! - `shared`: real pretrained weights and photographs, skipped where they are absent
//! - `classes`: their names, printed, changed and put in another order
//! - `convert`: what it writes answers as what it read
//! - `classify`, `commands`: the program, as a shell uses it
//! - `album`: folders, lists and streams of pictures, and runs that were stopped
//! - `explain`: class activation maps
//! - `figures`: pictures of numbers
//! - `gpu`: the network as GPUs run it
//! - `grep`: pictures by what they show
//! - `embed`, `similar`: embeddings, and pictures that look alike; `near_duplicates`: which of those to keep
//! - `eval`: networks against pictures whose classes are known
//! - `outputs`: what commands must not replace by what they write
//! - `manners`: what is said to whoever meant something else, and small things
//! - `metrics`: scores against the truth, as scikit-learn has it
//! - `learn`: classes of one's own, against scikit-learn's answers
//! - `learn_again`: classes that are added to those and removed, and what is said of their pictures
//! - `bad_input`: damaged, hostile and absent files
//! - `train`: gradients and steps against Keras and by definition, runs that are stopped, the digits
//! - `wordnet`: every group has the classes that WordNet's own program gives it
//! - `rejection`: pictures of none of the classes
//! - `subprocess`: the program as another one's, which waits for each answer
//! - `serve`: the service, over sockets, and clients that do wrong
//! - `spark`: the program inside Apache Spark (`examples/spark`), skipped without pyspark
//! - `network`: downloads, against a server on loopback that can misbehave

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod album;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[cfg(any(target_arch = "aarch64", target_arch = "x86_64"))]
mod assembly;
mod bad_input;
mod bf16;
mod cases;
mod classes;
mod classify;
mod codecs;
mod commands;
mod convert;
mod cpu;
mod embed;
mod eval;
mod explain;
mod figures;
mod formats;
mod gpu;
mod grep;
mod heads;
mod hidden;
mod int8;
mod keras;
mod keras_forms;
mod keras_models;
mod kinds;
mod layouts;
mod learn;
mod learn_again;
mod manners;
mod metrics;
mod near_duplicates;
mod network;
mod onnx;
mod ops;
mod orientation;
mod outputs;
mod pipeline;
mod pixel_scale;
mod pixels;
mod quantize;
mod raw;
mod recipes;
mod rejection;
#[cfg(feature = "serve")]
mod serve;
pub mod shards;
mod shared;
mod sidecars;
mod similar;
mod skipped;
mod spark;
mod subprocess;
mod support;
mod tensorflow;
mod tensorflow_js;
mod tflite;
mod tflite_damaged;
mod tflite_forms;
mod tflite_integers;
mod tiff;
mod timm;
mod torch;
mod train;
mod weights;
mod wordnet;
