//! The subcommands besides `classify`.

use crate::support::{Program, arg, data, repository};

#[test]
fn summary_counts_what_keras_counts() {
    let program = Program::new();
    for (alpha, total, trainable, fixed) in [
        ("1.0", 4_253_864, 4_231_976, 21_888),
        ("0.75", 2_601_976, 2_585_560, 16_416),
        ("0.5", 1_342_536, 1_331_592, 10_944),
        ("0.25", 475_544, 470_072, 5_472),
    ] {
        let ran = program.run(&["summary", "--alpha", alpha, "--format", "json"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        let summary = ran.json();
        assert_eq!(summary["parameters"], total);
        assert_eq!(summary["trainable_parameters"], trainable);
        assert_eq!(summary["non_trainable_parameters"], fixed);
        let layers = summary["layers"].as_array().expect("layers");
        let sum = |key: &str| layers.iter().filter_map(|l| l[key].as_u64()).sum::<u64>();
        assert_eq!(summary["multiply_adds"], sum("multiply_adds"));
        assert_eq!(summary["parameters"], sum("parameters"));
    }
}

#[test]
fn summary_is_a_table_of_keras_layers() {
    let program = Program::new();
    let ran = program.run(&["summary"]);
    assert_eq!(ran.code, Some(0));
    let text = ran.text();
    for part in [
        "MobileNet V1, alpha 1.0, 224x224, 1000 classes",
        "conv_dw_13 (DepthwiseConv2D)",
        "7 x 7 x 1024",
        "4,253,864",
        "21,888",
        "568,740,352",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let shallow = program.run(&["summary", "--shallow", "--classes", "10", "--size", "160"]);
    assert!(
        shallow
            .text()
            .starts_with("shallow MobileNet V1, alpha 1.0, 160x160, 10 classes")
    );
    assert!(!shallow.text().contains("conv_dw_7"));
    program
        .run(&["summary", "--alpha", "0.01"])
        .refused(&["alpha 0.01"]);
    program
        .run(&["summary", "--size", "8"])
        .refused(&["size 8"]);
}

#[test]
fn summary_describes_a_checkpoint() {
    let program = Program::new();
    let weights = data("keras/shallow.keras");
    let summary = program
        .run(&["summary", "--json", "--weights", arg(&weights)])
        .json();
    assert_eq!(summary["alpha"], 0.1);
    assert_eq!(summary["shallow"], true);
    assert_eq!(summary["size"], 64);
    assert_eq!(summary["activation"], "relu");
    assert_eq!(summary["padding"], "symmetric");
}

#[test]
fn bench_reports_what_it_measured() {
    let program = Program::new();
    let ran = program.run(&[
        "bench",
        "--random-weights",
        "--alpha",
        "0.25",
        "--size",
        "64",
        "--num-runs",
        "3",
        "--warmup-runs",
        "1",
        "-j",
        "2",
        "-b",
        "2",
        "--format",
        "json",
        "--device",
        "cpu",
    ]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let report = ran.json();
    for (key, value) in [
        ("device", "cpu".into()),
        ("dtype", "f32".into()),
        ("alpha", 0.25.into()),
        ("size", 64.into()),
        ("batch_size", 2.into()),
        ("threads", 2.into()),
        ("runs", serde_json::Value::from(3)),
    ] {
        assert_eq!(report[key], value, "{key}");
    }
    let ms = |key: &str| report[key].as_f64().expect(key);
    assert!(
        ms("min_ms") > 0.0 && ms("min_ms") <= ms("median_ms") && ms("median_ms") <= ms("p90_ms")
    );
    assert!((ms("images_per_second") - 2e3 / ms("median_ms")).abs() < 1e-6);
    let text = program.run(&[
        "bench",
        "--random-weights",
        "--alpha",
        "0.25",
        "--size",
        "64",
        "--num-runs",
        "1",
    ]);
    assert!(text.text().contains("images per second"));
    assert!(text.text().contains("f32 does "), "{}", text.text());
}

/// Each type on the CPU is put beside what its instructions do in registers.
#[test]
fn bench_says_how_much_of_the_peak_that_is() {
    /// As Keras counts them, at alpha 1.0 and 224x224.
    const MULTIPLY_ADDS: f64 = 568_740_352.0;
    let program = Program::new();
    let fixed = [
        "bench",
        "--random-weights",
        "--num-runs",
        "2",
        "--device",
        "cpu",
    ];
    let report = program
        .run(&[&fixed[..], &["-b", "2", "--json"]].concat())
        .json();
    let doctor = program.run(&["doctor", "--json"]).json();
    let peaks = report["peaks"].as_object().expect("peaks");
    let beside = report["beside_median_ms"].as_object().expect("medians");
    assert_eq!(peaks.len(), 1 + beside.len());
    for (dtype, peak) in peaks {
        assert_eq!(peak["isa"], doctor["kernels"][dtype], "{dtype}");
        let number = |key: &str| peak[key].as_f64().expect(key);
        let median = match dtype.as_str() {
            "f32" => &report["median_ms"],
            other => &beside[other],
        };
        let gops = 2.0 * 2.0 * MULTIPLY_ADDS / median.as_f64().expect("a median") / 1e6;
        assert!((number("gops") / gops - 1.0).abs() < 1e-9, "{peak}");
        let percent = 100.0 * gops / number("peak_gops");
        assert!((number("percent") / percent - 1.0).abs() < 1e-9, "{peak}");
        // The network can't outrun it by more than a machine's moods.
        assert!(percent > 0.0 && percent < 150.0, "{dtype}: {peak}");
    }
}

#[test]
fn doctor_says_what_there_is() {
    let program = Program::new();
    let report = program.run(&["doctor", "--json"]).json();
    assert_eq!(report["devices"][0]["name"], "cpu");
    assert_eq!(report["devices"][0]["available"], true);
    assert!(report["threads"].as_u64() >= Some(1));
    assert_eq!(
        report["weights"]["cache"]["path"],
        arg(&program.path("cache"))
    );
    let text = program
        .command(&["doctor"])
        .env("HF_TOKEN", "hf_secret")
        .output();
    let text = String::from_utf8(text.expect("the program").stdout).expect("UTF-8");
    assert!(text.contains("device auto") && text.contains("HF_TOKEN"));
    assert!(!text.contains("hf_secret"));
}

/// Of each kind the fastest kernels that Linux's list of the processor's features allows, and why no
/// faster ones.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn doctor_says_which_kernels_run_and_why_no_faster_ones() {
    /// As Linux calls features, and as compilers do.
    const NAMES: [(&str, &str); 8] = [
        ("avx2", "avx2"),
        ("fma", "fma"),
        ("avx512f", "avx512f"),
        ("avx512bw", "avx512bw"),
        ("avx512vl", "avx512vl"),
        ("avx512_vnni", "avx512vnni"),
        ("avx512_bf16", "avx512bf16"),
        ("avx_vnni", "avxvnni"),
    ];
    const AVX2: &[&str] = &["avx2", "fma"];
    const WIDE: &[&str] = &["avx2", "fma", "avx512f", "avx512bw", "avx512vl"];
    type Sets = Vec<(&'static str, Vec<&'static str>)>;
    let kernels: [(&str, Sets); 3] = [
        (
            "f32",
            vec![
                ("avx512", [AVX2, &["avx512f"]].concat()),
                ("avx2", AVX2.to_vec()),
            ],
        ),
        (
            "int8",
            vec![
                ("avx512vnni", [WIDE, &["avx512vnni"]].concat()),
                ("avxvnni", [AVX2, &["avxvnni"]].concat()),
                ("avx2", AVX2.to_vec()),
            ],
        ),
        (
            "bf16",
            vec![("avx512bf16", [WIDE, &["avx512bf16"]].concat())],
        ),
    ];
    let info = std::fs::read_to_string("/proc/cpuinfo").expect("/proc/cpuinfo");
    let flags = info.lines().find(|line| line.starts_with("flags"));
    let flags: Vec<&str> = flags.expect("flags").split_whitespace().collect();
    let has = |feature: &str| {
        NAMES
            .iter()
            .any(|(linux, name)| *name == feature && flags.contains(linux))
    };

    let program = Program::new();
    let report = program.run(&["doctor", "--json"]).json();
    let text = program.run(&["doctor"]);
    for (precision, sets) in kernels {
        let taken = sets
            .iter()
            .find(|(_, needs)| needs.iter().all(|feature| has(feature)));
        let taken = taken.map(|(name, _)| *name);
        let without = (precision != "bf16").then_some("portable");
        let taken = taken.or(without);
        assert_eq!(report["kernels"][precision].as_str(), taken, "{precision}");
        let faster = sets.iter().take_while(|(name, _)| Some(*name) != taken);
        let mut reasons = Vec::new();
        let faster: Vec<_> = faster
            .map(|(name, needs)| {
                let lacks: Vec<_> = needs.iter().filter(|feature| !has(feature)).collect();
                let listed = lacks
                    .iter()
                    .map(|feature| **feature)
                    .collect::<Vec<_>>()
                    .join(", ");
                reasons.push(format!("no {listed} for {name}"));
                serde_json::json!({"isa": name, "lacks": lacks})
            })
            .collect();
        assert_eq!(
            report["kernels"]["passed_over"][precision],
            serde_json::json!(faster)
        );
        let reasons = match reasons.as_slice() {
            [] => String::new(),
            reasons => format!(" ({})", reasons.join("; ")),
        };
        let name = format!("kernels for {precision}");
        let line = text
            .text()
            .lines()
            .find(|line| line.starts_with(&name))
            .map(str::to_owned);
        let words = format!("{}{reasons}", taken.unwrap_or("none"));
        assert_eq!(
            line.as_deref(),
            Some(format!("{name:<21}  {words}").as_str())
        );
    }
}

/// The converted file gives the very same answers, from any form, and converts again to itself.
#[test]
fn convert_keeps_the_answers() {
    let program = Program::new();
    let cat = repository("samples/cat.jpg");
    let classify = |weights: &str| {
        let ran = program.run(&[
            "classify",
            "--jsonl",
            "--weights",
            weights,
            "--size",
            "65",
            arg(&cat),
        ]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    for file in [
        "tiny_tf.h5",
        "tiny_legacy.h5",
        "tiny_model.h5",
        "tiny.weights.h5",
        "tiny.keras",
    ] {
        let source = data("keras").join(file);
        let ran = program.run(&[
            "convert",
            arg(&source),
            "-o",
            "out.safetensors",
            "--size",
            "65",
        ]);
        assert_eq!(ran.code, Some(0));
        // Plain weights don't say which activation they were trained with.
        let silent = !matches!(file, "tiny.keras" | "tiny_model.h5");
        let assumed = ran.assumed.as_deref().unwrap_or_default();
        assert_eq!(
            assumed.contains("--activation relu6"),
            silent,
            "{file}: {assumed}"
        );
        assert!(ran.stdout.is_empty());
        assert!(
            classify("out.safetensors") == classify(arg(&source)),
            "{file}"
        );
        let ran = program.run(&["convert", "out.safetensors", "-o", "again.safetensors"]);
        assert_eq!(ran.code, Some(0));
        let read = |name: &str| std::fs::read(program.path(name)).expect("written");
        assert!(
            read("out.safetensors") == read("again.safetensors"),
            "{file}"
        );
    }
    let source = data("keras/tiny.keras");
    program
        .run(&[
            "convert",
            arg(&source),
            "-o",
            "no/such/folder/out.safetensors",
        ])
        .refused(&["no/such/folder/out.safetensors", "there is no folder"]);
    let cat = repository("samples/cat.jpg");
    let classify = ["classify", "--weights", arg(&source), arg(&cat)];
    program
        .run(&[&classify[..], &["-o", "no/such/labels.csv"]].concat())
        .refused(&["no/such/labels.csv", "there is no folder"]);
}

#[test]
fn completions_and_man_pages_are_printed() {
    let program = Program::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = program.run(&["completions", shell]);
        assert_eq!(ran.code, Some(0));
        assert!(ran.text().contains("mobilenet") && ran.text().contains("classify"));
    }
    assert!(program.run(&["man"]).text().starts_with(".ie"));
    let page = program.run(&["man", "classify"]);
    assert!(page.text().contains("top\\-k"));
    assert!(page.text().contains("EXIT STATUS"));
    program.run(&["man", "nothing"]).refused(&["nothing"]);
}

/// Whoever has only the program finds in it what its environment means.
#[test]
fn the_man_page_knows_every_variable_that_doctor_shows() {
    let program = Program::new();
    let mut doctor = program.command(&["doctor", "--json"]);
    let names = [
        "MOBILENET_CACHE",
        "MOBILENET_RETRIES",
        "HF_HUB_OFFLINE",
        "HF_TOKEN",
    ];
    for name in names {
        doctor.env(name, "1");
    }
    let report = crate::support::Ran::of(doctor.output().expect("the program")).json();
    let page = program.run(&["man"]);
    let mut shown = 0;
    for variable in report["environment"].as_array().expect("a list") {
        let name = variable[0].as_str().expect("a name");
        assert!(page.text().contains(&format!("\\fB{name}\\fR")), "{name}");
        shown += usize::from(names.contains(&name));
    }
    assert_eq!(shown, names.len());
}

/// As with any other output that can't be written.
#[cfg(target_os = "linux")]
#[test]
fn help_that_can_not_be_written_is_an_error() {
    use std::process::{Command, Stdio};
    for argument in ["--help", "--version"] {
        let full = std::fs::File::create("/dev/full").expect("/dev/full");
        let status = Command::new(env!("CARGO_BIN_EXE_mobilenet"))
            .arg(argument)
            .stdout(Stdio::from(full))
            .stderr(Stdio::null())
            .status();
        assert_eq!(status.expect("the program").code(), Some(2), "{argument}");
    }
}

#[test]
fn wrong_arguments_are_refused_with_code_two() {
    let program = Program::new();
    program.run(&["classify"]).refused(&["PATH"]);
    program.run(&["nonsense"]).refused(&["nonsense"]);
    let cat = repository("samples/cat.jpg");
    let advice = format!("mobilenet classify {}", arg(&cat));
    program.run(&[arg(&cat)]).refused(&[&advice]);
    program
        .run(&["classify", "--nonsense", "x.jpg"])
        .refused(&["--nonsense"]);
    program.run::<&str>(&[]).refused(&["Usage"]);
    assert_eq!(program.run(&["--version"]).code, Some(0));
    assert_eq!(program.run(&["classify", "--help"]).code, Some(0));
}

/// Whatever the output is, only its content changes: not a device, a pipe or a link.
#[cfg(unix)]
#[test]
fn convert_writes_through_links_and_to_stdout() {
    let program = Program::new();
    let source = data("keras/tiny.keras");
    let to = |output: &str| {
        let ran = program.run(&["convert", arg(&source), "-o", output]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stdout
    };
    to("plain.safetensors");
    let plain = std::fs::read(program.path("plain.safetensors")).expect("written");
    assert!(to("-") == plain);
    assert!(to("/dev/stdout") == plain);
    let target = program.file("target.safetensors", "old");
    std::os::unix::fs::symlink(&target, program.path("link")).expect("a link");
    to("link");
    assert!(program.path("link").is_symlink());
    assert!(std::fs::read(target).expect("written") == plain);
}

#[test]
fn options_that_would_be_ignored_are_refused() {
    let program = Program::new();
    let weights = data("keras/tiny.keras");
    let ran = program.run(&["summary", "--shallow", "--weights", arg(&weights)]);
    ran.refused(&["--shallow", "--weights"]);
    let ran = program.run(&["bench", "--shallow", "--weights", arg(&weights)]);
    ran.refused(&["--shallow", "--weights"]);
    let ran = program.run(&["models", "--prune", "--json"]);
    ran.refused(&["--prune", "--json"]);
    let ran = program.run(&["bench", "--random-weights", "--weights", arg(&weights)]);
    ran.refused(&["--random-weights", "--weights"]);
}

/// A width that gives the very same channels is no contradiction.
#[test]
fn alpha_is_compared_by_the_channels_that_it_gives() {
    let program = Program::new();
    let weights = data("keras/tiny.keras");
    let run = |alpha| program.run(&["summary", "--weights", arg(&weights), "--alpha", alpha]);
    assert_eq!(run("0.0502").code, Some(0));
    run("0.06").refused(&["0.05", "0.06"]);
}

#[test]
fn doctor_shows_a_wrong_setting_instead_of_failing() {
    let program = Program::new();
    let mut command = program.command(&["doctor", "--json"]);
    command.env("MOBILENET_HUB_REPO", "nonsense");
    command.env("MOBILENET_RELEASE_URL", "https://user:secret@mirror/x");
    let ran = crate::support::Ran::of(command.output().expect("the program"));
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.json()["problem"]
            .as_str()
            .is_some_and(|p| p.contains("nonsense"))
    );
    assert!(!ran.text().contains("secret"));
}

#[cfg(unix)]
#[test]
fn a_stderr_that_can_not_be_written_to_is_no_panic() {
    use std::process::{Command, Stdio};
    let full = || Stdio::from(std::fs::File::create("/dev/full").expect("/dev/full"));
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let cat = repository("samples/cat.jpg");
    let weights = data("keras/tiny.keras");
    for (input, code) in [(arg(&cat), 0), ("missing.jpg", 2)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mobilenet"));
        command.args(["classify", "--verbose", "--weights", arg(&weights), input]);
        let status = command.stdout(Stdio::null()).stderr(full()).status();
        assert_eq!(status.expect("the program").code(), Some(code));
    }
}

/// What is assumed is said as the options that say it otherwise: of classes that aren't ImageNet's without
/// being asked, and in the provenance always.
#[test]
fn what_a_checkpoint_does_not_state_is_said_once() {
    let program = Program::new();
    let cat = repository("samples/cat.jpg");
    let weights = data("keras/tiny_tf.h5");
    let run = |command: &[&str], options: &[&str]| {
        let named = ["--weights", arg(&weights), arg(&cat)];
        program.run(&[command, &named[..], options].concat())
    };
    let said = |options: &[&str]| {
        let ran = run(&["classify"], options);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.assumed
    };
    let all = "--size 224 --activation relu6 --pixels -1..1 --head softmax --crop center --filter bilinear";
    assert_eq!(said(&[]).as_deref(), Some(all));
    assert_eq!(said(&["--verbose"]).as_deref(), Some(all));
    assert_eq!(said(&["--quiet"]), None);
    let some = ["--size", "65", "--pixels", "0..1", "--crop", "squash"];
    let rest = "--activation relu6 --head softmax --filter bilinear";
    assert_eq!(said(&some).as_deref(), Some(rest));
    let others = [
        "--activation",
        "relu",
        "--head",
        "sigmoid",
        "--resampler",
        "tensorflow",
    ];
    assert_eq!(said(&[&some[..], &others].concat()), None);
    for command in [&["grep", "class"][..], &["embed"], &["explain", "--json"]] {
        let ran = run(command, &["--size", "65"]);
        assert!(ran.assumed.is_some(), "{command:?}: {}", ran.stderr);
    }
    let ran = run(&["classify", "--jsonl", "--provenance", "--quiet"], &some);
    let expected = serde_json::json!({
        "activation": "relu6", "head": "softmax", "filter": "bilinear",
    });
    assert_eq!(ran.rows()[0]["model"]["assumed"], expected);

    // A file that says all of it.
    let converted = program.path("converted.safetensors");
    let convert = ["convert", arg(&weights), "-o", arg(&converted)];
    let ran = program.run(&[&convert[..], &some].concat());
    assert_eq!(ran.assumed.as_deref(), Some(rest));
    let classify = [
        "classify",
        "--jsonl",
        "--provenance",
        "--weights",
        arg(&converted),
        arg(&cat),
    ];
    let ran = program.run(&classify);
    assert_eq!((ran.assumed.as_deref(), ran.stderr.as_str()), (None, ""));
    assert!(ran.rows()[0]["model"].get("assumed").is_none());
}

/// What is offered exists, and what is asked for beyond it is refused with what there is.
#[test]
fn only_types_that_a_device_computes_in_are_offered() {
    let program = Program::new();
    for arguments in [&["classify", "--help"][..], &["completions", "bash"]] {
        let ran = program.run(arguments);
        let text = String::from_utf8(ran.stdout).expect("UTF-8");
        assert!(text.contains("bf16") && text.contains("int8") && !text.contains("int4"));
    }
    let ran = program.run(&["classify", "--dtype", "int4", "cat.jpg"]);
    ran.refused(&["int4", "f32, int8, int8-reference, f16, bf16"]);
}

#[test]
fn the_man_page_tells_how_a_stopped_run_ends() {
    let ran = Program::new().run(&["man"]);
    let text = String::from_utf8(ran.stdout).expect("UTF-8");
    let (_, status) = text.split_once("EXIT STATUS").expect("a section");
    for code in ["130", "143", "SIGINT", "SIGTERM"] {
        assert!(status.contains(code), "{code}");
    }
}
