//! Pictures of numbers. `FIGURES=FOLDER cargo test --release --test integration figures` leaves
//! them there to be looked at.

use std::path::PathBuf;

use mobilenet::figures::{Curve, Panel, colour, confusion_matrix, curves};
use mobilenet::labels::Labels;
use mobilenet::pixels::RgbImage;
use proptest::prelude::*;

const WHITE: [u8; 3] = [255; 3];

/// Checks what is true of every figure, and leaves it to be looked at.
fn look(name: &str, figure: &RgbImage) {
    let (width, height) = figure.dimensions();
    assert!((60..=3000).contains(&width), "{name}: {width}x{height}");
    assert!((50..=3000).contains(&height), "{name}: {width}x{height}");
    assert!(edge_is_white(figure), "{name}: something runs out of it");
    if let Some(folder) = std::env::var_os("FIGURES") {
        let folder = PathBuf::from(folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join(name).with_extension("png");
        figure.save(path).expect("written");
    }
}

fn edge_is_white(figure: &RgbImage) -> bool {
    let (width, height) = figure.dimensions();
    let at_edge = |x, y| x == 0 || y == 0 || x + 1 == width || y + 1 == height;
    let mut pixels = figure.enumerate_pixels();
    pixels.all(|(x, y, pixel)| !at_edge(x, y) || pixel.0 == WHITE)
}

fn count(figure: &RgbImage, colour: [u8; 3]) -> usize {
    figure.pixels().filter(|pixel| pixel.0 == colour).count()
}

fn curve(name: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Curve {
    Curve {
        name: name.into(),
        points: points.into_iter().collect(),
    }
}

fn panel(title: &str, curves: Vec<Curve>) -> Panel {
    Panel {
        title: title.into(),
        x_label: "epoch".into(),
        curves,
    }
}

/// What a training of so many epochs looks like.
fn training(epochs: u32) -> Vec<Panel> {
    let noise = |i: u32| f64::from(i.wrapping_mul(2_654_435_761) >> 16) / 65536.0 - 0.5;
    let along = |f: &dyn Fn(f64, f64) -> f64, salt: u32| -> Vec<(f64, f64)> {
        let point = |i: u32| {
            let epoch = f64::from(i);
            (epoch, f(epoch, noise(i * 2 + salt)))
        };
        (1..=epochs).map(point).collect()
    };
    let learned = |epoch: f64| 1.0 - (-epoch / 12.0).exp();
    vec![
        panel(
            "Loss",
            vec![
                curve(
                    "training",
                    along(&|e, n| 2.3 - 2.1 * learned(e) + n * 0.05, 1),
                ),
                curve(
                    "validation",
                    along(&|e, n| 2.3 - 1.7 * learned(e) + n * 0.2, 7),
                ),
            ],
        ),
        panel(
            "Accuracy",
            vec![
                curve(
                    "training",
                    along(&|e, n| 0.1 + 0.88 * learned(e) + n * 0.01, 3),
                ),
                curve(
                    "validation",
                    along(&|e, n| 0.1 + 0.8 * learned(e) + n * 0.04, 5),
                ),
            ],
        ),
    ]
}

fn imagenet(n: usize) -> Vec<String> {
    let labels = Labels::imagenet();
    let longest = labels.classes().iter().map(|class| class.label.clone());
    let mut names: Vec<String> = longest.collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names.truncate(n);
    names
}

/// A classifier's counts, right for `right` in a hundred.
fn mistakes(rows: usize, columns: usize, pictures: u64, right: u64) -> Vec<Vec<u64>> {
    let cell = |row: usize, column: usize| match row == column {
        true => pictures * right / 100,
        false => {
            let near = row.abs_diff(column) < 4;
            let seed = (row * 7919 + column * 104_729) % 13;
            let most = pictures * (100 - right) / 100;
            if near {
                most * seed as u64 / 60
            } else {
                u64::from(seed == 0) * most / 40
            }
        }
    };
    let row = |row| (0..columns).map(|column| cell(row, column)).collect();
    (0..rows).map(row).collect()
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn curves_of_few_and_many_epochs() {
    for epochs in [1, 2, 5, 100, 300] {
        let figure = curves(&training(epochs));
        look(&format!("curves-{epochs}"), &figure);
        // Both colours of both panels' lines are there.
        assert!(count(&figure, [0, 114, 178]) > 20, "{epochs}");
        assert!(count(&figure, [213, 94, 0]) > 20, "{epochs}");
    }
}

#[test]
fn curves_that_are_odd() {
    let steps = (1..=20).map(f64::from);
    let constant = curve("constant", steps.clone().map(|x| (x, 0.5)));
    let gaps = curve(
        "with gaps",
        steps
            .clone()
            .map(|x| (x, if x % 5.0 == 0.0 { f64::NAN } else { x.sqrt() })),
    );
    let lone = curve(
        "between gaps",
        [(1.0, f64::INFINITY), (2.0, 1.0), (3.0, f64::NAN)],
    );
    let long = "a name that is a good deal longer than the panel is wide, and goes on and on and on and on";
    let many = (0..16).map(|i| {
        curve(
            &format!("alpha {}", f64::from(i) * 0.25),
            steps.clone().map(move |x| (x, x * f64::from(i))),
        )
    });
    let panels = [
        panel("Constant", vec![constant.clone()]),
        panel("Gaps\n\x1b[31m", vec![gaps, lone]),
        panel(
            long,
            vec![
                curve(long, [(0.0, -1e-7), (2.0, 3e-7)]),
                curve("猫 and \t", [(1.0, 0.0)]),
            ],
        ),
        panel("Many", many.collect()),
        panel(
            "Nothing",
            vec![curve("empty", []), curve("not a number", [(f64::NAN, 1.0)])],
        ),
    ];
    look("curves-odd", &curves(&panels));
    look("curves-none", &curves(&[]));
    look("curves-one-panel", &curves(&panels[..1]));
    let lots = (0..200).map(|i| curve(&format!("run {i}"), [(0.0, f64::from(i)), (1.0, 1.0)]));
    look("curves-lots", &curves(&[panel("Lots", lots.collect())]));
}

#[test]
fn a_matrix_of_every_size() {
    let two = names(&["cat", "dog"]);
    look(
        "matrix-2",
        &confusion_matrix(&two, &two, &[vec![48, 2], vec![9, 41]]),
    );
    let mut ten = imagenet(1000);
    ten.retain(|name| name.len() < 8);
    ten.truncate(10);
    look(
        "matrix-10",
        &confusion_matrix(&ten, &ten, &mistakes(10, 10, 1000, 85)),
    );
    let mut unknown = ten.clone();
    unknown.push("unknown".into());
    let mut counts = mistakes(10, 11, 120_000, 70);
    counts[4] = vec![0; 11];
    look("matrix-unknown", &confusion_matrix(&ten, &unknown, &counts));
    let fifty = imagenet(50);
    look(
        "matrix-50",
        &confusion_matrix(&fifty, &fifty, &mistakes(50, 50, 100, 80)),
    );
    let eighty = imagenet(80);
    look(
        "matrix-80",
        &confusion_matrix(&eighty, &eighty, &mistakes(80, 80, 50, 80)),
    );
    let thousand = imagenet(1000);
    look(
        "matrix-1000",
        &confusion_matrix(&thousand, &thousand, &mistakes(1000, 1000, 50, 70)),
    );
    let more: Vec<String> = (0..5000).map(|i| i.to_string()).collect();
    let diagonal: Vec<Vec<u64>> = (0..5000)
        .map(|i| {
            let mut row = vec![0; i + 1];
            row[i] = 3;
            row
        })
        .collect();
    look("matrix-5000", &confusion_matrix(&more, &more, &diagonal));
}

#[test]
fn matrices_that_are_odd() {
    let one = names(&["only"]);
    look("matrix-1", &confusion_matrix(&one, &one, &[vec![7]]));
    look("matrix-none", &confusion_matrix(&[], &one, &[]));
    let odd = names(&[
        "猫\n",
        "",
        "a name that is much too long for any picture, and goes on and on",
    ]);
    let counts = vec![
        vec![u64::MAX, u64::MAX],
        vec![],
        vec![0, 1, 2, 3, 4],
        vec![9],
    ];
    look("matrix-odd", &confusion_matrix(&odd, &odd, &counts));
    look(
        "matrix-wide",
        &confusion_matrix(&one, &imagenet(60), &[vec![1; 60]]),
    );
    look(
        "matrix-tall",
        &confusion_matrix(&imagenet(120), &odd, &[vec![1, 2, 3]]),
    );
}

#[test]
fn the_larger_share_is_the_darker_cell() {
    let classes = names(&["a", "b", "c"]);
    let counts = [vec![6, 3, 1], vec![0, 10, 0], vec![25, 50, 25]];
    let figure = confusion_matrix(&classes, &classes, &counts);
    for row in &counts {
        let total: u64 = row.iter().sum();
        for &n in row {
            let share = n as f64 / total as f64;
            // A cell is 84 pixels wide, and a third of that is far from its text.
            let cell = count(&figure, colour(1.0 - share.sqrt()));
            assert!(cell > 1500, "{n} of {total}: {cell} pixels");
        }
    }
    let dark = |share: f64| {
        colour(1.0 - share)
            .iter()
            .map(|&c| u32::from(c))
            .sum::<u32>()
    };
    let shares: Vec<u32> = (0..=20).map(|i| dark(f64::from(i) / 20.0)).collect();
    assert!(shares.windows(2).all(|pair| pair[0] > pair[1]));
}

#[test]
fn the_same_figure_each_time() {
    assert_eq!(curves(&training(30)), curves(&training(30)));
    let classes = imagenet(12);
    let figure = || confusion_matrix(&classes, &classes, &mistakes(12, 12, 100, 60));
    assert_eq!(figure(), figure());
}

fn any_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(any::<char>(), 0..60).prop_map(String::from_iter)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_curves_can_be_drawn(
        panels in proptest::collection::vec(
            (any_text(), any_text(), proptest::collection::vec(
                (any_text(), proptest::collection::vec((any::<f64>(), any::<f64>()), 0..50)), 0..6)),
            0..4),
    ) {
        let panels: Vec<Panel> = panels.into_iter().map(|(title, x_label, lines)| Panel {
            title,
            x_label,
            curves: lines.into_iter().map(|(name, points)| Curve { name, points }).collect(),
        }).collect();
        prop_assert!(edge_is_white(&curves(&panels)));
    }

    #[test]
    fn any_matrix_can_be_drawn(
        rows in proptest::collection::vec(any_text(), 0..40),
        columns in proptest::collection::vec(any_text(), 0..40),
        counts in proptest::collection::vec(proptest::collection::vec(any::<u64>(), 0..45), 0..45),
    ) {
        prop_assert!(edge_is_white(&confusion_matrix(&rows, &columns, &counts)));
    }
}
