"""For `serve.py`: BentoML's service, with a worker a core."""

import os

import bentoml
from peers import load
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

classify = load(os.environ["MODEL"])


async def answer(request: Request):
    return JSONResponse(await run_in_threadpool(classify, await request.body()))


# Its own way of taking a picture is a form; the body as it is, as the others take it, is faster.
@bentoml.service(workers=int(os.environ["WORKERS"]))
@bentoml.asgi_app(Starlette(routes=[Route("/classify", answer, methods=["POST"])]))
class Classifier:
    pass
