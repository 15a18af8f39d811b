//! Checkpoints that other tools wrote today, beside the scores that those tools gave for the same
//! pictures; skipped where they are absent.

use std::path::{Path, PathBuf};

use candle_core::DType;
use mobilenet::Classifier;
use mobilenet::device::{DeviceChoice, open as open_device};
use mobilenet::model::Padding;
use mobilenet::pixels::{Crop, DecodeOptions, PixelScale, Preprocessing};
use mobilenet::weights::{Checkpoint, LoadOptions};
use serde_json::{Value, json};

use crate::support::{Program, arg, largest_difference, repository, shared};

/// Of scores, where both saw the same pixels.
const FROM_THEIRS: f32 = 1e-4;

/// A checkpoint of the folder, if that is there.
pub fn case(name: &str) -> Option<PathBuf> {
    shared(&format!("cases/checkpoints/{name}"))
}

/// The largest difference of a score from those of the tool that wrote a checkpoint.
pub fn difference(name: &str, checkpoint: &Checkpoint) -> f32 {
    let folder = case("").expect("the folder");
    let answers = std::fs::read(folder.join("scores.json")).expect("the scores");
    let answers: Value = serde_json::from_slice(&answers).expect("the scores");
    let answer = &answers[name];
    let device = open_device(DeviceChoice::Cpu).expect("the CPU");
    let classifier = Classifier::new(checkpoint, None, &device, DType::F32).expect(name);
    let recipe = classifier.preprocessing().clone();
    let recipe = match answer["options"].as_array().is_some_and(Vec::is_empty) {
        true => recipe,
        false => Preprocessing::with_crop(recipe, Crop::Squash),
    };
    let classifier = classifier.with_preprocessing(recipe).expect("a recipe");
    let images = answer["images"].as_array().expect("images").iter();
    let images = images.map(|path| {
        let path = Path::new(path.as_str().expect("a path"));
        let path = match path.starts_with("images") {
            true => shared(path.to_str().expect("UTF-8")).expect("a photograph"),
            false => folder.join("img").join(path),
        };
        let options = DecodeOptions::default().with_dct(classifier.preprocessing().dct);
        mobilenet::pixels::open(path, &options).expect("a picture")
    });
    let got = classifier.scores(&images.collect::<Vec<_>>());
    let got = got.expect("scores").concat();
    let want = answer["scores"].as_array().expect("scores").iter();
    let want = want.flat_map(|scores| scores.as_array().expect("a list"));
    let want: Vec<f32> = want.map(|x| x.as_f64().expect("a score") as f32).collect();
    let off = largest_difference(&got, &want);
    eprintln!("{name}: off by {off}");
    off
}

#[test]
fn scores_are_those_of_the_tools_that_wrote_the_files() {
    for (name, most) in [
        ("export_full.tflite", FROM_THEIRS),
        ("lt_nchw.tflite", FROM_THEIRS),
        ("sparse.tflite", FROM_THEIRS),
        // LiteRT rounds their activations, to 16 bits and to 8.
        ("int16x8_floatio.tflite", 2e-3),
        ("aeq_dynamic_wi4_afp32.tflite", 0.05),
        ("timm_real_relu", FROM_THEIRS),
        ("timm.pth", FROM_THEIRS),
        ("timm_ddp.safetensors", FROM_THEIRS),
        ("te_pre_rescale_255.keras", FROM_THEIRS),
        ("te_head_bn.keras", FROM_THEIRS),
        ("te_head_hidden.keras", FROM_THEIRS),
        ("te_head_sigmoid1.keras", FROM_THEIRS),
        ("hf_proc_do_rescale_false", FROM_THEIRS),
        // Photographs, which torchvision resizes, and TensorFlow, in floats.
        ("hf_px_vit", 2e-4),
        ("te_resizing_bilinear.keras", FROM_THEIRS),
        ("te_pre_normalization_adapt.keras", FROM_THEIRS),
    ] {
        let Some(path) = case(name) else {
            return;
        };
        let checkpoint = Checkpoint::open(path, &LoadOptions::default()).expect(name);
        let off = difference(name, &checkpoint);
        assert!(off < most, "{name}: off by {off}");
    }
}

