//! Where things are in the repository.

use std::path::{Path, PathBuf};

/// The repository that this program was built from.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    root: PathBuf,
}

impl Project {
    /// The repository that holds this program's source.
    pub(crate) fn here() -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package.ancestors().nth(2).expect("xtask lives in crates/xtask");
        Self { root: root.to_owned() }
    }

    /// The top folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The sources of the examples: one folder each.
    pub(crate) fn examples(&self) -> PathBuf {
        self.root.join("wasm-examples")
    }

    /// Where built examples are left, for users and tests.
    pub(crate) fn built_examples(&self) -> PathBuf {
        self.root.join("target/wasm-examples")
    }

    /// Intermediate results of building guests, apart from those of the host's crates.
    pub(crate) fn guest_build(&self) -> PathBuf {
        self.root.join("target/wasm-build")
    }

    /// The programs that tests run in foreign clients, and what those clients are.
    pub(crate) fn test_clients(&self) -> PathBuf {
        self.root.join("tests/clients")
    }

    /// Tools that are installed for this repository alone.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("target/tools")
    }
}
