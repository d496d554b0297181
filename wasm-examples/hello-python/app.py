"""Answers every HTTP request with a page that says what was asked.

The class is the interface `wasi:http/incoming-handler`: the host owns the socket and calls `handle`
once for each request.
"""

from componentize_py_types import Ok
from wit_world import exports
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Other,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        method = request.method()
        if isinstance(method, Method_Other):
            name = method.value
        else:
            name = type(method).__name__.removeprefix("Method_").upper()
        page = f"Hello from Python!\n{name} {request.path_with_query() or '/'}\n"

        headers = Fields.from_list([("content-type", b"text/plain; charset=utf-8")])
        response = OutgoingResponse(headers)
        body = response.body()
        ResponseOutparam.set(response_out, Ok(response))

        # A body can only be finished once its stream is gone.
        with body.write() as stream:
            stream.blocking_write_and_flush(page.encode())
        OutgoingBody.finish(body, None)