/// What would be answered wrongly is refused by the name of what is in the way.
#[test]
fn what_is_not_heeded_is_refused_by_name() {
    let name = "rescale255.tflite";
    let Some(path) = case(name) else {
        return;
    };
    let error = Checkpoint::open(path, &LoadOptions::default()).expect_err(name);
    let reason = "its pixels into it. Say what it takes: --pixels";
    assert!(error.to_string().contains(reason), "{error}");
}

/// A file whose converter has put the division by 255 into its first layer.
#[test]
fn a_scale_that_no_file_states_is_an_option() {
    let Some(path) = case("rescale255.tflite") else {
        return;
    };
    let bytes = PixelScale::new([1.0; 3], [0.0; 3]).expect("a scale");
    let options = LoadOptions::default().with_pixel_scale(bytes);
    let checkpoint = Checkpoint::open(&path, &options).expect("a checkpoint");
    let off = difference("rescale255.tflite", &checkpoint);
    assert!(off < FROM_THEIRS, "off by {off}");

    let program = Program::new();
    let (path, cat) = (arg(&path), repository("samples/cat.jpg"));
    let classify = ["classify", "--json", arg(&cat), "--weights", path];
    program.run(&classify).refused(&["--pixels 0..255"]);
    let answered = program.run(&[&classify[..], &["--pixels", "0..255"]].concat());
    let converted = program.run(&[
        "convert",
        path,
        "-o",
        "ours.safetensors",
        "--pixels",
        "0..255",
    ]);
    assert_eq!(converted.code, Some(0), "{}", converted.stderr);
    // It states it then, and is not to be told otherwise.
    let ours = [
        "classify",
        "--json",
        arg(&cat),
        "--weights",
        "ours.safetensors",
    ];
    let same = program.run(&ours);
    assert_eq!(answered.json(), same.json());
    let other = program.run(&[&ours[..], &["--pixels", "-1..1"]].concat());
    other.refused(&["it states another scale of pixels"]);
}

/// transformers' files, the configurations of reports beside them.
#[test]
fn configurations_that_change_the_answer_are_heeded_or_refused() {
    let model = shared("pretrained/transformers/mobilenet_v1_0.25_224/model.safetensors");
    let (Some(model), Some(reports)) = (model, shared("cases/reports/f13")) else {
        return;
    };
    let beside = |folder: &str, change: &dyn Fn(&str, &mut Value)| {
        let program = Program::new();
        program.file("model.safetensors", std::fs::read(&model).expect("weights"));
        for name in ["config.json", "preprocessor_config.json"] {
            let text = std::fs::read(reports.join(folder).join(name)).expect(name);
            let mut value: Value = serde_json::from_slice(&text).expect("JSON");
            change(name, &mut value);
            program.file(name, value.to_string());
        }
        let path = program.path("model.safetensors");
        Checkpoint::open(path, &LoadOptions::default()).map_err(|error| error.to_string())
    };
    let plain = |_: &str, _: &mut Value| ();
    let gap = beside("gap", &plain).expect_err("labels with gaps");
    assert!(
        gap.contains("it has 3 labels, and none for output 1"),
        "{gap}"
    );
    // Pixels from 0 to 1.
    let nonorm = beside("nonorm", &plain).expect("a checkpoint");
    let scale = nonorm.preprocessing().pixel_scale;
    assert_eq!(
        (scale.scale(), scale.offset()),
        ([1.0 / 255.0; 3], [0.0; 3])
    );

    for (name, field, value, reason) in [
        (
            "preprocessor_config.json",
            "do_resize",
            json!(false),
            "does not resize pictures",
        ),
        (
            "preprocessor_config.json",
            "crop_pct",
            json!(0.9),
            "crops by crop_pct",
        ),
        (
            "preprocessor_config.json",
            "do_flip_channel_order",
            json!(true),
            "blue before red",
        ),
        (
            "preprocessor_config.json",
            "do_pad",
            json!(true),
            "pads pictures",
        ),
        (
            "preprocessor_config.json",
            "image_processor_type",
            json!("BeitImageProcessor"),
            "made by Beit",
        ),
        (
            "preprocessor_config.json",
            "resample",
            json!(6),
            "Pillow's number 6",
        ),
        (
            "preprocessor_config.json",
            "size",
            json!({"height": 256, "width": 200}),
            "200x256",
        ),
        (
            "preprocessor_config.json",
            "crop_size",
            json!(300),
            "resizes to 256 and crops to 300",
        ),
        (
            "config.json",
            "problem_type",
            json!("regression"),
            "problem_type is regression",
        ),
        (
            "config.json",
            "hidden_act",
            json!("gelu"),
            "activation is gelu",
        ),
    ] {
        let change = |file: &str, config: &mut Value| {
            if file == name {
                config[field] = value.clone();
            }
        };
        let error = beside("nonorm", &change).expect_err(reason);
        assert!(error.contains(reason) && error.contains(name), "{error}");
    }
    // Plain numbers, and a kind that says by itself whether it crops.
    for (kind, crop) in [
        ("MobileNetV1ImageProcessor", Crop::Center(0.875)),
        ("ViTImageProcessor", Crop::Squash),
    ] {
        let found = beside("nonorm", &|file, config| {
            if file == "preprocessor_config.json" {
                config["size"] = json!(if crop == Crop::Squash { 224 } else { 256 });
                config["crop_size"] = json!(224);
                config["image_processor_type"] = json!(kind);
                config
                    .as_object_mut()
                    .expect("an object")
                    .remove("do_center_crop");
            }
        });
        let found = found.expect(kind);
        assert_eq!(
            (found.preprocessing().crop, found.preprocessing().size),
            (crop, 224)
        );
    }
}

