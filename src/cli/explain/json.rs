//! The maps as numbers.

use std::ffi::OsStr;

use mobilenet::error::ImageError;
use mobilenet::explain::ClassMap;
use mobilenet::labels::Class;
use mobilenet::pixels::Region;
use mobilenet::rows::{ErrorKeys, PathKeys};
use serde::Serialize;

use super::Answer;
use crate::cli::output::error_keys;

/// The maps of a picture. The keys are the same for every picture.
#[derive(Serialize)]
pub struct Object<'a> {
    #[serde(flatten)]
    path: PathKeys<'a>,
    /// Of the upright picture, in pixels.
    size: Option<Size>,
    /// The part of the upright picture that each map covers, in its pixels.
    region: Option<Region>,
    /// Whether no class is likely enough for the checkpoint.
    rejected: bool,
    classes: Vec<Explained<'a>>,
    error: Option<ErrorKeys<'a>>,
}

#[derive(Serialize)]
struct Size {
    width: u32,
    height: u32,
}

#[derive(Serialize)]
struct Explained<'a> {
    index: i32,
    wnid: Option<&'a str>,
    label: &'a str,
    score: f32,
    logit: f32,
    bias: f32,
    /// Rows from the top, each from the left.
    map: Vec<&'a [f32]>,
}

impl<'a> Explained<'a> {
    fn new((class, map): &'a (Class, ClassMap)) -> Self {
        Self {
            index: class.index,
            wnid: class.wnid.as_deref(),
            label: &class.label,
            score: map.score,
            logit: map.logit,
            bias: map.bias,
            map: (0..map.rows).map(|row| map.row(row)).collect(),
        }
    }
}

impl<'a> Object<'a> {
    /// The answer to a picture, or why there is none.
    pub fn of(name: &'a OsStr, answer: Result<&'a Answer, &'a ImageError>) -> Self {
        let found = answer.ok();
        let classes = found.map(|answer| answer.classes.iter().map(Explained::new).collect());
        Self {
            path: PathKeys::of(name),
            size: found.map(|answer| Size {
                width: answer.picture.width(),
                height: answer.picture.height(),
            }),
            region: found.map(|answer| answer.region),
            rejected: found.is_some_and(|answer| answer.rejected.is_some()),
            classes: classes.unwrap_or_default(),
            error: answer.err().map(error_keys),
        }
    }
}
