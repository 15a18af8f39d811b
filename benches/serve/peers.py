"""The same service on Python stacks, for `serve.py`: Pillow and ONNX Runtime behind HTTP.

    python peers.py MODEL.onnx PORT WORKERS

starts FastAPI; BentoML is started by `serve.py` (`bento_service.py`). Each takes the bytes of a picture as the body of
`POST /classify`.
"""

import io
import os
import sys

import numpy as np
from PIL import Image

SIZE, SHORTER, TOP = 224, 256, 5


def load(model):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def classify(body):
        image = Image.open(io.BytesIO(body))
        image = image.convert("RGB")
        width, height = image.size
        if width <= height:
            size = SHORTER, height * SHORTER // width
        else:
            size = width * SHORTER // height, SHORTER
        image = image.resize(size, Image.Resampling.BILINEAR)
        left, top = ((side - SIZE) // 2 for side in size)
        pixels = np.asarray(image.crop((left, top, left + SIZE, top + SIZE)))
        x = pixels.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
        logits = session.run(None, {"input": x})[0][0]
        powers = np.exp(logits - logits.max())
        scores = powers / powers.sum()
        best = np.argsort(-scores)[:TOP]
        return {"predictions": [{"index": int(i), "score": float(scores[i])} for i in best]}

    return classify


def fastapi_app():
    from fastapi import FastAPI, Request
    from fastapi.concurrency import run_in_threadpool

    app, classify = FastAPI(), load(os.environ["MODEL"])

    @app.post("/classify")
    async def answer(request: Request):
        return await run_in_threadpool(classify, await request.body())

    return app


def main():
    import uvicorn

    model, port, workers = sys.argv[1:]
    os.environ["MODEL"] = model
    uvicorn.run("peers:fastapi_app", factory=True, port=int(port), workers=int(workers), log_level="error",
                access_log=False, http="httptools", loop="uvloop")


if __name__ == "__main__":
    main()
