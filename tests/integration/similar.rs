//! `mobilenet similar`: neighbours and groups as scikit-learn and SciPy find them.

use std::collections::BTreeMap;

use mobilenet::pixels::{DecodeOptions, RgbImage};
use mobilenet::similarity::{Collection, Group, Nearest, cosine, normalise};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Program, Ran, arg, data, image, repository, shared, tensors, values};

const TINY: &str = "keras/tiny.keras";

fn run(program: &Program, more: &[&str]) -> Ran {
    let weights = data(TINY);
    let fixed = ["similar", "--weights", arg(&weights), "--crop", "squash"];
    program.run(&[&fixed, more].concat())
}

/// What scikit-learn and SciPy find in `album.safetensors`.
fn expected() -> Value {
    let json = std::fs::read(data("embeddings/similar.json")).expect("a fixture");
    serde_json::from_slice(&json).expect("JSON")
}

/// The path of a row of `album.safetensors`.
fn path(row: &Value) -> String {
    format!("album/{:02}.png", row.as_u64().expect("a row"))
}

/// The golden inputs `a` and `b` of the tiny network as PNGs.
fn pictures(program: &Program) {
    let golden = tensors(data("keras/tiny.golden.safetensors"));
    for name in ["a", "b"] {
        let picture = image(&golden[&format!("{name}.input")]);
        picture
            .save(program.path(&format!("{name}.png")))
            .expect("saved");
    }
}

fn near(got: &Value, want: &Value) -> bool {
    let number = |value: &Value| value.as_f64().expect("a number");
    (number(got) - number(want)).abs() < 1e-5
}

/// The order of scikit-learn's similarities, equal ones in the order of the rows.
#[test]
fn the_nearest_are_those_of_scikit_learn() {
    let program = Program::new();
    pictures(&program);
    let album = data("embeddings/album.safetensors");
    let want = expected()["nearest"].as_array().expect("a list").clone();
    assert_eq!(want.len(), 59);
    for k in [0, 1, 4, 10, 59, 1000] {
        let ran = run(
            &program,
            &["--jsonl", "-k", &k.to_string(), "a.png", arg(&album)],
        );
        // One of the album failed when it was embedded.
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("left out: 1"), "{}", ran.stderr);
        let rows = ran.rows();
        assert_eq!(rows.len(), k.min(59));
        for (row, want) in rows.iter().zip(&want) {
            assert_eq!(row["path"], path(&want[0]));
            assert!(near(&row["similarity"], &want[1]), "{row}, not {want}");
        }
    }
    let count = |threshold: &str| {
        let arguments = [
            "--jsonl",
            "--threshold",
            threshold,
            "-k",
            "99",
            "a.png",
            arg(&album),
        ];
        run(&program, &arguments).rows().len()
    };
    let at_least = |c: f64| want.iter().filter(|w| w[1].as_f64() >= Some(c)).count();
    assert_eq!((count("0.9"), count("0.5")), (at_least(0.9), at_least(0.5)));
    assert!(at_least(0.9) == 8 && at_least(0.5) < 59);
    run(&program, &["--threshold", "1.1", "a.png", arg(&album)]).refused(&["from 0 to 1"]);
}

#[test]
fn groups_are_those_of_scipy() {
    let program = Program::new();
    let album = data("embeddings/album.safetensors");
    let expected = expected();
    let thresholds = expected["groups"].as_object().expect("thresholds");
    assert_eq!(thresholds.len(), 5);
    for (threshold, want) in thresholds {
        // No network is needed where all is embedded.
        let arguments = [
            "similar",
            "--groups",
            "--jsonl",
            "--threshold",
            threshold,
            arg(&album),
        ];
        let ran = program.run(&arguments);
        assert_eq!(ran.code, Some(2));
        let want = want.as_array().expect("groups");
        let rows = ran.rows();
        assert_eq!(rows.len(), want.len(), "{threshold}");
        for (row, want) in rows.iter().zip(want) {
            let paths = want[0].as_array().expect("members").iter();
            let paths: Vec<Value> = paths.map(|p| path(p).into()).collect();
            let found = row["pictures"].as_array().expect("pictures").iter();
            assert_eq!(found.map(|p| p["path"].clone()).collect::<Vec<_>>(), paths);
            assert!(
                near(&row["lowest"], &want[1]) && near(&row["highest"], &want[2]),
                "{row}"
            );
        }
    }
}

