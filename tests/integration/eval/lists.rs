//! Lists as others write them.

use std::fs;
use std::path::Path;

use super::{album, checkpoint, report, run};
use crate::support::Program;

/// Its pictures are those of the folders, whatever form says so.
#[test]
fn lists_of_many_forms_are_as_good_as_folders() {
    let program = Program::new();
    let weights = checkpoint(&program, Some(0.4));
    let pictures = album(&program, 70);
    let expected = report(&program, &weights, &["album"]);
    let label = |class: &Option<usize>| match class {
        None => "unknown".to_owned(),
        Some(2) => "DOG".to_owned(),
        Some(class) => class.to_string(),
    };
    let rows = |header: &str, separator: &str, end: &str, from: &str, ending: &str| -> String {
        let row = |(path, class): &(String, Option<usize>)| {
            let path = path.strip_prefix(from).expect("a path");
            let path = path.strip_suffix(ending).expect("an ending");
            // Some have a comma.
            let path = if separator == "," {
                format!("\"{path}\"")
            } else {
                path.to_owned()
            };
            format!("{path}{separator}{}{end}", label(class))
        };
        header.to_owned() + &pictures.iter().map(row).collect::<String>()
    };
    let ending = Path::new(&pictures[0].0).extension().expect("an ending");
    let ending = format!(".{}", ending.to_str().expect("UTF-8"));
    // Kaggle's, beside the folder of its pictures.
    program.file(
        "labels.csv",
        rows("id,breed\n", ",", "\n", "album/", &ending),
    );
    program.file("german.csv", rows("path;label\r\n", ";", "\r\n", "", ""));
    program.file("bare.csv", rows("", ";", "\n", "", ""));
    for arguments in [
        &["--list", "labels.csv", "album"][..],
        &["--list", "german.csv"],
        &["--list", "bare.csv"],
    ] {
        assert_eq!(
            report(&program, &weights, arguments),
            expected,
            "{arguments:?}"
        );
    }
    // Paths alone: of the folders that are called after a class.
    let is_named = |path: &str| {
        let folder = Path::new(path).parent().and_then(Path::to_str);
        ["album/Cat", "album/dog", "album/snow_owl"]
            .map(Some)
            .contains(&folder)
    };
    let paths: Vec<&str> = pictures
        .iter()
        .map(|(path, _)| path.as_str())
        .filter(|path| is_named(path))
        .collect();
    assert!(paths.len() > 10);
    program.file("paths.txt", paths.join("\n"));
    let labelled: Vec<String> = pictures
        .iter()
        .filter(|(path, _)| is_named(path))
        .map(|(path, class)| format!("{path},{}", label(class)))
        .collect();
    program.file("labelled.csv", labelled.join("\n"));
    let of = |list: &str| report(&program, &weights, &["--list", list]);
    assert_eq!(of("paths.txt"), of("labelled.csv"));
    // Where its paths start is said once, where the first is not there.
    fs::create_dir(program.path("lists")).expect("a folder");
    fs::rename(program.path("labels.csv"), program.path("lists/labels.csv")).expect("moved");
    let ran = run(
        &program,
        &weights,
        &["--list", "lists/labels.csv", "--json"],
    );
    assert_eq!(ran.code, Some(2));
    let said = "the list's relative paths start from lists, and with `mobilenet eval --list lists/labels.csv DIR` from DIR";
    assert_eq!(ran.stderr.matches(said).count(), 1, "{}", ran.stderr);
}

/// ImageNet's, by its WordNet ids.
#[test]
fn imagenets_lists_name_its_validation_pictures() {
    let program = Program::new();
    let weights = super::imagenet(&program);
    fs::create_dir(program.path("val")).expect("a folder");
    let names: Vec<String> = (1..=3).map(|n| format!("ILSVRC2012_val_{n:08}")).collect();
    for (number, name) in names.iter().enumerate() {
        program.file(&format!("val/{name}.JPEG"), super::picture(number as u32));
    }
    let ids = ["n02100735", "n01440764", "n02100735"];
    let plain: String = names
        .iter()
        .zip(ids)
        .map(|(name, id)| format!("{name}.JPEG,{id}\n"))
        .collect();
    program.file("plain.csv", plain);
    let expected = report(&program, &weights, &["--list", "plain.csv", "val"]);
    let boxes = |id: &str| format!("{id} 1 2 3 4 {id} 5 6 7 8 ");
    let kaggle: String = names
        .iter()
        .zip(ids)
        .map(|(name, id)| format!("{name},{}\n", boxes(id)))
        .collect();
    program.file(
        "LOC_val_solution.csv",
        format!("ImageId,PredictionString\n{kaggle}"),
    );
    program.file("ILSVRC2012_validation_ground_truth.txt", "2\n449\n2\n");
    let of = |list: &str| report(&program, &weights, &["--list", list, "val"]);
    assert_eq!(of("LOC_val_solution.csv"), expected);
    let truth = ["--list", "ILSVRC2012_validation_ground_truth.txt", "val"];
    run(&program, &weights, &truth).refused(&["map_clsloc.txt has to lie beside"]);
    program.file(
        "map_clsloc.txt",
        "n02119789 1 kit_fox\nn02100735 2 English_setter\nn01440764 449 tench\n",
    );
    assert_eq!(of("ILSVRC2012_validation_ground_truth.txt"), expected);
    program.file(
        "LOC_val_solution.csv",
        "ImageId,PredictionString\na,n1 1 2 3 4 n2 1 2 3 4\n",
    );
    run(
        &program,
        &weights,
        &["--list", "LOC_val_solution.csv", "val"],
    )
    .refused(&["line 2: one class is wanted"]);
}
