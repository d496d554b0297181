//! Where the programs under test and the clients are.

use std::env;
use std::path::PathBuf;

/// The folder that cargo put this test's own executable into, two levels up: `target/PROFILE`.
fn profile_folder() -> PathBuf {
    let own = env::current_exe().expect("a test knows its own path");
    own.ancestors().nth(2).expect("tests run from `target/PROFILE/deps`").to_owned()
}

fn built(name: &str) -> PathBuf {
    let path = profile_folder().join(name);
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

/// The stock client: what `KUBECTL` names, else `kubectl`.
///
/// # Panics
/// If there is none.
pub fn kubectl_path() -> PathBuf {
    if let Some(named) = env::var_os("KUBECTL") {
        return named.into();
    }
    env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .map(|folder| folder.join("kubectl"))
        .find(|path| path.exists())
        .expect("`kubectl` is needed for this test, and is not on the PATH")
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
