//! How others name the tensors of a MobileNet V1 in safetensors, as data.

use crate::model::{BATCH_NORM_PARTS, Config, Convolution, ConvolutionKind, HEAD, Padding};

/// A naming of tensors, and what a checkpoint in it leaves unsaid.
///
/// A name may hold `{block}` (1 to 13, the row of the paper's table), `{depthwise}` and
/// `{pointwise}` (the layer's number, from 0 on, both kinds in turn) and `{stage}` (timm's stage
/// and the block within it).
#[derive(Debug)]
pub(super) struct Naming {
    stem: Names,
    depthwise: Names,
    pointwise: Names,
    /// A pointwise layer between the last block and the pool, where its networks may have one.
    head: Option<Names>,
    /// Its weight is `[classes, C]`.
    classifier: &'static str,
    /// The last part of the names of tensors that do not matter.
    pub ignored: &'static str,
    pub padding: Padding,
    pub batch_norm_epsilon: f64,
}

/// Names of a convolution and its batch norm, without the tensors' own.
#[derive(Debug)]
struct Names {
    convolution: &'static str,
    batch_norm: &'static str,
}

const NAMINGS: [Naming; 3] = [
    // transformers' `MobileNetV1ForImageClassification`.
    Naming {
        stem: Names {
            convolution: "mobilenet_v1.conv_stem.convolution",
            batch_norm: "mobilenet_v1.conv_stem.normalization",
        },
        depthwise: Names {
            convolution: "mobilenet_v1.layer.{depthwise}.convolution",
            batch_norm: "mobilenet_v1.layer.{depthwise}.normalization",
        },
        pointwise: Names {
            convolution: "mobilenet_v1.layer.{pointwise}.convolution",
            batch_norm: "mobilenet_v1.layer.{pointwise}.normalization",
        },
        head: None,
        classifier: "classifier",
        ignored: "num_batches_tracked",
        padding: Padding::Same,
        batch_norm_epsilon: 1e-3,
    },
    // timm's `mobilenetv1_*`.
    Naming {
        stem: Names {
            convolution: "conv_stem",
            batch_norm: "bn1",
        },
        depthwise: Names {
            convolution: "blocks.{stage}.conv_dw",
            batch_norm: "blocks.{stage}.bn1",
        },
        pointwise: Names {
            convolution: "blocks.{stage}.conv_pw",
            batch_norm: "blocks.{stage}.bn2",
        },
        head: Some(Names {
            convolution: "conv_head",
            batch_norm: "bn2",
        }),
        classifier: "classifier",
        ignored: "num_batches_tracked",
        padding: Padding::Symmetric,
        batch_norm_epsilon: 1e-5,
    },
    // Its `MobileNetV1Model`, which has no classifier.
    Naming {
        stem: Names {
            convolution: "conv_stem.convolution",
            batch_norm: "conv_stem.normalization",
        },
        depthwise: Names {
            convolution: "layer.{depthwise}.convolution",
            batch_norm: "layer.{depthwise}.normalization",
        },
        pointwise: Names {
            convolution: "layer.{pointwise}.convolution",
            batch_norm: "layer.{pointwise}.normalization",
        },
        head: None,
        classifier: "classifier",
        ignored: "num_batches_tracked",
        padding: Padding::Same,
        batch_norm_epsilon: 1e-3,
    },
];

/// timm's stages: how many blocks each has.
const STAGES: [usize; 5] = [1, 2, 2, 6, 2];

