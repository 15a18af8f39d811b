#!/usr/bin/env bash
# kserve's client shows why a request failed only where the media type is spelled `application/json` and no more.
#
# The Open Inference Protocol answers a bad request with {"error": "..."}. RFC 8259 gives application/json no charset, but many
# frameworks add one, and HTTP lets them: `application/json; charset=utf-8` is the same media type. The client compares
# strings, and what the server said is lost: the exception has the status and the address alone.
# Source: kserve 0.21.0, observed with a server of Python's own library.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check kserve==0.21.0 numpy
"$work/venv/bin/python" - 2> /dev/null <<'PYTHON'
import asyncio
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

REASON = "the shape is [N, 4]"
media_type = None


class Server(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"error": REASON}).encode()
        self.send_response(400)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()


async def shown():
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0))
    values = InferInput("x", [1, 3], "FP32")
    values.set_data_from_numpy(np.zeros((1, 3), np.float32))
    request = InferRequest(model_name="m", infer_inputs=[values])
    try:
        await client.infer(f"http://127.0.0.1:{server.server_port}", data=request, model_name="m")
    except Exception as error:
        return REASON in str(error)


print("kserve 0.21.0: the reason of a failed request is in the exception")
print("expected: for both spellings")
seen = {}
for media_type in ["application/json", "application/json; charset=utf-8"]:
    seen[media_type] = asyncio.run(shown())
    print(f"observed: {media_type}: {'yes' if seen[media_type] else 'no'}")
sys.exit(0 if list(seen.values()) == [True, False] else "The behaviour is not as stated.")
PYTHON
