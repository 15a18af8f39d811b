"""Make the fixtures of forms in which Keras saves other than plain floats and single files.

    pip install tensorflow-cpu==2.21.0 keras==3.15.1 pillow==13.0.0 h5py safetensors
    python make_forms.py

One small random network (MobileNet without its top, a hidden layer, a softmax), and what becomes of it:

- `bfloat16`: its variables are of bfloat16, as `keras.config.set_dtype_policy("bfloat16")` makes them; its answers are those of the same
  numbers in float32;
- `int8`: `quantize("int8")`, by weights alone; `int8_inputs` the same as it is by default, where each layer's inputs are quantised too, for
  which its answers are those of the weights, and `keras` Keras's own;
- `int4`, `int4_channels`: `quantize("int4")` in blocks of 16 inputs, and a scale for each output;
- `lora`: adapters on two dense layers and on pointwise convolutions, whose alpha is not their rank, in a whole model's `.h5`; `lora_int8`
  on quantised ones;
- `float8`: `quantize("float8")`, which is refused;
- `single`, without the hidden layer: `sharded`, in two parts by `save_weights("sharded.weights.json", max_shard_size=...)`, and `subclassed`,
  the weights of a model that is a class of its own; `subclassed_hidden` has the hidden layer.

forms.golden.safetensors holds uint8 pixels (the networks see x / 127.5 - 1) and the float32 logits that Keras computes.
"""

import gzip
import os
import sys
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
from keras import layers, quantizers
from safetensors.numpy import save_file

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "heads"))
from make_hidden import SIZE, fill, from_pool  # noqa: E402
from make_keras import pixels, save_keras, smooth_image  # noqa: E402

CLASSES = 3


def base():
    return keras.applications.MobileNet((SIZE, SIZE, 3), alpha=0.035, weights=None, include_top=False)


def network(hidden=True):
    bottom = base()
    x = layers.GlobalAveragePooling2D()(bottom.output)
    if hidden:
        x = layers.Dense(11, activation="relu", name="hidden")(x)
    return keras.Model(bottom.input, layers.Dense(CLASSES, activation="softmax", name="scores")(x))


def like(model, make=network):
    """The same weights in another network."""
    keras.utils.clear_session()
    other = make()
    other.set_weights(model.get_weights())
    return other


def logits(model, pictures):
    at = next(i for i, layer in enumerate(model.layers) if layer.name.startswith("global_"))
    pooled = keras.Model(model.input, model.layers[at].output)(pixels(pictures))
    return np.asarray(from_pool(model.layers[at:], pooled), np.float32)


def packed(name, save):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        save(str(path))
        (HERE / f"{name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))


class Mine(keras.Model):
    def __init__(self, hidden):
        super().__init__()
        self.backbone = base()
        self.pool = layers.GlobalAveragePooling2D()
        self.drop = layers.Dropout(0.2)
        self.between = layers.Dense(11, activation="relu") if hidden else None
        self.head = layers.Dense(CLASSES, activation="softmax")

    def call(self, x):
        x = self.drop(self.pool(self.backbone(x)))
        return self.head(self.between(x) if self.between else x)


def main():
    rng = np.random.default_rng(23)
    pictures = [smooth_image(rng, SIZE) for _ in range(16)]
    shown = pictures[:2]
    golden = {"input": np.stack(shown)}
    plain = network()
    fill(plain, rng, pictures)

    def keep(name, model, save=None):
        golden[f"{name}.logits"] = logits(model, shown)
        print(name, golden[f"{name}.logits"].tolist())
        if save is None:
            save_keras(model, HERE / f"{name}.keras")

    keras.config.set_dtype_policy("bfloat16")
    model = like(plain)
    save_keras(model, HERE / "bfloat16.keras")
    weights = [np.asarray(w, np.float32) for w in model.get_weights()]
    keras.config.set_dtype_policy("float32")
    model = like(plain)
    model.set_weights(weights)
    keep("bfloat16", model, "saved above")

    model = like(plain)
    model.quantize(config=quantizers.Int8QuantizationConfig(activation_quantizer=None))
    keep("int8", model)
    packed("int8.h5", model.save)
    model = like(plain)
    model.quantize("int8")
    keep("int8_inputs", model)
    golden["int8_inputs.keras"] = golden["int8_inputs.logits"]
    golden["int8_inputs.logits"] = golden["int8.logits"]
    for name, block in (("int4", 16), ("int4_channels", -1)):
        model = like(plain)
        model.quantize(config=quantizers.Int4QuantizationConfig(block_size=block))
        keep(name, model)
        packed(f"{name}.h5", model.save)
    model = like(plain)
    model.quantize("float8")
    save_keras(model, HERE / "float8.keras")

    for name, quantised in (("lora", False), ("lora_int8", True)):
        model = like(plain)
        if quantised:
            model.quantize(config=quantizers.Int8QuantizationConfig(activation_quantizer=None))
        adapted = ["hidden", "scores"] + ([] if quantised else ["conv_pw_3", "conv_pw_13"])
        for layer in map(model.get_layer, adapted):
            layer.enable_lora(2, lora_alpha=5)
            a, b = layer.lora_kernel_a, layer.lora_kernel_b
            a.assign(rng.normal(0, 0.3, a.shape))
            b.assign(rng.normal(0, 0.3, b.shape))
        keep(name, model, "in HDF5")
        packed(f"{name}.h5", model.save)
        save_keras(model, HERE / f"{name}.keras")
        if quantised:
            # Keras quantises the sum anew in this form.
            keep("lora_int8_merged", keras.saving.load_model(HERE / f"{name}.keras"), "saved above")

    single = network(hidden=False)
    fill(single, rng, pictures)
    keep("single", single, "in other forms")
    with tempfile.TemporaryDirectory() as folder:
        single.save_weights(f"{folder}/sharded.weights.json", max_shard_size=2e-5)
        for path in sorted(Path(folder).iterdir()):
            (HERE / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
    for name, hidden, source in (("subclassed", False, single), ("subclassed_hidden", True, plain)):
        keras.utils.clear_session()
        model = Mine(hidden)
        model(pixels(shown))
        model.set_weights(source.get_weights())
        assert np.allclose(model(pixels(shown)), source(pixels(shown)), atol=1e-5)
        packed(f"{name}.weights.h5", model.save_weights)
    keep("plain", plain, "in other forms")
    save_file(golden, HERE / "forms.golden.safetensors")


if __name__ == "__main__":
    main()
