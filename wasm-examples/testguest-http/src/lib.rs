//! An HTTP guest that does what the path says. Tests use it to see a pod misbehave on purpose.
//!
//! ```text
//! /spin            computes for ever
//! /alloc?mib=N     takes and touches N MiB of memory, and answers
//! /trap            executes an illegal instruction
//! /env?name=NAME   answers with the variable NAME, or 404
//! /count           answers how many requests this instance has served
//! /echo            answers with the request's body
//! /status?code=N   answers with status N
//! anything else    answers `ok`
//! ```

mod exchange;

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use wasip2::cli::environment::get_environment;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, ResponseOutparam};

use crate::exchange::{answer, body_of};

struct TestGuest;

wasip2::http::proxy::export!(TestGuest);

/// Requests served by this instance: stays at 1 where each request gets a fresh one.
static SERVED: AtomicU64 = AtomicU64::new(0);

impl Guest for TestGuest {
    fn handle(request: IncomingRequest, response: ResponseOutparam) {
        let served = SERVED.fetch_add(1, Ordering::Relaxed) + 1;
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (status, text) = match path {
            "/spin" => spin(),
            "/trap" => core::arch::wasm32::unreachable(),
            "/alloc" => allocate(query),
            "/env" => variable(query),
            "/count" => (200, served.to_string().into_bytes()),
            "/echo" => (200, body_of(&request)),
            "/status" => (number(query, "code").unwrap_or(400), Vec::new()),
            _ => (200, b"ok".to_vec()),
        };
        answer(response, status, &text);
    }
}

fn spin() -> ! {
    let mut rounds = 0_u64;
    loop {
        rounds = black_box(rounds.wrapping_add(1));
    }
}

fn allocate(query: &str) -> (u16, Vec<u8>) {
    let Some(mib) = number::<usize>(query, "mib") else {
        return (400, b"mib: a number is needed".to_vec());
    };
    // Any byte other than 0 makes the allocator touch every page.
    black_box(&vec![1_u8; mib << 20]);
    (200, format!("allocated {mib}").into_bytes())
}

fn variable(query: &str) -> (u16, Vec<u8>) {
    let wanted = parameter(query, "name").unwrap_or_default();
    match get_environment().into_iter().find(|(name, _)| name == wanted) {
        Some((_, value)) => (200, value.into_bytes()),
        None => (404, format!("{wanted} is not set").into_bytes()),
    }
}

fn number<N: std::str::FromStr>(query: &str, name: &str) -> Option<N> {
    parameter(query, name)?.parse().ok()
}

fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name).map(|p| p.1)
}
