//! Guests as text: what a test needs and nothing more.

/// A core module whose `_start` is `start`, with `proc_exit` and `fd_write` imported.
pub(crate) fn core(functions: &str, start: &str) -> String {
    format!(
        r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; The text "hello\n" at 64 and a vector that points to it at 0.
  (data (i32.const 64) "hello\n")
  (data (i32.const 0) "\40\00\00\00\06\00\00\00")
  {functions}
  (func (export "_start") {start}))"#
    )
}

/// Runs until it is ended, without a pause.
pub(crate) fn spinning() -> String {
    core("", "(loop $again (br $again))")
}

/// The `error-code` of `wasi:http/types`, with the records it holds.
const HTTP_ERROR: &str = r#"
    (type $dns0 (record (field "rcode" (option string)) (field "info-code" (option u16))))
    (export "DNS-error-payload" (type $dns (eq $dns0)))
    (type $tls0 (record (field "alert-id" (option u8)) (field "alert-message" (option string))))
    (export "TLS-alert-received-payload" (type $tls (eq $tls0)))
    (type $size0 (record (field "field-name" (option string)) (field "field-size" (option u32))))
    (export "field-size-payload" (type $size (eq $size0)))
    (type $code0 (variant
      (case "DNS-timeout") (case "DNS-error" $dns) (case "destination-not-found")
      (case "destination-unavailable") (case "destination-IP-prohibited")
      (case "destination-IP-unroutable") (case "connection-refused")
      (case "connection-terminated") (case "connection-timeout")
      (case "connection-read-timeout") (case "connection-write-timeout")
      (case "connection-limit-reached") (case "TLS-protocol-error")
      (case "TLS-certificate-error") (case "TLS-alert-received" $tls)
      (case "HTTP-request-denied") (case "HTTP-request-length-required")
      (case "HTTP-request-body-size" (option u64)) (case "HTTP-request-method-invalid")
      (case "HTTP-request-URI-invalid") (case "HTTP-request-URI-too-long")
      (case "HTTP-request-header-section-size" (option u32))
      (case "HTTP-request-header-size" (option $size))
      (case "HTTP-request-trailer-section-size" (option u32))
      (case "HTTP-request-trailer-size" $size) (case "HTTP-response-incomplete")
      (case "HTTP-response-header-section-size" (option u32))
      (case "HTTP-response-header-size" $size) (case "HTTP-response-body-size" (option u64))
      (case "HTTP-response-trailer-section-size" (option u32))
      (case "HTTP-response-trailer-size" $size)
      (case "HTTP-response-transfer-coding" (option string))
      (case "HTTP-response-content-coding" (option string)) (case "HTTP-response-timeout")
      (case "HTTP-upgrade-failed") (case "HTTP-protocol-error") (case "loop-detected")
      (case "configuration-error") (case "internal-error" (option string))))
    (export "error-code" (type $code (eq $code0)))"#;

