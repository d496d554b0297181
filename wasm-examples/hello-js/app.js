// Answers every HTTP request with a page that says what was asked.
//
// The exported object is the interface `wasi:http/incoming-handler`: the host owns the socket and
// calls `handle` once for each request.

import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from "wasi:http/types@0.2.12";

export const incomingHandler = {
  handle(request, responseOut) {
    const method = request.method();
    const name = method.tag === "other" ? method.val : method.tag.toUpperCase();
    const page = `Hello from JavaScript!\n${name} ${request.pathWithQuery() ?? "/"}\n`;

    const encoder = new TextEncoder();
    const type = encoder.encode("text/plain; charset=utf-8");
    const response = new OutgoingResponse(Fields.fromList([["content-type", type]]));
    const body = response.body();
    ResponseOutparam.set(responseOut, { tag: "ok", val: response });

    const stream = body.write();
    stream.blockingWriteAndFlush(encoder.encode(page));
    stream[Symbol.dispose](); // A body can only be finished once its stream is gone.
    OutgoingBody.finish(body, undefined);
  },
};
