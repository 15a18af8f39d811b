//! Damaged, hostile and absent files: a message that names the file and the reason, exit code
//! 2, the other inputs answered, never a panic.

use mobilenet::error::ImageErrorKind;
use mobilenet::pixels::{DecodeOptions, decode};
use mobilenet::weights::{Checkpoint, LoadOptions};
use serde_json::Value;

use crate::support::{Program, arg, data, repository};

/// Runs `classify` on a file and returns its error's kind and message.
fn image_error(program: &Program, input: &str) -> (String, String) {
    let weights = data("keras/tiny.keras");
    let cat = repository("samples/cat.jpg");
    let ran = program.run(&[
        "classify",
        "--jsonl",
        "--weights",
        arg(&weights),
        input,
        arg(&cat),
    ]);
    assert_eq!(ran.code, Some(2), "{input}: {}", ran.stderr);
    let rows = ran.rows();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[1]["error"], Value::Null, "the other input is answered");
    let text = |key: &str| rows[0]["error"][key].as_str().expect("an error").to_owned();
    let (kind, message) = (text("kind"), text("message"));
    assert!(
        ran.stderr.contains(&format!("{input}: {message}")),
        "{}",
        ran.stderr
    );
    (kind, message)
}

#[test]
fn bad_pictures_are_errors_that_name_the_reason() {
    let program = Program::new();
    let cat = std::fs::read(repository("samples/cat.jpg")).expect("a sample");
    program.file("empty.jpg", "");
    program.file("text.jpg", "this is no picture");
    program.file("truncated.jpg", &cat[..cat.len() / 2]);
    program.file("head.jpg", &cat[..30]);
    for (input, kind, message) in [
        ("empty.jpg", "decode", "empty"),
        ("text.jpg", "decode", "not an image"),
        ("truncated.jpg", "decode", "truncated"),
        ("head.jpg", "decode", "truncated"),
        ("missing.jpg", "not_found", "no such file"),
    ] {
        let (got, text) = image_error(&program, input);
        assert_eq!(got, kind, "{input}: {text}");
        assert!(text.contains(message), "{input}: {text}");
    }
}

/// Found by the fuzzer: the decoder panics at it.
#[test]
fn a_png_whose_palette_ends_within_a_colour_is_refused() {
    let chunk = |kind: &[u8], data: &[u8]| {
        let mut sum = flate2::Crc::new();
        sum.update(kind);
        sum.update(data);
        let length = (data.len() as u32).to_be_bytes();
        [&length, kind, data, &sum.sum().to_be_bytes()].concat()
    };
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &[[0u8; 5]; 8].concat()).expect("packed");
    let packed = packed.finish().expect("packed");
    for colours in [4, 16] {
        for spare in [0, 1, 2] {
            let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
            // 8 by 8 pixels of 4 bits that look up a palette.
            file.extend(chunk(b"IHDR", &[0, 0, 0, 8, 0, 0, 0, 8, 4, 3, 0, 0, 0]));
            file.extend(chunk(b"PLTE", &vec![7; 3 * colours + spare]));
            file.extend(chunk(b"IDAT", &packed));
            file.extend(chunk(b"IEND", &[]));
            let decoded = decode(&file, &DecodeOptions::default());
            match spare {
                0 => assert_eq!(decoded.expect("a picture").dimensions(), (8, 8)),
                _ => assert!(decoded.expect_err("refused").message.contains("palette")),
            }
        }
    }
}