impl Naming {
    /// The naming in which a file names its tensors, if it is one of these.
    pub fn of(names: &[&str]) -> Option<&'static Self> {
        NAMINGS.iter().find(|naming| {
            let stem = format!("{}.weight", naming.stem.convolution);
            let first = format!("{}.weight", placed(naming.pointwise.convolution, 1));
            names.contains(&stem.as_str()) || names.contains(&first.as_str())
        })
    }

    /// Our names of all the tensors that a network may have, each with the one here.
    pub fn names(&self) -> Vec<(String, String)> {
        let widest = Config {
            head_channels: self.head.as_ref().map(|_| 1),
            ..Config::default()
        };
        let convolutions = widest.convolutions();
        let stored = convolutions.iter().filter(|c| !c.identity);
        stored.flat_map(|c| self.names_of(c)).collect()
    }

    fn names_of(&self, convolution: &Convolution) -> Vec<(String, String)> {
        let ours = &convolution.name;
        let pair = |ours: &str, theirs: &str, part: &str| {
            (format!("{ours}.{part}"), format!("{theirs}.{part}"))
        };
        let names = match convolution.kind {
            ConvolutionKind::Standard => &self.stem,
            ConvolutionKind::Depthwise => &self.depthwise,
            ConvolutionKind::Pointwise => match &self.head {
                Some(head) if convolution.name == HEAD => head,
                _ => &self.pointwise,
            },
            ConvolutionKind::Classifier => {
                let parts = ["weight", "bias"];
                return parts.map(|part| pair(ours, self.classifier, part)).into();
            }
        };
        let block = ours.rsplit('_').next().and_then(|n| n.parse().ok());
        let place = |template| placed(template, block.unwrap_or(1));
        let batch_norm = place(names.batch_norm);
        let parts = BATCH_NORM_PARTS.iter();
        let mut pairs: Vec<_> = parts
            .map(|part| pair(&format!("{ours}_bn"), &batch_norm, part))
            .collect();
        pairs.push(pair(ours, &place(names.convolution), "weight"));
        pairs
    }
}

/// A template's name for a block, from 1 on.
fn placed(template: &str, block: usize) -> String {
    let mut index = block - 1;
    let stage = STAGES.iter().position(|&len| {
        let within = index < len;
        index -= if within { 0 } else { len };
        within
    });
    template
        .replace("{block}", &block.to_string())
        .replace("{depthwise}", &(2 * (block - 1)).to_string())
        .replace("{pointwise}", &(2 * (block - 1) + 1).to_string())
        .replace(
            "{stage}",
            &format!("{}.{index}", stage.unwrap_or(STAGES.len())),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_other_tools() {
        let theirs = |naming: usize, ours: &str| {
            let names = NAMINGS[naming].names();
            let found = names.into_iter().find(|(name, _)| name == ours);
            found.map(|(_, theirs)| theirs)
        };
        for (ours, transformers, timm) in [
            (
                "conv1.weight",
                "mobilenet_v1.conv_stem.convolution.weight",
                "conv_stem.weight",
            ),
            (
                "conv1_bn.bias",
                "mobilenet_v1.conv_stem.normalization.bias",
                "bn1.bias",
            ),
            (
                "conv_dw_1.weight",
                "mobilenet_v1.layer.0.convolution.weight",
                "blocks.0.0.conv_dw.weight",
            ),
            (
                "conv_pw_3.weight",
                "mobilenet_v1.layer.5.convolution.weight",
                "blocks.1.1.conv_pw.weight",
            ),
            (
                "conv_pw_11_bn.running_var",
                "mobilenet_v1.layer.21.normalization.running_var",
                "blocks.3.5.bn2.running_var",
            ),
            (
                "conv_dw_13_bn.weight",
                "mobilenet_v1.layer.24.normalization.weight",
                "blocks.4.1.bn1.weight",
            ),
            ("conv_preds.bias", "classifier.bias", "classifier.bias"),
        ] {
            assert_eq!(theirs(0, ours).as_deref(), Some(transformers));
            assert_eq!(theirs(1, ours).as_deref(), Some(timm));
        }
        assert_eq!(
            theirs(1, "conv_head.weight").as_deref(),
            Some("conv_head.weight")
        );
        assert_eq!(theirs(1, "conv_head_bn.bias").as_deref(), Some("bn2.bias"));
        let all = Config::default().tensors().len();
        let head = 5;
        let counts = NAMINGS.each_ref().map(|naming| naming.names().len());
        assert_eq!(counts, [all, all + head, all]);
    }
}