#[test]
fn a_file_counts_once_and_the_query_not_at_all() {
    let program = Program::new();
    pictures(&program);
    std::fs::create_dir(program.path("album")).expect("a folder");
    for name in ["album/1.png", "album/2.png"] {
        std::fs::copy(program.path("a.png"), program.path(name)).expect("copied");
    }
    std::fs::copy(program.path("b.png"), program.path("album/b.png")).expect("copied");
    std::fs::hard_link(program.path("album/2.png"), program.path("album/3.png")).expect("linked");
    let paths = |ran: &Ran| -> Vec<String> {
        let paths = ran
            .rows()
            .into_iter()
            .map(|row| row["path"].as_str().map(str::to_owned));
        paths.map(|path| path.expect("a path")).collect()
    };
    let ran = run(
        &program,
        &["--jsonl", "a.png", "album", "./album/1.png", "a.png"],
    );
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(paths(&ran), ["album/1.png", "album/2.png", "album/b.png"]);
    assert_eq!(ran.rows()[0]["similarity"], json!(1.0));
    let ran = run(&program, &["--jsonl", "album/3.png", "album", "a.png"]);
    assert_eq!(paths(&ran), ["album/1.png", "a.png", "album/b.png"]);

    // Who deletes all but one of a group must not lose the picture.
    let groups = |more: &[&str]| {
        run(
            &program,
            &[&["--groups", "--threshold", "1"], more].concat(),
        )
    };
    assert_eq!(groups(&["a.png", "./a.png"]).text(), "");
    let ran = groups(&["-0", "album", "album/../a.png", "album/1.png"]);
    assert_eq!(ran.text(), "album/1.png\0album/2.png\0album/../a.png\0");
}

