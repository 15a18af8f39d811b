// Labels of pictures from `mobilenet serve`, with nothing but Node's own library (18 or newer).
//
//     node client.mjs http://127.0.0.1:8080 cat.jpg dog.jpg

import { readFile } from "node:fs/promises";

const [address, ...paths] = process.argv.slice(2);

/** The rows of several pictures in one request, each as soon as it is ready. */
async function* classify(pictures) {
    const form = new FormData();
    for (const [path, bytes] of pictures) {
        form.append("picture", new Blob([bytes]), path);
    }
    const headers = { Accept: "application/x-ndjson" };
    if (process.env.MOBILENET_TOKEN) {
        headers.Authorization = `Bearer ${process.env.MOBILENET_TOKEN}`;
    }
    const response = await fetch(new URL("/v1/classify?k=1", address), { method: "POST", body: form, headers });
    if (!response.ok) {
        throw new Error((await response.json()).error.message);
    }
    let rest = "";
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split("\n");
        rest = lines.pop();
        yield* lines.map((line) => JSON.parse(line));
    }
}

const pictures = await Promise.all(paths.map(async (path) => [path, await readFile(path)]));
for await (const { path, predictions, error } of classify(pictures)) {
    if (error) {
        process.exitCode = 2;
        console.error(`${path}: ${error.message}`);
    }
    for (const { label, score } of predictions) {
        console.log(`${path}\t${label}\t${score.toFixed(4)}`);
    }
}
