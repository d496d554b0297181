//! Prints a greeting, the arguments it was started with, and ends with code 0.
//!
//! Set `GREETING` to be greeted differently.

use std::env;

fn main() {
    let greeting = env::var("GREETING").unwrap_or_else(|_| "Hello".to_owned());
    println!("{greeting} from WebAssembly!");
    for (position, argument) in env::args().enumerate().skip(1) {
        println!("argument {position}: {argument}");
    }
}
