"""Records what tritonclient and kserve send, for `tests/integration/serve/inference.rs`.

    python -m venv venv && venv/bin/pip install "tritonclient[http]==2.73.0" kserve==0.21.0 pillow numpy
    venv/bin/python record.py

A server on loopback keeps each request as it came, and answers so that the client goes on. Of each
request `NAME.http` has the head and the body, with the port of `Host` replaced.
"""

import asyncio
import json
import pathlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import tritonclient.http as triton
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from PIL import Image

HERE = pathlib.Path(__file__).parent
DIGITS = HERE.parents[2] / "samples" / "digits"
SIZE = 32


class Recording(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = self.raw_requestline + bytes(self.headers).rstrip() + b"\n\n"
        head = re.sub(rb"\r?\n", b"\r\n", head)
        head = re.sub(rb"127\.0\.0\.1:\d+", b"127.0.0.1:8000", head)
        (HERE / f"{Recording.name}.http").write_bytes(head + body)
        answer = {"model_name": "mobilenet", "outputs": [
            {"name": "scores", "shape": [1, 1], "datatype": "FP32", "data": [0.0]}]}
        answer = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def pixels():
    """Two digits as the network takes them."""
    files = sorted(DIGITS.glob("*.png"))[:2]
    pictures = [Image.open(file).convert("RGB").resize((SIZE, SIZE), Image.BILINEAR) for file in files]
    return np.stack([np.asarray(picture) for picture in pictures])


def record_triton(address):
    client = triton.InferenceServerClient(address)

    def send(name, tensor, values, datatype, binary=True, outputs=None, **options):
        Recording.name = name
        infer_input = triton.InferInput(tensor, list(values.shape), datatype)
        infer_input.set_data_from_numpy(values, binary_data=binary)
        client.infer("mobilenet", [infer_input], outputs=outputs, **options)

    both = pixels()
    scaled = (both.astype(np.float32) / 127.5 - 1).transpose(0, 3, 1, 2).copy()
    wish = triton.InferRequestedOutput
    send("triton_pixels", "pixels", both, "UINT8")
    send("triton_pixels_json", "pixels", both, "UINT8", binary=False,
         outputs=[wish("scores", binary_data=False), wish("embedding", binary_data=True)])
    send("triton_scaled", "input", scaled, "FP32", model_version="1", request_id="seven")
    send("triton_half", "input", scaled.astype(np.float16), "FP16")
    send("triton_gzip", "input", scaled, "FP32", request_compression_algorithm="gzip")
    send("triton_classes", "pixels", both, "UINT8", outputs=[wish("scores", class_count=2)])
    files = [file.read_bytes() for file in sorted(DIGITS.glob("*.png"))[:2]]
    send("triton_files", "image", np.array(files, dtype=np.object_), "BYTES")


async def record_kserve(address):
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    for name, binary in [("kserve_pixels", True), ("kserve_pixels_json", False)]:
        Recording.name = name
        infer_input = InferInput("pixels", list(pixels().shape), "UINT8")
        infer_input.set_data_from_numpy(pixels(), binary_data=binary)
        request = InferRequest(model_name="mobilenet", infer_inputs=[infer_input], request_id="eight")
        await client.infer(f"http://{address}", model_name="mobilenet", data=request)


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recording)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_port}"
    record_triton(address)
    asyncio.run(record_kserve(address))


main()
