//! PyTorch's files (`tests/data/torch/make_torch.py`), as they are, damaged, and made to harm.

use std::io::{Cursor, Read, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use mobilenet::Error;
use mobilenet::model::Padding;
use mobilenet::weights::{Checkpoint, LoadOptions};
use rayon::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::cases::case;
use crate::support::{Program, answer, data, floats, image, largest_difference, shared, tensors};

const TOLERANCE: f32 = 2e-5;

const FIXTURES: [&str; 5] = [
    "state_dict.pth",
    "training.pt",
    "parameters.pth",
    "old.pth",
    "old_training.pt",
];

fn fixture(name: &str) -> Vec<u8> {
    let packed = std::fs::File::open(data("torch").join(format!("{name}.gz")));
    let mut bytes = Vec::new();
    let mut unpacked = GzDecoder::new(packed.expect("a fixture"));
    unpacked.read_to_end(&mut bytes).expect("a fixture");
    bytes
}

fn read(bytes: Vec<u8>) -> Result<Checkpoint, Error> {
    let options = LoadOptions::default().with_size(64);
    Checkpoint::from_bytes(bytes, Path::new("it.pth"), &options)
}

/// The files of a zip.
fn files(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).expect("a zip");
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.expect("a name").into_owned())
        .collect();
    let file = |name: String| {
        let mut bytes = Vec::new();
        let mut file = archive.by_name(&name).expect("a file");
        file.read_to_end(&mut bytes).expect("a file");
        drop(file);
        (name, bytes)
    };
    names.into_iter().map(file).collect()
}

/// A zip of files.
fn zip(files: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(name, options).expect("a zip");
        zip.write_all(bytes).expect("a zip");
    }
    zip.finish().expect("a zip").into_inner()
}

/// A file with another pickle.
fn with_pickle(pickle: &[u8]) -> Vec<u8> {
    let mut files = files(&fixture("state_dict.pth"));
    for (name, bytes) in &mut files {
        if name.ends_with("data.pkl") {
            *bytes = pickle.to_vec();
        }
    }
    zip(&files, CompressionMethod::Stored)
}

#[track_caller]
fn refused(bytes: Vec<u8>, reason: &str) {
    let error = read(bytes).expect_err(reason).to_string();
    assert!(error.contains(reason), "{reason:?} is not in {error:?}");
}

#[test]
fn logits_are_those_of_torch() {
    let golden = tensors(data("torch/golden.safetensors"));
    let input = image(&golden["input"]);
    for name in FIXTURES {
        let checkpoint = read(fixture(name)).expect(name);
        assert_eq!(checkpoint.config().classes, Some(5), "{name}");
        assert_eq!(checkpoint.config().padding, Padding::Symmetric, "{name}");
        let logits = floats(&answer(&checkpoint, std::slice::from_ref(&input)).1);
        let off = largest_difference(&logits, &floats(&golden["logits"]));
        eprintln!("{name}: {off}");
        assert!(off < TOLERANCE, "{name}: {off}");
    }
}

