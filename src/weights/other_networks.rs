//! Networks that are no MobileNet V1, told by the names of their layers.

use memchr::memmem;

/// A network, and names that a file of it has, all of them; the first that fits is meant.
const NETWORKS: [(&str, &[&str]); 30] = [
    // Keras's.
    ("a MobileNet V2", &["block_1_expand"]),
    ("a MobileNet V3", &["expanded_conv_1"]),
    ("an EfficientNet", &["block1a_"]),
    ("a DenseNet", &["conv2_block1_0_bn", "pool2_bn"]),
    ("a ResNet", &["conv2_block1_1_conv"]),
    ("an Xception", &["block2_sepconv1"]),
    ("a VGG", &["block5_conv3"]),
    ("a NASNet", &["stem_bn1", "adjust_conv"]),
    // transformers'.
    ("a MobileNet V2", &["mobilenet_v2."]),
    ("an EfficientNet", &["efficientnet.e"]),
    ("a ResNet", &["resnet.e"]),
    ("a vision transformer", &["vit.e"]),
    ("a Swin transformer", &["swin.e"]),
    ("a ConvNeXt", &["convnext"]),
    // torchvision's.
    (
        "a MobileNet V2",
        &["features.1.conv.0.0.", "features.18.0."],
    ),
    ("an EfficientNet", &["features.1.0.block.0.0."]),
    ("a MobileNet V3", &["features.1.block.0.0."]),
    ("a DenseNet", &["denseblock1"]),
    ("a ShuffleNet", &["stage2.0.branch1."]),
    ("a SqueezeNet", &["features.3.squeeze."]),
    ("a VGG", &["features.28.", "classifier.6."]),
    ("a vision transformer", &["encoder_layer_0."]),
    // timm's, and torchvision's ResNets.
    ("a ResNet", &["layer1.0.conv1.", "layer4.0."]),
    ("a vision transformer", &["blocks.0.attn."]),
    ("a MobileNet V4", &["dw_start.", "norm_head."]),
    (
        "a MobileNet V3",
        &[".conv_pwl.", ".se.conv_reduce.", "conv_head.bias"],
    ),
    ("an EfficientNet", &[".conv_pwl.", ".se.conv_reduce."]),
    ("a MobileNet V2", &[".conv_pwl."]),
    ("an LCNet", &[".se.conv_reduce.", "conv_head.bias"]),
    ("a ConvNeXt", &["stages.0.blocks.0.conv_dw"]),
];

/// What network a file is of that is none of ours, where the names in it tell.
pub(super) fn find(bytes: &[u8]) -> Option<&'static str> {
    let has = |name: &&str| memmem::find(bytes, name.as_bytes()).is_some();
    let found = NETWORKS.iter().find(|(_, names)| names.iter().all(&has));
    found.map(|(network, _)| *network)
}

/// The same in words, with the way out.
pub(super) fn described(bytes: &[u8]) -> Option<String> {
    find(bytes).map(|network| {
        format!(
            "{network}, by the names of its layers, where only MobileNet V1 is computed; `mobilenet models` \
             lists published ones"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_fits_is_meant() {
        for (names, network) in [
            (
                "block_1_expand expanded_conv_project",
                Some("a MobileNet V2"),
            ),
            (
                "blocks.1.0.conv_pwl.weight bn2.weight",
                Some("a MobileNet V2"),
            ),
            (
                "blocks.1.0.conv_pwl.weight blocks.1.0.se.conv_reduce.bias bn2.weight",
                Some("an EfficientNet"),
            ),
            (
                "blocks.1.0.conv_pwl.weight blocks.1.0.se.conv_reduce.bias conv_head.bias",
                Some("a MobileNet V3"),
            ),
            // Ours, in every naming; the class that timm has it of is called after another network.
            (
                "timm.models.efficientnet.EfficientNet/timm.layers.Conv2d timm/models/efficientnet.py",
                None,
            ),
            (
                "conv1.weight conv_dw_1_bn.bias conv_pw_13.weight conv_preds.bias conv_head.weight",
                None,
            ),
            (
                "conv_stem.weight blocks.0.0.conv_dw.weight blocks.4.1.conv_pw.weight conv_head.weight bn2.bias",
                None,
            ),
            (
                "mobilenet_v1.conv_stem.convolution.weight mobilenet_v1.layer.0.convolution.weight",
                None,
            ),
            (
                "depthwise_conv2d_1 batch_normalization_3 global_average_pooling2d",
                None,
            ),
        ] {
            assert_eq!(find(names.as_bytes()), network, "{names}");
        }
    }
}
