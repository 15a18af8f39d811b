#!/usr/bin/env bash
# The answers of the published MobileNet for TensorFlow.js cannot tell a crane from a crane.
#
# ImageNet has two classes of that name, the bird (134) and the machine (517). The package answers with className and
# probability, and nothing else, so that both are "crane": a map from className to anything has 999 entries, and top-5
# lists can hold the same name twice. Other lists tell the two apart ("crane bird" in torchvision), so that results of
# two tools cannot be joined by their labels either. An index or a WordNet id is what is needed, and is not there.
# Source: @tensorflow-models/mobilenet 2.1.1, dist/imagenet_classes.js, getTopKClasses() in dist/index.js.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

npm install --silent --no-audit --no-fund --no-save --legacy-peer-deps @tensorflow-models/mobilenet@2.1.1
cat > labels.js <<'JS'
const fs = require("fs");
const { IMAGENET_CLASSES } = require("@tensorflow-models/mobilenet/dist/imagenet_classes.js");
const indices = {};
for (const [index, name] of Object.entries(IMAGENET_CLASSES)) (indices[name] ??= []).push(Number(index));
const repeated = Object.entries(indices).filter(([, of]) => of.length > 1);
const types = fs.readFileSync(require.resolve("@tensorflow-models/mobilenet/dist/index.d.ts"), "utf8");
const fields = [...types.matchAll(/classify\([^]*?Array<\{([^}]*)\}>/g)][0][1].match(/\w+(?=:)/g);

console.log("@tensorflow-models/mobilenet 2.1.1");
console.log("expected: 1000 classes with 1000 names, or an index or WordNet id in the answer");
console.log(`observed: ${Object.keys(IMAGENET_CLASSES).length} classes, ${Object.keys(indices).length} names;` +
  ` repeated: ${JSON.stringify(repeated)}; an answer holds: ${fields.join(", ")}`);
if (JSON.stringify(repeated) !== '[["crane",[134,517]]]' || fields.join() !== "className,probability") {
  console.error("The behaviour is not as stated.");
  process.exit(1);
}
JS
node labels.js