/// Where a folder has nothing newer, and converted.
#[test]
fn a_folders_older_file_is_found() {
    let program = Program::new();
    program.file("pytorch_model.bin", fixture("state_dict.pth"));
    let ran = program.run(&["convert", ".", "-o", "ours.safetensors", "--size", "64"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let open = |name: &str| {
        let options = LoadOptions::default().with_size(64);
        Checkpoint::open(program.path(name), &options).expect(name)
    };
    let inputs = [image(&tensors(data("torch/golden.safetensors"))["input"])];
    let [before, after] = [open("."), open("ours.safetensors")];
    assert_eq!(before.config(), after.config());
    assert_eq!(
        before.sha256(),
        after.source().map(|source| source.sha256.clone())
    );
    let [before, after] = [before, after].map(|it| floats(&answer(&it, &inputs).1));
    assert_eq!(before, after);
}

/// transformers' network without its classifier embeds as the whole one does.
#[test]
fn a_network_without_its_classifier_is_read() {
    let (Some(path), Some(whole)) = (
        case("hf_headless"),
        shared("pretrained/transformers/mobilenet_v1_0.25_224"),
    ) else {
        return;
    };
    let open = |path: &Path| Checkpoint::open(path, &LoadOptions::default()).expect("a checkpoint");
    let (headless, whole) = (open(&path), open(&whole));
    assert_eq!(headless.config().classes, None);
    let pixels = (0..224 * 224 * 3).map(|i| (i % 251) as u8).collect();
    let picture = mobilenet::pixels::RgbImage::from_raw(224, 224, pixels);
    let inputs = [picture.expect("a picture")];
    let [a, b] = [headless, whole].map(|it| floats(&answer(&it, &inputs).0));
    assert_eq!(a, b);
}

#[test]
fn what_makes_no_tensors_is_refused() {
    refused(with_pickle(b""), "it ends too early");
    refused(with_pickle(b"\x80\x02}."), "without a network's tensors");
    refused(with_pickle(b"\x80\x02K\x01."), "it is no state_dict");
    refused(with_pickle(b"\x80\x02."), "it takes what is not there");
    refused(
        with_pickle(b"\x80\x02(K\x010."),
        "it takes what is not there",
    );
    refused(with_pickle(b"h\x01."), "it recalls what it never kept");
    refused(with_pickle(b"t."), "a mark is missing");
    refused(with_pickle(b"\xff."), "the operation 0xff");
    // Texts of 4 GB, and of more than there can be.
    refused(with_pickle(b"X\xff\xff\xff\xffabc."), "it ends too early");
    refused(
        with_pickle(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc."),
        "it ends too early",
    );
    // A program is not run, and a module no state_dict.
    let program = b"cos\nsystem\n(X\x04\x00\x00\x00exittR.";
    refused(with_pickle(program), "a whole Python object (os.system)");
    // Lists of lists of lists: as text they would be longer than any memory.
    let mut bomb = b"\x80\x02]q\x00(X\x01\x00\x00\x00ae".to_vec();
    for level in 0..200u8 {
        bomb.extend([b']', b'q', level + 1, b'(']);
        bomb.extend([b'h', level].repeat(50));
        bomb.push(b'e');
    }
    bomb.push(b'.');
    refused(with_pickle(&bomb), "it is no state_dict");
    // Deeper than a stack.
    let mut deep = b"\x80\x02)".to_vec();
    deep.extend(vec![0x85; 900_000]);
    deep.push(b'.');
    refused(with_pickle(&deep), "it is no state_dict");
    let mut long = b"\x80\x02".to_vec();
    long.extend(vec![b'N'; 2 << 20]);
    refused(with_pickle(&long), "data.pkl in it: it has");
    let packed = zip(
        &files(&fixture("state_dict.pth")),
        CompressionMethod::Deflated,
    );
    refused(packed, "its numbers are packed");
    let mut big = files(&fixture("state_dict.pth"));
    for (name, bytes) in &mut big {
        if name.ends_with("byteorder") {
            *bytes = b"big".to_vec();
        }
    }
    refused(zip(&big, CompressionMethod::Stored), "big-endian");
}

/// Those of PyTorch before 1.6, with something wrong in each part.
#[test]
fn old_files_are_read_as_far_as_they_are_sound() {
    let whole = fixture("old.pth");
    let magic = 15;
    assert_eq!(&whole[magic..magic + 6], b"\x80\x02M\xe9\x03.");
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    refused(
        changed(magic + 3, b"\xea"),
        "a version of PyTorch's files that is not known",
    );
    let little = b"little_endian";
    let at = whole
        .windows(little.len())
        .position(|window| window == little);
    let flag = at.expect("a flag") + little.len();
    let flag = flag
        + whole[flag..]
            .iter()
            .position(|byte| *byte == 0x88)
            .expect("a flag");
    refused(changed(flag, b"\x89"), "big-endian");
    refused(
        whole[..whole.len() - 1].to_vec(),
        "a storage is not all there",
    );
    refused(whole[..magic].to_vec(), "it ends too early");
    for at in (0..whole.len()).rev().step_by(7).take(6000) {
        drop(read(changed(at, b"\xff")));
    }
    // Not PyTorch's.
    refused(
        b"\x80\x04\x95\x05\0\0\0\0\0\0\0}\x94.".to_vec(),
        "a Python pickle",
    );
}

/// Every byte of a pickle, and every length of the file: some answer, and no panic.
#[test]
fn no_byte_makes_it_panic() {
    for name in ["training.pt", "parameters.pth"] {
        let whole = files(&fixture(name));
        let (at, _) = whole
            .iter()
            .enumerate()
            .find(|(_, (name, _))| name.ends_with("data.pkl"))
            .expect("a pickle");
        let pickle = whole[at].1.clone();
        let tried = (0..pickle.len()).into_par_iter().step_by(3).map(|place| {
            let mut changed = whole.clone();
            changed[at].1[place] ^= [0x01, 0x80, 0xff][place % 3];
            read(zip(&changed, CompressionMethod::Stored)).is_ok()
        });
        let sound = tried.filter(|sound| *sound).count();
        eprintln!("{name}: {sound} of {} are still networks", pickle.len() / 3);
    }
    for name in ["state_dict.pth", "old.pth"] {
        let bytes = fixture(name);
        for length in (0..bytes.len()).step_by(997) {
            assert!(read(bytes[..length].to_vec()).is_err(), "{length}");
        }
    }
    // The pickles of an old file, and the lengths of its storages.
    let old = fixture("old_training.pt");
    let storages = old.len() - 36_338;
    let tried = (0..storages).into_par_iter().step_by(2).map(|place| {
        let mut changed = old.clone();
        changed[place] ^= [0x01, 0x80, 0xff][place % 3];
        read(changed).is_ok()
    });
    let sound = tried.filter(|sound| *sound).count();
    eprintln!(
        "old_training.pt: {sound} of {} are still networks",
        storages / 2
    );
}
