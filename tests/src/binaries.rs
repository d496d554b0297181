//! Where the programs under test and the clients are.

use std::env;
use std::path::PathBuf;

use crate::tool;

/// The folder that cargo put this test's own executable into, two levels up: `target/PROFILE`.
fn profile_folder() -> PathBuf {
    let own = env::current_exe().expect("a test knows its own path");
    own.ancestors().nth(2).expect("tests run from `target/PROFILE/deps`").to_owned()
}

/// A program in the folder that `WK_PROGRAMS` names, else from the same build as the test.
fn built(name: &str) -> PathBuf {
    let folder = env::var_os("WK_PROGRAMS").map_or_else(profile_folder, PathBuf::from);
    let path = folder.join(name);
    assert!(
        path.exists(),
        "`{}` is missing: build it with `cargo build --release` first",
        path.display()
    );
    path
}

/// The real `wk`.
///
/// # Panics
/// If it is not built.
pub fn wk_path() -> PathBuf {
    built("wk")
}

/// The real `wkctl`.
///
/// # Panics
/// If it is not built.
pub fn wkctl_path() -> PathBuf {
    built("wkctl")
}

/// The stock client: what `KUBECTL` names, else the newest that `cargo xtask deps` installs.
///
/// # Panics
/// If there is none.
pub fn kubectl_path() -> PathBuf {
    env::var_os("KUBECTL").map_or_else(|| tool("kubernetes-1.37/kubectl"), PathBuf::from)
}

/// An example guest that `cargo xtask examples` has built.
///
/// # Panics
/// If it is not built.
pub fn example(name: &str) -> PathBuf {
    let target = profile_folder().parent().expect("`target/PROFILE` has a parent").to_owned();
    let path = target.join("wasm-examples").join(format!("{name}.wasm"));
    assert!(
        path.exists(),
        "`{}` is missing: build it with `cargo xtask examples` first",
        path.display()
    );
    path
}
