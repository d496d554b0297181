/* Answers every HTTP request with a page that says what was asked.
 *
 * The host owns the socket and calls exports_wasi_http_incoming_handler_handle once for each
 * request. http.h and http.c are generated from the definition of wasi:http by
 * `cargo xtask examples hello-c`. */

#include <stdio.h>
#include <string.h>

#include "http.h"

static const char *const METHODS[] = {
    [WASI_HTTP_TYPES_METHOD_GET] = "GET",         [WASI_HTTP_TYPES_METHOD_HEAD] = "HEAD",
    [WASI_HTTP_TYPES_METHOD_POST] = "POST",       [WASI_HTTP_TYPES_METHOD_PUT] = "PUT",
    [WASI_HTTP_TYPES_METHOD_DELETE] = "DELETE",   [WASI_HTTP_TYPES_METHOD_CONNECT] = "CONNECT",
    [WASI_HTTP_TYPES_METHOD_OPTIONS] = "OPTIONS", [WASI_HTTP_TYPES_METHOD_TRACE] = "TRACE",
    [WASI_HTTP_TYPES_METHOD_PATCH] = "PATCH",
};

/* Writes the page into `page` and returns its length. A target that is too long is cut. */
static size_t write_page(wasi_http_types_borrow_incoming_request_t request, char *page,
                         size_t size) {
  wasi_http_types_method_t method;
  wasi_http_types_method_incoming_request_method(request, &method);
  http_string_t path;
  bool has_path = wasi_http_types_method_incoming_request_path_with_query(request, &path);

  bool other = method.tag == WASI_HTTP_TYPES_METHOD_OTHER;
  const char *name = other ? (const char *)method.val.other.ptr : METHODS[method.tag];
  size_t name_length = other ? method.val.other.len : strlen(name);
  int length = snprintf(page, size, "Hello from C!\n%.*s %.*s\n", (int)name_length, name,
                        has_path ? (int)path.len : 1, has_path ? (const char *)path.ptr : "/");

  wasi_http_types_method_free(&method);
  if (has_path) http_string_free(&path);
  return (size_t)length < size ? (size_t)length : size - 1;
}

static wasi_http_types_own_fields_t headers(void) {
  wasi_http_types_own_fields_t fields = wasi_http_types_constructor_fields();
  http_string_t name;
  http_string_set(&name, "content-type");
  char text[] = "text/plain; charset=utf-8";
  wasi_http_types_field_value_t value = {.ptr = (uint8_t *)text, .len = strlen(text)};
  wasi_http_types_header_error_t error;
  wasi_http_types_method_fields_append(wasi_http_types_borrow_fields(fields), &name, &value,
                                       &error);
  return fields;
}

void exports_wasi_http_incoming_handler_handle(
    exports_wasi_http_incoming_handler_own_incoming_request_t request,
    exports_wasi_http_incoming_handler_own_response_outparam_t response_out) {
  char page[2048];
  size_t length =
      write_page(wasi_http_types_borrow_incoming_request(request), page, sizeof page);
  wasi_http_types_incoming_request_drop_own(request);

  wasi_http_types_own_outgoing_response_t response =
      wasi_http_types_constructor_outgoing_response(headers());
  wasi_http_types_own_outgoing_body_t body;
  if (!wasi_http_types_method_outgoing_response_body(
          wasi_http_types_borrow_outgoing_response(response), &body)) {
    __builtin_trap(); /* It is asked for once: it cannot be gone. */
  }
  wasi_http_types_result_own_outgoing_response_error_code_t result = {.val.ok = response};
  wasi_http_types_static_response_outparam_set(response_out, &result);

  wasi_io_streams_own_output_stream_t stream;
  if (!wasi_http_types_method_outgoing_body_write(wasi_http_types_borrow_outgoing_body(body),
                                                  &stream)) {
    __builtin_trap();
  }
  http_list_u8_t bytes = {.ptr = (uint8_t *)page, .len = length};
  wasi_io_streams_stream_error_t write_error;
  bool sent = wasi_io_streams_method_output_stream_blocking_write_and_flush(
      wasi_io_streams_borrow_output_stream(stream), &bytes, &write_error);
  if (!sent) wasi_io_streams_stream_error_free(&write_error);
  /* A body can only be finished once its stream is gone. */
  wasi_io_streams_output_stream_drop_own(stream);
  wasi_http_types_error_code_t finish_error;
  if (!wasi_http_types_static_outgoing_body_finish(body, NULL, &finish_error)) {
    wasi_http_types_error_code_free(&finish_error);
  }
}
