//! Sends back whatever its clients send, on port 8080, to many clients at a time.
//!
//! A guest has one thread, so this is one loop: wait until some connection can make progress, let
//! each one that can do so, and wait again. A client that does not read what it gets back holds
//! nobody up but itself.

mod echo;

use echo_tcp::{Error, Listener, wait};

use crate::echo::Echo;

const PORT: u16 = 8080;

fn main() -> Result<(), Error> {
    let listener = Listener::bind(PORT)?;
    println!("listening on port {PORT}");
    let mut clients: Vec<Echo> = Vec::new();
    loop {
        let ready = wait(std::iter::once(listener.ready()).chain(clients.iter().map(Echo::ready)));
        let mut position = 0;
        clients.retain_mut(|client| {
            position += 1;
            !ready.contains(&position) || client.advance().is_ok()
        });
        if ready.contains(&0)
            && let Some(connection) = listener.accept()?
        {
            clients.push(Echo::new(connection));
        }
    }
}
