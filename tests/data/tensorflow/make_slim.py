"""Make the TensorFlow fixtures of this folder: small random networks as TF-Slim's mobilenet_v1.py builds them, by hand.

    pip install tensorflow-cpu==2.21.0 safetensors
    python make_slim.py

| file | what it is |
| --- | --- |
| frozen.pb | a frozen graph as Google's: FusedBatchNorm, Relu6, AvgPool, a 1x1 convolution, Squeeze, Softmax; 64 pixels |
| open.pb | the same with sides left open (AvgPool of 7x7) and the classes as the output |
| optimised.pb | the same network behind Grappler's constant folding, which folds the batch norms; a mean instead of the pool |
| retrained.pb | as "TensorFlow for poets" has it: uint8 pixels scaled in the graph, a PlaceholderWithDefault after the average, MatMul, a sigmoid |
| slim.ckpt-7.index, .data-00000-of-00001 | variables as after training, with Momentum's and moving averages beside |
| v1.ckpt | the averages alone in the first format (a single file) |

Each is packed as NAME.gz. golden.safetensors holds uint8 pixels (the network sees x / 127.5 - 1) and by name the float32 logits, or the
scores of open.pb and retrained.pb, that TensorFlow computes.
"""

import gzip
import os
import tempfile
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf
from safetensors.numpy import save_file
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2
from tensorflow.python.grappler import tf_optimizer

v1 = tf.compat.v1
v1.disable_eager_execution()
v1.disable_resource_variables()

HERE = Path(__file__).parent
ALPHA, CLASSES, SIZE = 0.0625, 5, 64
BLOCKS = [
    (1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512), (1, 512),
    (1, 512), (1, 512), (1, 512), (1, 512), (2, 1024), (1, 1024),
]
rng = np.random.default_rng(9)
variables = {}


def halves(values):
    """What halves keep packs well."""
    return np.asarray(values, np.float16).astype(np.float32)


def variable(name, values):
    """A variable of the scope, which has the same values in every graph."""
    full = f"{v1.get_variable_scope().name}/{name}"
    if full not in variables:
        variables[full] = halves(values)
    return v1.get_variable(name, initializer=variables[full], trainable="moving" not in name)


def batch_norm(x):
    n = x.shape[-1]
    with v1.variable_scope("BatchNorm"):
        gamma = variable("gamma", rng.uniform(0.8, 1.6, n))
        beta = variable("beta", rng.normal(0.4, 0.4, n))
        mean = variable("moving_mean", rng.normal(0, 0.2, n))
        variance = variable("moving_variance", rng.uniform(0.5, 1.5, n))
        return v1.nn.fused_batch_norm(x, gamma, beta, mean, variance, 0.001, is_training=False)[0]


def conv(x, name, kernel, outputs, stride):
    with v1.variable_scope(name):
        shape = (kernel, kernel, int(x.shape[-1]), outputs)
        weights = variable("weights", rng.normal(0, (2 / np.prod(shape[:3])) ** 0.5, shape))
        x = tf.nn.conv2d(x, weights, stride, "SAME", name="Conv2D")
        return tf.nn.relu6(batch_norm(x), name="Relu6")


def depthwise(x, name, stride):
    with v1.variable_scope(name):
        shape = (3, 3, int(x.shape[-1]), 1)
        weights = variable("depthwise_weights", rng.normal(0, (2 / 9) ** 0.5, shape))
        x = v1.nn.depthwise_conv2d(x, weights, [1, stride, stride, 1], "SAME", name="depthwise")
        return tf.nn.relu6(batch_norm(x), name="Relu6")


def features(x):
    x = conv(x, "Conv2d_0", 3, int(32 * ALPHA), 2)
    for number, (stride, channels) in enumerate(BLOCKS, 1):
        x = depthwise(x, f"Conv2d_{number}_depthwise", stride)
        x = conv(x, f"Conv2d_{number}_pointwise", 1, int(channels * ALPHA), 1)
    return x


def logits(x, pool=None):
    """As TF-Slim's mobilenet_v1 with its usual arguments; `pool` is the side of its average pool."""
    with v1.variable_scope("MobilenetV1"):
        x = features(x)
        with v1.variable_scope("Logits"):
            if pool:
                x = tf.nn.avg_pool2d(x, pool, 1, "VALID", name="AvgPool_1a")
            else:
                x = tf.reduce_mean(x, [1, 2], keepdims=True, name="global_pool")
            x = v1.nn.dropout(x, rate=0.0, name="Dropout_1b")
            with v1.variable_scope("Conv2d_1c_1x1"):
                shape = (1, 1, int(x.shape[-1]), CLASSES)
                weights = variable("weights", rng.normal(0, 0.2, shape))
                biases = variable("biases", rng.normal(0, 1, CLASSES))
                x = tf.nn.bias_add(tf.nn.conv2d(x, weights, 1, "SAME", name="Conv2D"), biases)
            return tf.squeeze(x, [1, 2], name="SpatialSqueeze")


def scores(x):
    """tf-slim's softmax, over two dimensions."""
    with tf.name_scope("Predictions"):
        return tf.reshape(tf.nn.softmax(tf.reshape(x, [-1, CLASSES])), tf.shape(x))


def frozen(session, output):
    return v1.graph_util.convert_variables_to_constants(session, session.graph_def, [output])


