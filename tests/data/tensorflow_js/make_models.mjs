// TensorFlow.js's part of the fixtures of make_models.py: a model of its own, and the scores of all.
//
//     NODE_PATH=... node make_models.mjs [PYTHON]

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const tf = createRequire(import.meta.url)("@tensorflow/tfjs");
const here = dirname(fileURLToPath(import.meta.url));
const folder = join(here, "unpacked");
const blocks = [[1, 4], [2, 8], [1, 8], [2, 16], [1, 16], [2, 32], [2, 64], [1, 64]];

function own() {
  const model = tf.sequential();
  const add = (layer) => model.add(layer);
  const after = () => {
    add(tf.layers.batchNormalization({ epsilon: 1e-3 }));
    add(tf.layers.reLU({ maxValue: 6 }));
  };
  const settings = { padding: "same", useBias: false };
  add(tf.layers.conv2d({ inputShape: [48, 48, 3], filters: 2, kernelSize: 3, strides: 2, ...settings }));
  after();
  for (const [strides, filters] of blocks) {
    add(tf.layers.depthwiseConv2d({ kernelSize: 3, strides, ...settings }));
    after();
    add(tf.layers.conv2d({ filters, kernelSize: 1, ...settings }));
    after();
  }
  add(tf.layers.globalAveragePooling2d({ dataFormat: "channelsLast" }));
  add(tf.layers.dropout({ rate: 0.2 }));
  add(tf.layers.dense({ units: 5, activation: "softmax" }));
  let seed = 1;
  model.setWeights(model.getWeights(false).map((weight) => {
    // Kernels are larger than anything that a batch norm has.
    const norm = weight.rank === 1 && weight.shape[0] !== 5;
    const inputs = weight.rank === 4 && weight.shape[3] === 1 && weight.shape[0] === 3 ? 9 : weight.size / weight.shape.at(-1);
    return norm ? tf.randomUniform(weight.shape, 0.5, 1.5, "float32", seed++)
      : tf.randomNormal(weight.shape, 0, weight.rank === 1 ? 1 : Math.sqrt(2 / inputs), "float32", seed++);
  }));
  return model;
}

async function save(model, to) {
  await model.save(tf.io.withSaveHandler(async (artifacts) => {
    mkdirSync(to, { recursive: true });
    // As TensorFlow.js's own handlers for browsers and for Node write it.
    const manifest = [{ paths: ["weights.bin"], weights: artifacts.weightSpecs }];
    const text = tf.io.getModelJSONForModelArtifacts
      ? tf.io.getModelJSONForModelArtifacts(artifacts, manifest)
      : { modelTopology: artifacts.modelTopology, format: artifacts.format, generatedBy: artifacts.generatedBy, convertedBy: artifacts.convertedBy, weightsManifest: manifest };
    writeFileSync(join(to, "model.json"), JSON.stringify(text));
    writeFileSync(join(to, "weights.bin"), Buffer.from(tf.io.CompositeArrayBuffer.join(artifacts.weightData)));
    return { modelArtifactsInfo: tf.io.getModelArtifactsInfoForJSON(artifacts) };
  }));
}

function load(from) {
  const text = JSON.parse(readFileSync(join(from, "model.json")));
  const shards = text.weightsManifest.flatMap((group) => group.paths);
  const bytes = Buffer.concat(shards.map((shard) => readFileSync(join(from, shard))));
  const weightData = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const weightSpecs = text.weightsManifest.flatMap((group) => group.weights);
  return tf.loadLayersModel(tf.io.fromMemory({ modelTopology: text.modelTopology, weightSpecs, weightData }));
}

await tf.setBackend("cpu");
await save(own(), join(folder, "saved"));
for (const file of readdirSync(folder).filter((name) => name.endsWith(".pixels.json"))) {
  const name = file.split(".")[0];
  if (!existsSync(join(folder, name))) continue;
  const pixels = tf.tensor4d(JSON.parse(readFileSync(join(folder, file))));
  // What scales its pixels itself takes bytes.
  const input = name === "nested" ? pixels : pixels.div(127.5).sub(1);
  const model = await load(join(folder, name));
  writeFileSync(join(folder, `${name}.scores.json`), JSON.stringify([...model.predict(input).dataSync()]));
}
execFileSync(process.argv[2] ?? "python", [join(here, "make_models.py"), "pack"], { stdio: "inherit" });