/// A `wasi:http` component that runs `before` and then answers, without a body, with status 200
/// plus the number of requests that its instance answered before.
pub(crate) fn http(before: &str) -> String {
    format!(
        r#"(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "fields" (type $fields (sub resource)))
    (export "headers" (type $headers (eq $fields)))
    (export "incoming-request" (type $request (sub resource)))
    (export "outgoing-response" (type $response (sub resource)))
    (export "response-outparam" (type $outparam (sub resource)))
    {HTTP_ERROR}
    (export "[constructor]fields" (func (result (own $fields))))
    (export "[constructor]outgoing-response"
      (func (param "headers" (own $headers)) (result (own $response))))
    (export "[method]outgoing-response.set-status-code"
      (func (param "self" (borrow $response)) (param "status-code" u16) (result (result))))
    (export "[static]response-outparam.set"
      (func (param "param" (own $outparam))
            (param "response" (result (own $response) (error $code)))))))
  (alias export $types "incoming-request" (type $request))
  (alias export $types "response-outparam" (type $outparam))
  (core module $memory (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (core func $fields (canon lower (func $types "[constructor]fields")))
  (core func $response (canon lower (func $types "[constructor]outgoing-response")))
  (core func $status
    (canon lower (func $types "[method]outgoing-response.set-status-code")))
  (core func $set (canon lower (func $types "[static]response-outparam.set")
    (memory $mem) (realloc (core func $memory "realloc"))))
  (core func $drop (canon resource.drop $request))
  (core module $main
    (import "host" "fields" (func $fields (result i32)))
    (import "host" "response" (func $response (param i32) (result i32)))
    (import "host" "status" (func $status (param i32 i32) (result i32)))
    (import "host" "set" (func $set (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
    (import "host" "drop" (func $drop (param i32)))
    (memory 1)
    (global $answered (mut i32) (i32.const 0))
    (func (export "handle") (param $request i32) (param $out i32)
      (local $answer i32)
      {before}
      (call $drop (local.get $request))
      (local.set $answer (call $response (call $fields)))
      (drop (call $status (local.get $answer)
        (i32.add (i32.const 200) (global.get $answered))))
      (global.set $answered (i32.add (global.get $answered) (i32.const 1)))
      (call $set (local.get $out) (i32.const 0) (local.get $answer) (i32.const 0)
        (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))))
  (core instance $main (instantiate $main (with "host" (instance
    (export "fields" (func $fields)) (export "response" (func $response))
    (export "status" (func $status)) (export "set" (func $set)) (export "drop" (func $drop))))))
  (func $handle (param "request" (own $request)) (param "response-out" (own $outparam))
    (canon lift (core func $main "handle")))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/incoming-handler@0.2.0" (instance $handler)))"#
    )
}

/// A `wasi:cli` component that binds `0.0.0.0:80`, listens, asks for the address it has, and then
/// runs until it is ended; it fails (exit code 1) if any of it does or the address is another one.
pub(crate) const LISTENING: &str = r#"(component
  (import "wasi:sockets/network@0.2.0" (instance $network
    (export "network" (type $network (sub resource)))
    (type $code0 (enum "unknown" "access-denied" "not-supported" "invalid-argument"
      "out-of-memory" "timeout" "concurrency-conflict" "not-in-progress" "would-block"
      "invalid-state" "new-socket-limit" "address-not-bindable" "address-in-use"
      "remote-unreachable" "connection-refused" "connection-reset" "connection-aborted"
      "datagram-too-large" "name-unresolvable" "temporary-resolver-failure"
      "permanent-resolver-failure"))
    (export "error-code" (type $code (eq $code0)))
    (type $family0 (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type $family (eq $family0)))
    (type $v4 (tuple u8 u8 u8 u8))
    (export "ipv4-address" (type $ipv4 (eq $v4)))
    (type $v6 (tuple u16 u16 u16 u16 u16 u16 u16 u16))
    (export "ipv6-address" (type $ipv6 (eq $v6)))
    (type $s4 (record (field "port" u16) (field "address" $ipv4)))
    (export "ipv4-socket-address" (type $socket4 (eq $s4)))
    (type $s6 (record (field "port" u16) (field "flow-info" u32) (field "address" $ipv6)
      (field "scope-id" u32)))
    (export "ipv6-socket-address" (type $socket6 (eq $s6)))
    (type $a0 (variant (case "ipv4" $socket4) (case "ipv6" $socket6)))
    (export "ip-socket-address" (type $address (eq $a0)))))
  (alias export $network "network" (type $network-type))
  (alias export $network "error-code" (type $code))
  (alias export $network "ip-address-family" (type $family))
  (alias export $network "ip-socket-address" (type $address))
  (import "wasi:sockets/instance-network@0.2.0" (instance $instance-network
    (alias outer 1 $network-type (type $n0))
    (export "network" (type $n (eq $n0)))
    (export "instance-network" (func (result (own $n))))))
  (import "wasi:sockets/tcp@0.2.0" (instance $tcp
    (alias outer 1 $network-type (type $n0)) (export "network" (type $n (eq $n0)))
    (alias outer 1 $code (type $c0)) (export "error-code" (type $c (eq $c0)))
    (alias outer 1 $address (type $a0)) (export "ip-socket-address" (type $a (eq $a0)))
    (export "tcp-socket" (type $socket (sub resource)))
    (export "[method]tcp-socket.start-bind" (func (param "self" (borrow $socket))
      (param "network" (borrow $n)) (param "local-address" $a) (result (result (error $c)))))
    (export "[method]tcp-socket.finish-bind"
      (func (param "self" (borrow $socket)) (result (result (error $c)))))
    (export "[method]tcp-socket.start-listen"
      (func (param "self" (borrow $socket)) (result (result (error $c)))))
    (export "[method]tcp-socket.finish-listen"
      (func (param "self" (borrow $socket)) (result (result (error $c)))))
    (export "[method]tcp-socket.local-address"
      (func (param "self" (borrow $socket)) (result (result $a (error $c)))))))
  (alias export $tcp "tcp-socket" (type $socket-type))
  (import "wasi:sockets/tcp-create-socket@0.2.0" (instance $create
    (alias outer 1 $code (type $c0)) (export "error-code" (type $c (eq $c0)))
    (alias outer 1 $family (type $f0)) (export "ip-address-family" (type $f (eq $f0)))
    (alias outer 1 $socket-type (type $s0)) (export "tcp-socket" (type $s (eq $s0)))
    (export "create-tcp-socket"
      (func (param "address-family" $f) (result (result (own $s) (error $c)))))))
  (core module $memory (memory (export "memory") 1))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (core func $network (canon lower (func $instance-network "instance-network")))
  (core func $create (canon lower (func $create "create-tcp-socket")
    (memory $mem)))
  (core func $start-bind (canon lower (func $tcp "[method]tcp-socket.start-bind")
    (memory $mem)))
  (core func $finish-bind (canon lower (func $tcp "[method]tcp-socket.finish-bind")
    (memory $mem)))
  (core func $start-listen (canon lower (func $tcp "[method]tcp-socket.start-listen")
    (memory $mem)))
  (core func $finish-listen (canon lower (func $tcp "[method]tcp-socket.finish-listen")
    (memory $mem)))
  (core func $local-address (canon lower (func $tcp "[method]tcp-socket.local-address")
    (memory $mem)))
  (core module $main
    (import "host" "memory" (memory 1))
    (import "host" "network" (func $network (result i32)))
    (import "host" "create" (func $create (param i32 i32)))
    (import "host" "start-bind" (func $start-bind (param i32 i32 i32
      i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "finish-bind" (func $finish-bind (param i32 i32)))
    (import "host" "start-listen" (func $start-listen (param i32 i32)))
    (import "host" "finish-listen" (func $finish-listen (param i32 i32)))
    (import "host" "local-address" (func $local-address (param i32 i32)))
    (func $failed (result i32) (i32.load8_u (i32.const 0)))
    (func (export "run") (result i32)
      (local $socket i32)
      (call $create (i32.const 0) (i32.const 0))
      (if (call $failed) (then (return (i32.const 1))))
      (local.set $socket (i32.load (i32.const 4)))
      ;; 0.0.0.0:80
      (call $start-bind (local.get $socket) (call $network) (i32.const 0)
        (i32.const 80) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const 0))
      (if (call $failed) (then (return (i32.const 1))))
      (call $finish-bind (local.get $socket) (i32.const 0))
      (if (call $failed) (then (return (i32.const 1))))
      (call $start-listen (local.get $socket) (i32.const 0))
      (if (call $failed) (then (return (i32.const 1))))
      (call $finish-listen (local.get $socket) (i32.const 0))
      (if (call $failed) (then (return (i32.const 1))))
      (call $local-address (local.get $socket) (i32.const 0))
      (if (call $failed) (then (return (i32.const 1))))
      ;; The result's payload starts at 4, the variant's at 8: the port, then the address.
      (if (i32.ne (i32.load16_u (i32.const 8)) (i32.const 80)) (then (return (i32.const 1))))
      (if (i32.ne (i32.load8_u (i32.const 10)) (i32.const 10)) (then (return (i32.const 1))))
      (loop $again (br $again))
      unreachable))
  (core instance $main (instantiate $main (with "host" (instance
    (export "memory" (memory $mem))
    (export "network" (func $network)) (export "create" (func $create))
    (export "start-bind" (func $start-bind)) (export "finish-bind" (func $finish-bind))
    (export "start-listen" (func $start-listen)) (export "finish-listen" (func $finish-listen))
    (export "local-address" (func $local-address))))))
  (func $run (result (result)) (canon lift (core func $main "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.2.0" (instance $run)))"#;

/// A `wasi:cli` component of WASI 0.3 without imports, whose `run` is `body`.
pub(crate) fn command_p3(body: &str) -> String {
    format!(
        r#"(component
  (core module $main (memory 1) (func (export "run") (result i32) {body}))
  (core instance $main (instantiate $main))
  (func $run async (result (result)) (canon lift (core func $main "run")))
  (instance $run (export "run" (func $run)))
  (export "wasi:cli/run@0.3.0" (instance $run)))"#
    )
}

/// A `wasi:http` component of WASI 0.3 that does `body` for each request, and ends it as a failure
/// of its own if that comes to an end.
pub(crate) fn http_p3(body: &str) -> String {
    format!(
        r#"(component
  (import "wasi:http/types@0.3.0" (instance $types
    (export "request" (type $request (sub resource)))
    (export "response" (type $response (sub resource)))
    {HTTP_ERROR}))
  (alias export $types "request" (type $request))
  (alias export $types "response" (type $response))
  (alias export $types "error-code" (type $code))
  (core module $main (memory (export "memory") 1)
    (func (export "handle") (param $request i32) (result i32)
      {body}
      ;; An error, and of them the one for loops.
      (i32.store8 (i32.const 0) (i32.const 1))
      (i32.store8 (i32.const 8) (i32.const 36))
      (i32.const 0)))
  (core instance $main (instantiate $main))
  (func $handle async (param "request" (own $request))
    (result (result (own $response) (error $code)))
    (canon lift (core func $main "handle") (memory (core memory $main "memory"))))
  (instance $handler (export "handle" (func $handle)))
  (export "wasi:http/handler@0.3.0" (instance $handler)))"#
    )
}

/// A core module that copies its input to its output until the input ends.
pub(crate) const CAT: &str = r#"(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $from i32) (local $left i32)
    (loop $pieces
      (i32.store (i32.const 0) (i32.const 1024))
      (i32.store (i32.const 4) (i32.const 4096))
      (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))
        (then (call $exit (i32.const 1))))
      (local.set $left (i32.load (i32.const 8)))
      (if (i32.eqz (local.get $left)) (then (return)))
      (local.set $from (i32.const 1024))
      (loop $rest
        (i32.store (i32.const 0) (local.get $from))
        (i32.store (i32.const 4) (local.get $left))
        (if (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))
          (then (call $exit (i32.const 2))))
        (local.set $from (i32.add (local.get $from) (i32.load (i32.const 8))))
        (local.set $left (i32.sub (local.get $left) (i32.load (i32.const 8))))
        (br_if $rest (local.get $left)))
      (br $pieces))))"#;