def keep(name, file):
    (HERE / f"{name}.gz").write_bytes(gzip.compress(file, mtime=0))
    print(name, len(file), sorted({n.op for n in graph_pb2.GraphDef.FromString(file).node}) if name.endswith("pb") else "")


def picture():
    picture = rng.integers(0, 256, (8, 8, 3)).repeat(SIZE // 8, 0).repeat(SIZE // 8, 1)
    return (picture + rng.integers(-20, 20, picture.shape)).clip(0, 255).astype(np.uint8)


def optimised(graph, output):
    """Through Grappler, as optimize_for_inference did."""
    meta = v1.train.export_meta_graph(graph_def=graph.as_graph_def(), graph=graph)
    collection = meta_graph_pb2.CollectionDef()
    collection.node_list.value.append(output)
    meta.collection_def["train_op"].CopyFrom(collection)
    config = config_pb2.ConfigProto()
    options = config.graph_options.rewrite_options
    options.min_graph_nodes = -1
    options.optimizers.extend(["constfold", "arithmetic", "remap", "function"])
    return tf_optimizer.OptimizeGraph(config, meta)


def main():
    golden = {"input": picture()}
    pixels = golden["input"][None].astype(np.float32) / np.float32(127.5) - 1

    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (None, SIZE, SIZE, 3), "input")
        x = logits(image, pool=2)
        y = scores(x)
        session.run(v1.global_variables_initializer())
        golden["frozen"] = session.run(x, {image: pixels})[0]
        keep("frozen.pb", frozen(session, y.op.name).SerializeToString())
        variables_of = {v.op.name: v for v in v1.global_variables()}
        keep_checkpoints(session, x, variables_of, golden, image, pixels)

    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (None, None, None, 3), "input")
        y = scores(logits(image, pool=7))
        session.run(v1.global_variables_initializer())
        keep("open.pb", frozen(session, y.op.name).SerializeToString())
        # Of 224x224: each pixel of these 32x32 seven times in both directions.
        golden["input32"] = golden["input"][:32, :32].copy()
        large = golden["input32"].repeat(7, 0).repeat(7, 1)
        golden["open"] = session.run(y, {image: large[None].astype(np.float32) / np.float32(127.5) - 1})[0]

    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (1, SIZE, SIZE, 3), "input")
        x = logits(image)
        session.run(v1.global_variables_initializer())
        graph_def = frozen(session, x.op.name)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        keep("optimised.pb", optimised(graph, x.op.name).SerializeToString())

    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.uint8, (SIZE, SIZE, 3), "image")
        x = tf.expand_dims(tf.cast(image, tf.float32), 0)
        x = tf.multiply(tf.subtract(x, 127.5), 1 / 127.5)
        with v1.variable_scope("MobilenetV1"):
            x = tf.squeeze(tf.reduce_mean(features(x), [1, 2], keepdims=True), [1, 2])
        x = v1.placeholder_with_default(x, (None, int(1024 * ALPHA)), "bottleneck")
        with v1.variable_scope("final"):
            weights = variable("weights", rng.normal(0, 0.2, (int(1024 * ALPHA), 3)))
            biases = variable("biases", rng.normal(0, 1, 3))
            y = tf.nn.sigmoid(tf.matmul(x, weights) + biases, name="final_result")
        session.run(v1.global_variables_initializer())
        golden["retrained"] = session.run(y, {image: golden["input"]})[0]
        keep("retrained.pb", frozen(session, y.op.name).SerializeToString())
    print({name: value for name, value in golden.items() if "input" not in name})
    save_file(golden, HERE / "golden.safetensors")


def keep_checkpoints(session, x, own, golden, image, pixels):
    step = v1.train.get_or_create_global_step()
    trained = [v for name, v in own.items() if "moving" not in name]
    averages = v1.train.ExponentialMovingAverage(0.5)
    update = averages.apply(trained)
    loss = tf.reduce_sum(tf.square(x))
    train = v1.train.MomentumOptimizer(0.0, 0.9).minimize(loss, global_step=step, var_list=trained)
    others = [v for v in v1.global_variables() if v.op.name not in own]
    session.run(v1.variables_initializer(others))
    assert train is not None
    # What training would have made of them, in halves, which pack well.
    values = session.run(trained)
    session.run([v.assign(halves(value * rng.uniform(0.9, 1.1))) for v, value in zip(trained, values)])
    session.run(update)
    shadows = [averages.average(v) for v in trained]
    values = session.run(shadows)
    session.run([v.assign(halves(value)) for v, value in zip(shadows, values)])
    with tempfile.TemporaryDirectory() as folder:
        v1.train.Saver().save(session, f"{folder}/slim.ckpt", global_step=7, write_meta_graph=False)
        for name in ["slim.ckpt-7.index", "slim.ckpt-7.data-00000-of-00001"]:
            keep(name, (Path(folder) / name).read_bytes())
    golden["slim"] = session.run(x, {image: pixels})[0]
    session.run([v.assign(shadow) for v, shadow in zip(trained, shadows)])
    golden["v1"] = session.run(x, {image: pixels})[0]
    with tempfile.TemporaryDirectory() as folder:
        saver = v1.train.Saver(list(own.values()), write_version=v1.train.SaverDef.V1)
        saver.save(session, f"{folder}/v1.ckpt", write_meta_graph=False)
        keep("v1.ckpt", (Path(folder) / "v1.ckpt").read_bytes())


if __name__ == "__main__":
    main()