/// timm's files, changed.
#[test]
fn timms_arguments_are_heeded_or_refused() {
    let Some(folder) = case("timm_real_relu") else {
        return;
    };
    let open = |place: &[&str], value: Value| {
        let program = Program::new();
        let weights = std::fs::read(folder.join("model.safetensors")).expect("weights");
        let path = program.file("model.safetensors", weights);
        let text = std::fs::read(folder.join("config.json")).expect("a config");
        let mut config: Value = serde_json::from_slice(&text).expect("JSON");
        let last = place.iter().fold(&mut config, |at, key| &mut at[*key]);
        *last = value;
        program.file("config.json", config.to_string());
        Checkpoint::open(path, &LoadOptions::default()).map_err(|error| error.to_string())
    };
    for (place, value, reason) in [
        (&["global_pool"][..], json!("max"), "global pool is \"max\""),
        (
            &["model_args", "global_pool"],
            json!("avgmax"),
            "global pool is \"avgmax\"",
        ),
        (
            &["model_args", "in_chans"],
            json!(1),
            "pixels have 1 channels",
        ),
        (
            &["model_args", "act_layer"],
            json!("silu"),
            "activation is silu",
        ),
        (
            &["model_args", "output_stride"],
            json!(16),
            "output stride is 16",
        ),
        (
            &["model_args", "head_norm"],
            json!(true),
            "made with head_norm true",
        ),
        (
            &["pretrained_cfg", "crop_mode"],
            json!("border"),
            "crop_mode is border",
        ),
        (
            &["pretrained_cfg", "interpolation"],
            json!("random"),
            "interpolation is random",
        ),
    ] {
        let error = open(place, value).expect_err(reason);
        assert!(error.contains(reason), "{error}");
    }
    let heeded = open(&["model_args", "bn_eps"], json!(1e-3)).expect("a checkpoint");
    assert_eq!(heeded.config().batch_norm_epsilon, 1e-3);
    let padded = open(&["model_args", "pad_type"], json!("same")).expect("a checkpoint");
    assert_eq!(padded.config().padding, Padding::Same);
    open(&["model_args", "drop_rate"], json!(0.2)).expect("a checkpoint");
}

/// What was taken for a checkpoint and is none.
#[test]
fn what_is_no_checkpoint_is_called_by_its_name() {
    let Some(folder) = shared("cases/reports/f15") else {
        return;
    };
    for (name, reason) in [
        ("model.safetensors", "a pointer of Git LFS"),
        ("page.h5", "a web page"),
        ("old.pth", "a bare pickle"),
        ("pytorch_model.bin", "without a network's tensors"),
        ("saved", "a TensorFlow SavedModel"),
        ("saved/saved_model.pb", "a TensorFlow SavedModel"),
    ] {
        let path = folder.join(name);
        let error = Checkpoint::open(&path, &LoadOptions::default()).expect_err(name);
        let error = error.to_string();
        assert!(
            error.contains(reason) && error.contains(arg(&path)),
            "{error}"
        );
    }
    let error = Checkpoint::open(case("img").expect("img"), &LoadOptions::default());
    let error = error.expect_err("pictures").to_string();
    assert!(error.contains("the folder has no"), "{error}");
}