/// A header of 60000x60000 pixels over a few bytes: refused before anything is allocated.
#[test]
fn a_picture_larger_than_the_limit_is_refused() {
    let program = Program::new();
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    png.extend(60_000u32.to_be_bytes());
    png.extend(60_000u32.to_be_bytes());
    png.extend([8, 2, 0, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&png[12..]);
    png.extend(crc.sum().to_be_bytes());
    png.extend(b"\0\0\0\x04IDAT\0\0\0\0\0\0\0\0");
    program.file("bomb.png", png);
    let mut bmp = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bmp.extend(60_000u32.to_le_bytes());
    bmp.extend(60_000u32.to_le_bytes());
    bmp.extend([1, 0, 24, 0]);
    bmp.extend([0; 24]);
    program.file("bomb.bmp", bmp);
    for input in ["bomb.png", "bomb.bmp"] {
        let (kind, message) = image_error(&program, input);
        assert_eq!(kind, "limit", "{input}: {message}");
    }
}

#[test]
fn extreme_shapes_are_answered() {
    let program = Program::new();
    let weights = data("keras/tiny.keras");
    for (name, width, height) in [
        ("dot.png", 1, 1),
        ("wide.png", 20_000, 20),
        ("high.png", 20, 20_000),
    ] {
        let picture = mobilenet::pixels::RgbImage::from_fn(width, height, |x, y| {
            image::Rgb([x as u8, y as u8, (x ^ y) as u8])
        });
        picture.save(program.path(name)).expect("saved");
        for crop in ["center", "squash"] {
            let ran = program.run(&[
                "classify",
                "--jsonl",
                "--crop",
                crop,
                "--weights",
                arg(&weights),
                name,
            ]);
            assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        }
    }
}

#[test]
fn bad_checkpoints_are_errors_that_name_the_reason() {
    let program = Program::new();
    let cat = repository("samples/cat.jpg");
    let keras = |name: &str| std::fs::read(data("keras").join(name)).expect("a fixture");
    let hdf5 = keras("tiny_tf.h5");
    let zip = keras("tiny.keras");
    program.file("empty.h5", "");
    program.file("text.safetensors", "not weights");
    program.file("truncated.h5", &hdf5[..hdf5.len() / 2]);
    program.file("head.h5", &hdf5[..100]);
    program.file("truncated.keras", &zip[..zip.len() / 2]);
    std::fs::create_dir(program.path("folder")).expect("a folder");
    let other = std::collections::HashMap::from([("encoder.weight", candle())]);
    candle_core::safetensors::save(&other, program.path("other.safetensors")).expect("saved");
    let whole = std::fs::read(program.path("other.safetensors")).expect("saved");
    program.file("truncated.safetensors", &whole[..whole.len() - 4]);
    let second =
        ["features.1.conv.0.0.weight", "features.18.0.weight"].map(|name| (name, candle()));
    let second = std::collections::HashMap::from(second);
    candle_core::safetensors::save(&second, program.path("second.safetensors")).expect("saved");
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("holiday.txt", stored).expect("a zip");
    let archive = archive.finish().expect("a zip").into_inner();
    program.file("holiday.zip", archive);
    for (weights, message) in [
        ("empty.h5", "empty"),
        ("text.safetensors", "not a checkpoint of a known format"),
        ("truncated.h5", "truncated or damaged HDF5"),
        ("head.h5", "truncated or damaged HDF5"),
        ("truncated.keras", "truncated or damaged zip"),
        ("truncated.safetensors", "truncated or damaged safetensors"),
        ("other.safetensors", "encoder.weight"),
        (
            "second.safetensors",
            "a MobileNet V2, by the names of its layers",
        ),
        ("holiday.zip", "neither Keras nor PyTorch"),
        ("folder", "has no model.safetensors"),
        ("missing.h5", "no such file"),
        ("/dev/zero", "not a checkpoint"),
    ] {
        let ran = program.run(&["classify", "--weights", weights, arg(&cat)]);
        ran.refused(&[weights, message]);
    }
}

fn candle() -> candle_core::Tensor {
    candle_core::Tensor::zeros(4, candle_core::DType::F32, &candle_core::Device::Cpu)
        .expect("zeros")
}

/// Everything that doesn't fit is named, not only the first.
#[test]
fn all_that_does_not_fit_is_named_at_once() {
    let program = Program::new();
    let config = mobilenet::model::Config::with_alpha(0.25);
    let mut tensors = mobilenet::model::random_tensors(&config, 0).expect("tensors");
    tensors.remove("conv_dw_3.weight");
    tensors.remove("conv_pw_9_bn.running_var");
    tensors.insert("conv_dw_5.weight".into(), candle());
    tensors.insert("extra.weight".into(), candle());
    let path = program.path("broken.safetensors");
    candle_core::safetensors::save(&tensors, &path).expect("saved");
    let ran = program.run(&["summary", "--weights", arg(&path)]);
    ran.refused(&[
        "broken.safetensors",
        "alpha 0.25",
        "conv_dw_3.weight is missing",
        "conv_pw_9_bn.running_var is missing",
        "conv_dw_5.weight is [4], not [64, 1, 3, 3]",
        "extra.weight is not part of it",
    ]);
}

/// A metadata block that lies about the network.
#[test]
fn hostile_metadata_is_refused() {
    let program = Program::new();
    let good = Checkpoint::open(data("keras/tiny.keras"), &LoadOptions::default()).expect("one");
    let path = program.path("good.safetensors");
    good.save(&path).expect("saved");
    let bytes = std::fs::read(&path).expect("saved");
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
    let header = std::str::from_utf8(&bytes[8..8 + length]).expect("JSON");
    for (from, to) in [
        (r#"\"alpha\":0.05"#, r#"\"alpha\":-0.05"#),
        (r#"\"alpha\":0.05"#, r#"\"alpha\":1e300"#),
        (r#"\"alpha\":0.05"#, r#"\"alpha\":\"x\""#),
        (r#"\"classes\":7"#, r#"\"classes\":70000000"#),
        (r#"\"size\":65"#, r#"\"size\":65000000"#),
        (r#"\"center\":0.875"#, r#"\"center\":0.0000001"#),
        (
            r#"\"batch_norm_epsilon\":0.001"#,
            r#"\"batch_norm_epsilon\":-1"#,
        ),
    ] {
        assert!(header.contains(from), "{from} is not in {header}");
        let mut changed = header.replace(from, to).into_bytes();
        while changed.len() % 8 != 0 {
            changed.push(b' ');
        }
        let mut file = (changed.len() as u64).to_le_bytes().to_vec();
        file.extend(changed);
        file.extend(&bytes[8 + length..]);
        program.file("hostile.safetensors", file);
        let cat = repository("samples/cat.jpg");
        let ran = program.run(&["classify", "--weights", "hostile.safetensors", arg(&cat)]);
        ran.refused(&["hostile.safetensors"]);
    }
}

/// Thousands of damaged files: any answer will do, but there has to be one.
#[test]
fn mutated_files_never_panic() {
    let mut seed = 1u64;
    let mut random = move |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut mutated = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        match random(4) {
            0 => bytes.truncate(random(bytes.len() + 1)),
            1 => {
                let at = random(bytes.len());
                let end = (at + 1 + random(64)).min(bytes.len());
                bytes[at..end].fill([0, 0xff, 0x7f][random(3)]);
            }
            _ => {
                // Most of a file's structure is at its beginning.
                let reach = [bytes.len(), bytes.len().min(512)][random(2)];
                for _ in 0..1 + random(8) {
                    bytes[random(reach)] = random(256) as u8;
                }
            }
        }
        bytes
    };
    let options = DecodeOptions::default().with_max_pixels(1 << 20);
    let mut pictures: Vec<_> = std::fs::read_dir(data("pixels/decode"))
        .expect("a folder")
        .collect();
    pictures.sort_by_key(|entry| entry.as_ref().map(|e| e.path()).ok());
    for entry in pictures {
        let bytes = std::fs::read(entry.expect("a file").path()).expect("a picture");
        for _ in 0..60 {
            let _ = decode(&mutated(&bytes), &options);
        }
    }
    let folder = Program::new();
    let ours = folder.path("tiny.safetensors");
    let tiny = Checkpoint::open(data("keras/tiny.keras"), &LoadOptions::default());
    tiny.expect("a checkpoint").save(&ours).expect("saved");
    let names = [
        "tiny_tf.h5",
        "tiny.weights.h5",
        "tiny.keras",
        "tiny_model.h5",
    ];
    let keras = names.map(|name| data("keras").join(name));
    for file in keras.into_iter().chain([ours]) {
        let bytes = std::fs::read(&file).expect("a checkpoint");
        for _ in 0..60 {
            let _ = Checkpoint::from_bytes(mutated(&bytes), &file, &LoadOptions::default());
        }
    }
}

/// Half a megabyte of trivial scans would keep a decoder busy for minutes.
#[test]
fn a_jpeg_of_countless_scans_is_refused() {
    let mut bytes = std::fs::read(data("pixels/decode/progressive_420.jpg")).expect("a picture");
    let frame = bytes
        .windows(2)
        .position(|w| w == [0xff, 0xc2])
        .expect("a progressive frame");
    bytes[frame + 5..frame + 9].copy_from_slice(&[0x27, 0x10, 0x27, 0x10]);
    let scan = bytes
        .windows(2)
        .rposition(|w| w == [0xff, 0xda])
        .expect("a scan");
    let scan = bytes[scan..bytes.len() - 2].to_vec();
    bytes.truncate(bytes.len() - 2);
    for _ in 0..1000 {
        bytes.extend(&scan);
    }
    bytes.extend([0xff, 0xd9]);
    let error = decode(&bytes, &DecodeOptions::default()).expect_err("too many scans");
    assert_eq!(error.kind, ImageErrorKind::Limit, "{error}");
}

/// Weights that are not numbers are no reason for a confident answer, nor for broken JSON.
#[test]
fn weights_that_are_not_numbers_are_refused() {
    let program = Program::new();
    let cat = repository("samples/cat.jpg");
    for (layer, value) in [
        ("conv_pw_1.weight", f32::NAN),
        ("conv_preds.bias", f32::INFINITY),
    ] {
        for activation in ["relu", "relu6"] {
            let config = mobilenet::model::Config::with_alpha(0.05);
            let mut tensors = mobilenet::model::random_tensors(&config, 0).expect("tensors");
            let spoiled = tensors[layer].ones_like().expect("ones") * f64::from(value);
            tensors.insert(layer.into(), spoiled.expect("a tensor"));
            let path = program.path("spoiled.safetensors");
            candle_core::safetensors::save(&tensors, &path).expect("saved");
            let arguments = [
                "--weights",
                arg(&path),
                "--activation",
                activation,
                "--json",
            ];
            let ran = program.run(&[&["classify", arg(&cat)], &arguments[..]].concat());
            ran.refused(&[
                "spoiled.safetensors",
                layer.split('.').next().unwrap_or(""),
                "finite",
            ]);
        }
    }
}

/// A tensor's name must not reach a terminal as it is.
#[test]
fn control_characters_in_a_checkpoint_are_spelt_out() {
    let program = Program::new();
    let other = std::collections::HashMap::from([("evil\x1b[31m", candle())]);
    candle_core::safetensors::save(&other, program.path("evil.safetensors")).expect("saved");
    let ran = program.run(&["summary", "--weights", "evil.safetensors"]);
    ran.refused(&["evil\\u{1b}[31m"]);
    assert!(!ran.stderr.contains('\x1b'));
}
