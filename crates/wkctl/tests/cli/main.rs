//! The real binary against a server that answers as the test says.

#[cfg(test)]
mod commands;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod server;
#[cfg(test)]
mod verbs;