#[test]
fn every_format_says_the_same() {
    let program = Program::new();
    pictures(&program);
    for (from, to) in [("a", "c\n,.png"), ("b", "d.png"), ("b", "e.png")] {
        let from = program.path(&format!("{from}.png"));
        std::fs::copy(from, program.path(to)).expect("copied");
    }
    let rest = ["a.png", "b.png", "c\n,.png", "d.png"];
    let run = |more: &[&str]| {
        let ran = run(&program, &[more, &rest].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.text().to_owned()
    };
    let lines = run(&["--jsonl"]);
    let rows: Vec<Value> = lines
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    assert_eq!(rows[0], json!({"path": "c\n,.png", "similarity": 1.0}));
    let s = rows[1]["similarity"].as_f64().expect("a number") as f32;
    let array: Vec<Value> = serde_json::from_str(&run(&["--json"])).expect("JSON");
    assert_eq!(array, rows);
    let table = format!("path,rank,similarity\n\"c\n,.png\",1,1\nb.png,2,{s}\nd.png,3,{s}\n");
    assert_eq!(run(&["--format", "csv"]), table);
    assert_eq!(
        run(&[]),
        format!("1.0000  c\n,.png\n{s:.4}  b.png\n{s:.4}  d.png\n")
    );
    assert_eq!(run(&["-0"]), "c\n,.png\0b.png\0d.png\0");
    assert_eq!(run(&["--json", "-k", "0"]), "[]\n");

    let groups = |more: &[&str]| run(&[&["--groups", "--threshold", "0.99"], more].concat());
    assert_eq!(groups(&["-0"]), "a.png\0c\n,.png\0b.png\0d.png\0");
    let rows: Value = serde_json::from_str(&groups(&["--json"])).expect("JSON");
    let bytes = |name: &str| std::fs::metadata(program.path(name)).expect("a file").len();
    let (wide, high) = image::image_dimensions(program.path("a.png")).expect("a size");
    let (wider, higher) = image::image_dimensions(program.path("b.png")).expect("a size");
    let picture = |name: &str, (width, height): (u32, u32), keep: bool| json!({"path": name, "width": width, "height": height, "bytes": bytes(name), "keep": keep});
    let group = |a: &str, b: &str, size: (u32, u32)| json!({"pictures": [picture(a, size, true), picture(b, size, false)], "lowest": 1.0, "highest": 1.0, "chain": false});
    let expected = json!([
        group("a.png", "c\n,.png", (wide, high)),
        group("b.png", "d.png", (wider, higher))
    ]);
    assert_eq!(rows, expected);
    let (a, b) = (bytes("a.png"), bytes("b.png"));
    let heading = "2 pictures, alike from 1.0000 to 1.0000\n";
    let text = format!(
        "{heading}  keep    {wide}x{high}  {a} bytes  a.png\n  extra   {wide}x{high}  {a} bytes  c\n,.png\n\n{heading}  keep    {wider}x{higher}  {b} bytes  b.png\n  extra   {wider}x{higher}  {b} bytes  d.png\n"
    );
    assert_eq!(groups(&[]), text);
    let tsv = format!(
        "path\tgroup\tlowest\thighest\twidth\theight\tbytes\tkeep\na.png\t1\t1\t1\t{wide}\t{high}\t{a}\ttrue\n\"c\n,.png\"\t1\t1\t1\t{wide}\t{high}\t{a}\tfalse\nb.png\t2\t1\t1\t{wider}\t{higher}\t{b}\ttrue\nd.png\t2\t1\t1\t{wider}\t{higher}\t{b}\tfalse\n"
    );
    assert_eq!(groups(&["--format", "tsv"]), tsv);
    let all = run(&["--groups", "--threshold", "0", "--jsonl"]);
    assert_eq!(all.lines().count(), 1);
}

#[test]
fn what_is_embedded_already_is_not_read_again() {
    let program = Program::new();
    pictures(&program);
    std::fs::create_dir(program.path("album")).expect("a folder");
    let sample = |name: &str| repository("samples").join(name);
    for name in ["cat.jpg", "coffee.jpg", "rocket.jpg"] {
        std::fs::copy(sample(name), program.path("album").join(name)).expect("copied");
    }
    let weights = data(TINY);
    for more in [&[][..], &["--normalize"]] {
        let fixed = [
            "embed",
            "--weights",
            arg(&weights),
            "--crop",
            "squash",
            "album",
        ];
        let written = program.run(&[&fixed[..], &["-o", "album.safetensors"], more].concat());
        assert_eq!(written.code, Some(0), "{written:?}");
        let read = run(&program, &["--json", "a.png", "album", "b.png"]);
        let embedded = run(&program, &["--json", "a.png", "b.png", "album.safetensors"]);
        assert_eq!(read.code, Some(0));
        let (read, embedded) = (read.json(), embedded.json());
        let rows = read
            .as_array()
            .expect("rows")
            .iter()
            .zip(embedded.as_array().expect("rows"));
        for (a, b) in rows {
            assert_eq!(a["path"], b["path"]);
            assert!(near(&a["similarity"], &b["similarity"]));
        }
    }
    // Nothing is new, of which there is nothing to say.
    let ran = run(&program, &["--groups", "album", "album.safetensors"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    // The pictures of the file are those of the folder; what is new there is read.
    std::fs::copy(sample("cat.jpg"), program.path("album/new.jpg")).expect("copied");
    std::fs::write(program.path("album/coffee.jpg"), "not read").expect("written");
    let ran = run(&program, &["--groups", "-0", "album", "album.safetensors"]);
    assert_eq!(
        (ran.code, ran.text()),
        (Some(0), "album/cat.jpg\0album/new.jpg\0")
    );
}

#[test]
fn embeddings_of_another_network_are_refused() {
    let program = Program::new();
    pictures(&program);
    let embed = |weights: &str, output: &str, more: &[&str]| {
        let weights = data(weights);
        let fixed = ["embed", "--weights", arg(&weights), "-o", output, "b.png"];
        let ran = program.run(&[&fixed, more].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
    };
    let similar = |more: &[&str]| run(&program, &[more, &["--quiet"]].concat());
    embed(
        "keras/tiny_tf.h5",
        "other.safetensors",
        &["--size", "65", "--crop", "squash"],
    );
    similar(&["a.png", "other.safetensors"]).refused(&["other.safetensors", "other weights"]);
    embed(TINY, "center.safetensors", &["--crop", "center"]);
    similar(&["a.png", "center.safetensors"]).refused(&["center.safetensors", "another way"]);
    similar(&["--groups", "center.safetensors", "other.safetensors"]).refused(&["other"]);
}

#[test]
fn what_is_no_file_of_embeddings_is_refused() {
    let program = Program::new();
    pictures(&program);
    let save = |name: &str, width: usize, rows: usize, metadata: &[(&str, &str)]| {
        let bytes: Vec<u8> = values(width * rows, 3)
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect();
        let shape = vec![rows, width];
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &bytes);
        let metadata = metadata
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let view = [("embeddings", view.expect("a view"))];
        let bytes = safetensors::serialize(view, Some(metadata)).expect("safetensors");
        program.file(name, bytes);
    };
    save("narrow.safetensors", 4, 2, &[("paths", r#"["1", "2"]"#)]);
    save("few.safetensors", 51, 3, &[("paths", r#"["1", "2"]"#)]);
    save("none.safetensors", 51, 1, &[("other", "1")]);
    save("odd.safetensors", 51, 1, &[("paths", "one")]);
    save("null.safetensors", 51, 1, &[("paths", "[null]")]);
    program.file("text.safetensors", "no embeddings");
    program.file("empty.safetensors", "");
    for (name, parts) in [
        ("narrow.safetensors", &["4 values, not 51"]),
        ("few.safetensors", &["2 paths for 3 embeddings"]),
        ("none.safetensors", &["no paths"]),
        ("odd.safetensors", &["paths is not understood"]),
        ("null.safetensors", &["row 0 has no path"]),
        ("text.safetensors", &["mobilenet embed"]),
        ("empty.safetensors", &["mobilenet embed"]),
        ("absent.safetensors", &["absent.safetensors"]),
        ("values.npy", &["no room for paths"]),
    ] {
        run(&program, &["a.png", name]).refused(&[&[name][..], parts].concat());
    }
}

#[test]
fn failures_are_told_and_the_others_go_on() {
    let program = Program::new();
    pictures(&program);
    std::fs::copy(program.path("a.png"), program.path("c.png")).expect("copied");
    let broken = program.file("broken.png", "no picture");
    let ran = run(
        &program,
        &["-0", "a.png", arg(&broken), "b.png", "missing.png", "c.png"],
    );
    assert_eq!((ran.code, ran.text()), (Some(2), "c.png\0b.png\0"));
    assert!(
        ran.stderr.contains("missing.png: no such file"),
        "{}",
        ran.stderr
    );
    let ran = run(
        &program,
        &["--groups", "-0", "a.png", arg(&broken), "c.png"],
    );
    assert_eq!((ran.code, ran.text()), (Some(2), "a.png\0c.png\0"));

    run(&program, &["missing.png", "a.png"]).refused(&["missing.png: no such file"]);
    run(&program, &[arg(&broken), "a.png"]).refused(&["broken.png"]);
    run(&program, &["a.png"]).refused(&["nothing to search"]);
    run(&program, &["."]).refused(&["a folder"]);
    run(&program, &[".", "a.png"]).refused(&["a folder"]);
    run(&program, &["-", "-"]).refused(&["stdin"]);
    run(&program, &["-", "--files-from", "-"]).refused(&["stdin"]);
    run(&program, &["--groups", "-k", "3", "a.png"]).refused(&["--top-k"]);
    run(&program, &["-0", "--json", "a.png", "b.png"]).refused(&["-0"]);

    std::fs::create_dir(program.path("empty")).expect("a folder");
    for (more, text) in [(&["a.png", "empty"], ""), (&["--groups", "empty"], "")] {
        let ran = run(&program, more);
        assert_eq!((ran.code, ran.text()), (Some(0), text));
        assert!(ran.stderr.contains("no pictures found"), "{}", ran.stderr);
    }
}

#[test]
fn the_query_may_come_on_stdin() {
    let program = Program::new();
    pictures(&program);
    let weights = data(TINY);
    let arguments = [
        "similar",
        "--weights",
        arg(&weights),
        "--crop",
        "squash",
        "-0",
        "-",
        "b.png",
        "a.png",
    ];
    let bytes = std::fs::read(program.path("a.png")).expect("a picture");
    let output = program.command(&arguments).write_stdin(bytes).output();
    let ran = Ran::of(output.expect("the program"));
    assert_eq!((ran.code, ran.text()), (Some(0), "a.png\0b.png\0"));
}

/// Neither threads nor batch.
#[test]
fn answers_do_not_depend_on_how_they_are_computed() {
    let program = Program::new();
    let samples = repository("samples");
    let cat = samples.join("cat.jpg");
    let weights = data(TINY);
    for what in [&["--groups", "--threshold", "0.5"][..], &[arg(&cat)]] {
        let run = |more: &[&str]| {
            let fixed = ["similar", "--jsonl", "--weights", arg(&weights)];
            let ran = program.run(&[&fixed, more, what, &[arg(&samples)]].concat());
            assert_eq!(ran.code, Some(0), "{ran:?}");
            ran.stdout
        };
        let one = run(&["-j", "1"]);
        assert!(!one.is_empty());
        assert!(run(&["-j", "3"]) == one && run(&["-b", "4"]) == one);
    }
}

/// Copies of photographs, of half the size, recompressed and cropped a little: each with its
/// own, at the threshold that is the default.
#[test]
fn copies_of_a_photograph_are_a_group_of_their_own() {
    let (Some(weights), Some(photographs)) = (
        shared("pretrained/keras/mobilenet_2_5_224_tf.h5"),
        shared("images"),
    ) else {
        return;
    };
    let program = Program::new();
    std::fs::create_dir(program.path("album")).expect("a folder");
    let mut count = 0;
    for folder in [photographs, repository("samples")] {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let Ok(picture) = mobilenet::pixels::open(&path, &DecodeOptions::default()) else {
                continue;
            };
            count += 1;
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name");
            let to = |copy: &str| program.path(&format!("album/{name}+{copy}"));
            let (width, height) = picture.dimensions();
            let half = image::imageops::resize(
                &picture,
                width / 2,
                height / 2,
                image::imageops::FilterType::Lanczos3,
            );
            half.save(to("half.png")).expect("saved");
            let (x, y) = (width / 25, height / 25);
            let cropped = image::imageops::crop_imm(&picture, x, y, width - 2 * x, height - 2 * y);
            cropped.to_image().save(to("cropped.png")).expect("saved");
            std::fs::write(to("jpeg50.jpg"), jpeg(&picture, 50.0)).expect("saved");
            std::fs::copy(&path, to("original")).expect("copied");
        }
    }
    assert_eq!(count, 14);
    let ran = program.run(&[
        "similar",
        "--groups",
        "--jsonl",
        "--weights",
        arg(&weights),
        "album",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut found = BTreeMap::new();
    for group in ran.rows() {
        let paths = group["pictures"].as_array().expect("pictures").iter();
        let names = paths.filter_map(|p| p["path"].as_str()?.split('+').next());
        let names: Vec<_> = names.map(str::to_owned).collect();
        assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
        found.insert(names[0].clone(), names.len());
    }
    assert_eq!(found.len(), 14, "{found:?}");
    assert!(found.values().all(|&copies| copies == 4), "{found:?}");
}

fn jpeg(picture: &RgbImage, quality: f32) -> Vec<u8> {
    let mut compress = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
    compress.set_size(picture.width() as usize, picture.height() as usize);
    compress.set_quality(quality);
    let mut compress = compress.start_compress(Vec::new()).expect("a start");
    compress.write_scanlines(picture).expect("written");
    compress.finish().expect("a JPEG")
}

/// What the definition says, pair by pair.
fn naive_groups(vectors: &[Vec<f32>], least: f32) -> Vec<Group> {
    let mut left: Vec<usize> = (0..vectors.len()).collect();
    let mut groups = Vec::new();
    while !left.is_empty() {
        let mut members = vec![left.remove(0)];
        let mut next = 0;
        while next < members.len() {
            let from = &vectors[members[next]];
            let (linked, others) = left
                .iter()
                .partition(|&&i| cosine(from, &vectors[i]) >= least);
            members.extend::<Vec<usize>>(linked);
            left = others;
            next += 1;
        }
        members.sort_unstable();
        let pairs = members
            .iter()
            .flat_map(|&i| members.iter().map(move |&j| (i, j)));
        let pairs: Vec<f32> = pairs
            .filter(|(i, j)| i < j)
            .map(|(i, j)| cosine(&vectors[i], &vectors[j]))
            .collect();
        if members.len() > 1 {
            groups.push(Group {
                members,
                lowest: pairs.iter().copied().fold(1.0, f32::min),
                highest: pairs.iter().copied().fold(-1.0, f32::max),
            });
        }
    }
    groups
}

fn assert_same_groups(vectors: &[Vec<f32>], least: f32) {
    let mut collection = Collection::new(vectors[0].len());
    for vector in vectors {
        collection.push(vector).expect("a vector");
    }
    let got = collection
        .groups(least, |_| true)
        .expect("groups")
        .expect("an end");
    let want = naive_groups(vectors, least);
    let members = |groups: &[Group]| groups.iter().map(|g| g.members.clone()).collect::<Vec<_>>();
    assert_eq!(members(&got), members(&want));
    for (got, want) in got.iter().zip(&want) {
        let off = (got.lowest - want.lowest)
            .abs()
            .max((got.highest - want.highest).abs());
        assert!(off < 1e-6, "{got:?}, not {want:?}");
    }
}

/// Vectors around a few centres, some of them twice, some of zeros.
fn vectors() -> impl Strategy<Value = Vec<Vec<f32>>> {
    (1usize..40, 1usize..70, 0u64..1000).prop_map(|(width, count, seed)| {
        let centres = values(5 * width, seed);
        let noise = values(count * width, seed + 1);
        let vector = |i: usize| {
            let centre = &centres[(i * 7 % 5) * width..][..width];
            let share = (i % 4) as f32 * 0.3;
            let noise = &noise[i / 2 * width..][..width];
            let vector = centre.iter().zip(noise).map(|(c, n)| c + share * n);
            vector.map(|v| if i % 13 == 12 { 0.0 } else { v }).collect()
        };
        (0..count).map(vector).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn groups_are_those_of_the_definition(vectors in vectors(), least in 0.0f32..=1.0) {
        assert_same_groups(&vectors, least);
        assert_same_groups(&vectors, 1.0);
    }

    #[test]
    fn the_nearest_are_those_of_sorting_all(
        vectors in vectors(),
        most in 0usize..80,
        least in 0.0f32..=1.0,
    ) {
        let query = vectors[0].clone();
        let mut nearest = Nearest::new(query.clone(), most, least);
        for (i, vector) in vectors.iter().enumerate() {
            nearest.offer(vector, || i);
        }
        let mut all: Vec<(f32, usize)> =
            vectors.iter().enumerate().map(|(i, v)| (cosine(&query, v), i)).collect();
        all.retain(|(similarity, _)| *similarity >= least);
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        all.truncate(most);
        prop_assert_eq!(nearest.found(), all);
    }
}

/// More than a block of rows, and of columns.
#[test]
fn groups_span_blocks() {
    let narrow = |count: usize, groups: usize| -> Vec<Vec<f32>> {
        let centres = values(groups * 6, 5);
        let noise = values(count * 6, 6);
        let vector = |i: usize| {
            let centre = centres[i % groups * 6..][..6].iter();
            centre
                .zip(&noise[i * 6..])
                .map(|(c, n)| c + 0.02 * n)
                .collect()
        };
        (0..count).map(vector).collect()
    };
    assert_same_groups(&narrow(1100, 90), 0.999);
    assert_same_groups(&narrow(1025, 1), 0.9);
    assert_same_groups(&narrow(4700, 2300), 0.9999);
}

#[test]
fn work_that_is_to_end_ends() {
    let mut collection = Collection::new(2);
    for i in 0..2000 {
        collection.push(&[1.0, i as f32]).expect("a vector");
    }
    assert_eq!(collection.len(), 2000);
    assert!(collection.push(&[1.0]).is_err());
    let mut shares = Vec::new();
    let ended = collection.clone().groups(0.5, |share| {
        shares.push(share);
        share < 0.5
    });
    assert_eq!(ended.expect("no failure"), None);
    assert!(shares.is_sorted() && shares[0] == 0.0, "{shares:?}");
    let none = Collection::new(2).groups(0.5, |_| true).expect("groups");
    assert_eq!(none, Some(Vec::new()));
}

#[test]
fn lengths_do_not_matter_to_directions() {
    assert_eq!(cosine(&[3.0, 4.0], &[30.0, 40.0]), 1.0);
    assert_eq!(cosine(&[3.0, 4.0], &[-4.0, 3.0]), 0.0);
    assert_eq!(cosine(&[1.0, 0.0], &[-2.0, 0.0]), -1.0);
    assert_eq!(cosine(&[0.0, 0.0], &[0.0, 0.0]), 0.0);
    assert_eq!(cosine(&[f32::MAX, f32::MAX], &[f32::MAX, f32::MAX]), 1.0);
    assert_eq!(cosine(&[1e-45, 1e-45], &[f32::MAX, f32::MAX]), 1.0);
    for (mut vector, want) in [
        (vec![3.0, 4.0], vec![0.6, 0.8]),
        (vec![0.0, 0.0], vec![0.0, 0.0]),
        (vec![0.0, f32::MAX], vec![0.0, 1.0]),
    ] {
        normalise(&mut vector);
        assert_eq!(vector, want);
    }
}

/// The same file of embeddings with another text in its header.
fn with_header(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().expect("8 bytes")) as usize;
    let (header, values) = rest.split_at(length);
    let header = std::str::from_utf8(header).expect("UTF-8");
    assert!(header.contains(from), "{header}");
    let header = header.replace(from, to);
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), values].concat()
}

#[test]
fn what_a_file_of_embeddings_lacks_is_said() {
    let program = Program::new();
    let album = std::fs::read(data("embeddings/album.safetensors")).expect("a fixture");
    let version = r#""mobilenet_embeddings":"1""#;
    let stopped = format!(r#""complete":"false",{version}"#);
    let stopped = with_header(&album, version, &stopped);
    std::fs::write(program.path("stopped.safetensors"), stopped).expect("written");
    let newer = with_header(&album, version, r#""mobilenet_embeddings":"2""#);
    std::fs::write(program.path("newer.safetensors"), newer).expect("written");
    let ran = run(&program, &["--groups", "stopped.safetensors"]);
    assert!(ran.stderr.contains("was stopped"), "{}", ran.stderr);
    let whole = data("embeddings/album.safetensors");
    assert_eq!(ran.text(), run(&program, &["--groups", arg(&whole)]).text());
    run(&program, &["--groups", "newer.safetensors"]).refused(&["a newer version"]);
}

#[test]
fn many_more_than_are_asked_for_can_be_offered() {
    // In no order, and each angle three times.
    let angle = |i: usize| (i * 7919 % 2003) as f32 / 2003.0;
    let vector = |i: usize| [angle(i).cos(), angle(i).sin()];
    let mut all: Vec<(f32, usize)> = (0..3 * 2003)
        .map(|i| (cosine(&[1.0, 0.0], &vector(i)), i))
        .collect();
    all.sort_by(|(a, i), (b, j)| b.total_cmp(a).then(i.cmp(j)));
    for most in [1, 5, 600, 1024, 5000, 6009, 9999] {
        let mut nearest = Nearest::new(vec![1.0, 0.0], most, 0.0);
        (0..all.len()).for_each(|i| nearest.offer(&vector(i), || i));
        assert!(nearest.found() == all[..most.min(all.len())], "{most}");
    }
}
