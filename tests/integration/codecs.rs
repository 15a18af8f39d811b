//! HEIC, AVIF and JPEG XL, against the libraries that everyone reads them with
//! (`make_heic.py`, `make_avif.py` and `make_jxl.py` in `tests/data/pixels`).

use std::collections::BTreeMap;
use std::path::PathBuf;

use mobilenet::error::ImageErrorKind;
use mobilenet::pixels::{DecodeOptions, Orientation, PictureFormat, decode, dimensions, open};
use sha2::{Digest, Sha256};

use crate::support::{data, decodes_to, tensors};

/// Where limits have to hold.
const SMALL: u64 = 1 << 14;

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data("pixels").join(folder)).expect("fixtures");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

/// The pixels of every file of a folder have the size and the digest that are written down.
fn has_the_digests_of(folder: &str) {
    let listed = std::fs::read(data("pixels").join(format!("{folder}.json"))).expect("a list");
    let listed: BTreeMap<String, (u32, u32, String)> =
        serde_json::from_slice(&listed).expect("a list");
    let paths = files(folder);
    assert_eq!(paths.len(), listed.len());
    let mut wrong = Vec::new();
    for path in paths {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a name");
        let (width, height, digest) = &listed[name];
        match open(&path, &DecodeOptions::default()) {
            Err(error) => wrong.push(error.to_string()),
            Ok(image) if image.dimensions() != (*width, *height) => {
                wrong.push(format!(
                    "{name}: {:?}, not {width}x{height}",
                    image.dimensions()
                ));
            }
            Ok(image) => {
                let bytes = Sha256::digest(image.as_raw());
                let got: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                if got != *digest {
                    wrong.push(format!("{name}: other pixels"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_heic_has_pillow_heifs_pixels() {
    has_the_digests_of("heic");
}

/// Pillow's bytes are those of libyuv on x86-64.
#[test]
fn every_avif_has_pillows_pixels() {
    has_the_digests_of("avif");
}

/// libjxl adds noise when it makes 8 bits.
#[test]
fn every_jpeg_xl_is_within_a_level_of_libjxls_pixels() {
    let golden = tensors(data("pixels/jxl.golden.safetensors"));
    assert!(golden.len() > 20);
    let kinds = ["lossy", "five", "float"];
    let is_inexact = |name: &&String| kinds.iter().any(|kind| name.contains(kind));
    let inexact: Vec<_> = golden.keys().filter(is_inexact).collect();
    let inexact: Vec<_> = inexact.iter().map(|name| (name.as_str(), 1)).collect();
    decodes_to(&golden, "pixels/jxl", &inexact);
}

/// The turn is a part of the codec there; EXIF repeats it, or contradicts it. In AVIF it is as EXIF is
/// elsewhere.
#[test]
fn no_exif_turns_neither_of_them_back() {
    for path in files("heic").into_iter().chain(files("jxl")) {
        let options = DecodeOptions::default().with_exif_orientation(false);
        let (a, b) = (
            open(&path, &DecodeOptions::default()),
            open(&path, &options),
        );
        assert!(
            a.expect("a picture") == b.expect("a picture"),
            "{}",
            path.display()
        );
    }
    let path = data("pixels/avif/irot1.avif");
    let options = DecodeOptions::default().with_exif_orientation(false);
    let turned = open(&path, &DecodeOptions::default()).expect("a picture");
    let stored = open(&path, &options).expect("a picture");
    assert!(turned == Orientation::Rotated270.apply(stored));
    let bytes = std::fs::read(&path).expect("a file");
    assert_eq!(Orientation::of(&bytes), Orientation::Rotated270);
}

#[test]
fn dimensions_are_those_of_the_pixels() {
    let avif = files("avif").into_iter();
    for path in avif.chain(files("heic")).chain(files("jxl")) {
        let bytes = std::fs::read(&path).expect("a file");
        let options = DecodeOptions::default().with_exif_orientation(false);
        let image = decode(&bytes, &options).expect("a picture");
        assert_eq!(
            dimensions(&bytes),
            Some(image.dimensions()),
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_limit_of_pixels_is_heeded() {
    for path in [
        "heic/grid.heic",
        "heic/420_even.heic",
        "avif/grid.avif",
        "avif/420_10_full.avif",
        "jxl/lossy.jxl",
        "jxl/grey.jxl",
    ] {
        let bytes = std::fs::read(data("pixels").join(path)).expect(path);
        let (width, height) = dimensions(&bytes).expect(path);
        let pixels = u64::from(width) * u64::from(height);
        let decode = |limit| decode(&bytes, &DecodeOptions::default().with_max_pixels(limit));
        assert!(decode(pixels).is_ok(), "{path}");
        let error = decode(pixels - 1).expect_err(path);
        assert_eq!(error.kind, ImageErrorKind::Limit, "{path}: {error}");
    }
}

/// Transparency that is not kept must not be dropped in silence where it would show.
#[test]
fn an_alpha_in_front_of_a_background_is_refused() {
    let options = DecodeOptions::default().with_background(Some([255; 3]));
    for (folder, transparent) in [("heic", 3), ("avif", 20), ("jxl", 3)] {
        let mut refused = 0;
        for path in files(folder) {
            let name = path.display();
            let dropped = open(&path, &DecodeOptions::default()).expect("a picture");
            let has_alpha = name.to_string().contains("alpha") || path.ends_with("multiplied.avif");
            match open(&path, &options) {
                Err(error) => {
                    assert!(error.message.contains("background"), "{error}");
                    refused += 1;
                }
                Ok(image) => assert!(!has_alpha && image == dropped, "{name}"),
            }
        }
        let all = files(folder).len();
        assert!(
            (transparent..all / 2).contains(&refused),
            "{folder}: {refused} of {all}"
        );
    }
}

/// Cut off anywhere, and with any one byte of the container changed: an error or a picture.
#[test]
fn what_is_damaged_is_an_error_or_a_picture() {
    let options = DecodeOptions::default().with_max_pixels(SMALL);
    let names = [
        "heic/grid_all_idat_irot1.heic",
        "heic/420_odd_clap_irot3.heic",
        "heic/alpha_smaller.heic",
        "heic/wide.heic",
        "avif/grid_idat_irot1.avif",
        "avif/alpha_420_12_full.avif",
        "avif/multiplied.avif",
        "avif/whole_animation_alpha.avif",
        "jxl/container.jxl",
        "jxl/alpha_lossy.jxl",
        "jxl/animation.jxl",
    ];
    for name in names {
        let whole = std::fs::read(data("pixels").join(name)).expect(name);
        let mut unread = 0;
        for length in (0..whole.len()).step_by(3) {
            unread += usize::from(decode(&whole[..length], &options).is_err());
        }
        assert!(
            unread > whole.len() / 12,
            "{name}: {unread} of {}",
            whole.len()
        );
        for at in 0..whole.len() {
            for flip in [0xff, 0x01, 0x80] {
                let mut changed = whole.clone();
                changed[at] ^= flip;
                if let Err(error) = decode(&changed, &options) {
                    assert!(
                        !error.message.contains("decoder failed"),
                        "{name} {at} {flip}"
                    );
                }
                let _ = dimensions(&changed);
            }
        }
    }
}

#[test]
fn the_messages_name_what_is_wrong() {
    let whole = std::fs::read(data("pixels/heic/grid.heic")).expect("a file");
    let message = |bytes: &[u8]| {
        let error = decode(bytes, &DecodeOptions::default()).expect_err("damaged");
        assert_eq!(error.kind, ImageErrorKind::Decode);
        error.message
    };
    assert_eq!(message(&whole[..whole.len() - 9]), "the file is truncated");
    assert_eq!(PictureFormat::of(&whole), Some(PictureFormat::Heic));
    let with = |from: &[u8], to: &[u8]| {
        let mut changed = whole.clone();
        while let Some(at) = changed.windows(from.len()).position(|part| part == from) {
            changed[at..at + to.len()].copy_from_slice(to);
        }
        message(&changed)
    };
    assert!(with(b"hvc1", b"jpeg").contains("pixels coded as JPEG"));
    assert!(with(b"grid", b"iovl").contains("laid over one another"));
    assert!(with(b"meta", b"free").contains("no list of pictures (meta)"));
    assert!(with(b"pitm", b"free").contains("which of its items"));
    assert!(with(b"hvcC", b"free").contains("decoder's settings (hvcC)"));
    assert!(with(b"dimg", b"free").contains("2 rows of 0 tiles"));
    let jxl = std::fs::read(data("pixels/jxl/lossy.jxl")).expect("a file");
    assert_eq!(message(&jxl[..jxl.len() / 2]), "the file is truncated");
}
