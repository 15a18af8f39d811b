//! How Keras names, orders and lays out what its layers have, as data.

/// A layer that has variables, as far as a MobileNet has such.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Convolution,
    Depthwise,
    BatchNorm,
    Dense,
    /// Only in front of the network.
    Normalization,
}

/// How the layers of a kind are stored.
pub(super) struct KerasLayout {
    pub kind: Kind,
    /// The automatic name of the first; later ones have `_1`, `_2` and so on. The group in a
    /// `.weights.h5` is called so whatever the layer's name is.
    pub name: &'static str,
    /// Its variables in the order in which `.weights.h5` numbers them, those that it has.
    pub variables: &'static [&'static str],
    /// The axes of its kernel in our order, which is output, input, height, width; what it
    /// has no axis for is 1.
    pub kernel: &'static [usize],
}

/// Keras's names of a batch norm's variables, in the order of
/// [`BATCH_NORM_PARTS`](crate::model::BATCH_NORM_PARTS).
pub(super) const BATCH_NORM_VARIABLES: [&str; 4] =
    ["gamma", "beta", "moving_mean", "moving_variance"];

const LAYOUTS: [KerasLayout; 5] = [
    KerasLayout {
        kind: Kind::Convolution,
        name: "conv2d",
        variables: &["kernel", "bias"],
        // Height, width, input, output.
        kernel: &[3, 2, 0, 1],
    },
    KerasLayout {
        kind: Kind::Depthwise,
        name: "depthwise_conv2d",
        variables: &["kernel", "bias"],
        // Height, width, channel, 1.
        kernel: &[2, 3, 0, 1],
    },
    KerasLayout {
        kind: Kind::BatchNorm,
        name: "batch_normalization",
        variables: &BATCH_NORM_VARIABLES,
        kernel: &[],
    },
    KerasLayout {
        kind: Kind::Dense,
        name: "dense",
        variables: &["kernel", "bias"],
        // Input, output.
        kernel: &[1, 0],
    },
    KerasLayout {
        kind: Kind::Normalization,
        name: "normalization",
        variables: &["mean", "variance", "count"],
        kernel: &[],
    },
];

impl Kind {
    pub fn layout(self) -> &'static KerasLayout {
        let [convolution, depthwise, batch_norm, dense, normalization] = &LAYOUTS;
        match self {
            Self::Convolution => convolution,
            Self::Depthwise => depthwise,
            Self::BatchNorm => batch_norm,
            Self::Dense => dense,
            Self::Normalization => normalization,
        }
    }
}

/// An automatic name as the kind that has it and its number: `conv2d` is 0, `conv2d_7` is 7.
pub(super) fn automatic(name: &str) -> Option<(Kind, usize)> {
    LAYOUTS.iter().find_map(|layout| {
        let number = match name.strip_prefix(layout.name)? {
            "" => 0,
            rest => rest.strip_prefix('_')?.parse().ok()?,
        };
        Some((layout.kind, number))
    })
}

/// A variable's name without what some versions put around it: `depthwise_kernel:0` is
/// `kernel`.
pub(super) fn variable(name: &str) -> &str {
    match name.split(':').next().unwrap_or(name) {
        "depthwise_kernel" => "kernel",
        name => name,
    }
}

/// What a layer of a described model is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Input,
    /// A model in the model: its layers follow one another in its place.
    Model,
    /// Does nothing once the network is trained.
    Training,
    Resizing,
    CenterCrop,
    Rescaling,
    /// An operation with a constant: the pixels, or what came of them.
    Arithmetic(Arithmetic),
    ZeroPadding,
    Weighted(Kind),
    Relu,
    Relu6,
    /// Says in its settings which activation it is.
    Activation,
    Softmax,
    Pool,
    MaxPool,
    /// A mean over windows, which may be all of the picture.
    WindowPool,
    /// Moves no number to another place, after the pool.
    Reshape,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Keras's classes, and for `TFOpLambda`, an operation of TensorFlow's, its function.
const ROLES: &[(&str, Role)] = &[
    ("InputLayer", Role::Input),
    ("Functional", Role::Model),
    ("Model", Role::Model),
    ("Sequential", Role::Model),
    ("Dropout", Role::Training),
    ("AlphaDropout", Role::Training),
    ("Identity", Role::Training),
    ("SpatialDropout2D", Role::Training),
    ("GaussianDropout", Role::Training),
    ("GaussianNoise", Role::Training),
    ("ActivityRegularization", Role::Training),
    ("RandomBrightness", Role::Training),
    ("RandomColorDegeneration", Role::Training),
    ("RandomColorJitter", Role::Training),
    ("RandomContrast", Role::Training),
    ("RandomElasticTransform", Role::Training),
    ("RandomErasing", Role::Training),
    ("RandomFlip", Role::Training),
    ("RandomGaussianBlur", Role::Training),
    ("RandomGrayscale", Role::Training),
    ("RandomHue", Role::Training),
    ("RandomInvert", Role::Training),
    ("RandomPerspective", Role::Training),
    ("RandomPosterization", Role::Training),
    ("RandomRotation", Role::Training),
    ("RandomSaturation", Role::Training),
    ("RandomSharpness", Role::Training),
    ("RandomShear", Role::Training),
    ("RandomTranslation", Role::Training),
    ("RandomZoom", Role::Training),
    ("Resizing", Role::Resizing),
    ("CenterCrop", Role::CenterCrop),
    ("Normalization", Role::Weighted(Kind::Normalization)),
    ("Rescaling", Role::Rescaling),
    ("TrueDivide", Role::Arithmetic(Arithmetic::Divide)),
    ("Divide", Role::Arithmetic(Arithmetic::Divide)),
    ("Subtract", Role::Arithmetic(Arithmetic::Subtract)),
    ("Multiply", Role::Arithmetic(Arithmetic::Multiply)),
    ("Add", Role::Arithmetic(Arithmetic::Add)),
    ("math.truediv", Role::Arithmetic(Arithmetic::Divide)),
    ("math.divide", Role::Arithmetic(Arithmetic::Divide)),
    ("math.subtract", Role::Arithmetic(Arithmetic::Subtract)),
    ("math.multiply", Role::Arithmetic(Arithmetic::Multiply)),
    ("math.add", Role::Arithmetic(Arithmetic::Add)),
    ("__operators__.add", Role::Arithmetic(Arithmetic::Add)),
    ("ZeroPadding2D", Role::ZeroPadding),
    ("Conv2D", Role::Weighted(Kind::Convolution)),
    ("DepthwiseConv2D", Role::Weighted(Kind::Depthwise)),
    ("BatchNormalization", Role::Weighted(Kind::BatchNorm)),
    ("Dense", Role::Weighted(Kind::Dense)),
    ("ReLU", Role::Activation),
    ("Activation", Role::Activation),
    ("LeakyReLU", Role::Activation),
    ("ELU", Role::Activation),
    ("Relu", Role::Relu),
    ("nn.relu", Role::Relu),
    ("Relu6", Role::Relu6),
    ("nn.relu6", Role::Relu6),
    ("Softmax", Role::Softmax),
    ("nn.softmax", Role::Softmax),
    ("GlobalAveragePooling2D", Role::Pool),
    ("GlobalMaxPooling2D", Role::MaxPool),
    ("AveragePooling2D", Role::WindowPool),
    ("Reshape", Role::Reshape),
    ("Flatten", Role::Reshape),
];

/// The role of a class or function, where a MobileNet can have such a layer.
pub(super) fn role(class: &str) -> Option<Role> {
    let found = ROLES.iter().find(|(name, _)| *name == class)?;
    Some(found.1)
}
