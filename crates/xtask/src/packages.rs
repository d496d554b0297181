//! Which Debian package brings what, and whether it is there.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// A Debian package, and how to see that what it brings is there, from wherever it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Package {
    /// Its name for `apt-get install`.
    pub(crate) name: &'static str,
    evidence: Evidence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evidence {
    /// A program on the search path.
    Program(&'static str),
    /// The package itself: others keep the same files elsewhere.
    Installed,
    /// Python modules that can be imported.
    PythonModules(&'static str),
}

const fn program(name: &'static str, program: &'static str) -> Package {
    Package { name, evidence: Evidence::Program(program) }
}

const fn installed(name: &'static str) -> Package {
    Package { name, evidence: Evidence::Installed }
}

/// C, compiled for Wasm.
pub(crate) const C: &[Package] = &[
    program("clang", "clang"),
    program("lld", "wasm-ld"),
    installed("libclang-rt-dev-wasm32"),
    installed("wasi-libc"),
];

/// Rust, compiled for Wasm without rustup's targets.
pub(crate) const RUST: &[Package] =
    &[installed("rust-web-src"), installed("rustc-web"), installed("wasi-libc")];

/// JavaScript, made into components.
pub(crate) const JAVASCRIPT: &[Package] = &[program("nodejs", "node"), program("npm", "npm")];

/// Python, made into components.
pub(crate) const PYTHON: &[Package] = &[
    program("python3", "python3"),
    Package { name: "python3-venv", evidence: Evidence::PythonModules("import venv, ensurepip") },
];

/// What the end-to-end tests talk to.
pub(crate) const TESTS: &[Package] = &[
    program("busybox-static", "busybox"),
    program("docker.io", "dockerd"),
    program("iptables", "iptables"),
    program("openssl", "openssl"),
    program("skopeo", "skopeo"),
    program("wrk", "wrk"),
];

impl Package {
    /// Whether what the package brings is on this machine.
    pub(crate) fn is_there(&self) -> bool {
        match self.evidence {
            Evidence::Program(program) => shell::has_program(program),
            Evidence::Installed => {
                let mut query = Command::new("dpkg-query");
                query.args(["--show", "--showformat=${db:Status-Status}", self.name]);
                shell::read(&mut query).is_ok_and(|status| status == "installed")
            }
            Evidence::PythonModules(import) => {
                shell::read(Command::new("python3").args(["-c", import])).is_ok()
            }
        }
    }
}

/// Those of `packages` that are not there, each once, by name.
pub(crate) fn missing(packages: &[&[Package]]) -> Vec<&'static str> {
    let mut names: Vec<&str> =
        packages.iter().copied().flatten().filter(|p| !p.is_there()).map(|p| p.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Fails unless all of `packages` are there, with the command that installs the rest.
///
/// # Errors
/// Something is missing; `purpose` says what for.
pub(crate) fn require(purpose: &str, packages: &[Package]) -> Result<()> {
    let missing = missing(&[packages]);
    if !missing.is_empty() {
        bail!("{purpose} needs more packages; as root: {}", install_command(&missing));
    }
    Ok(())
}

/// The command that installs `names`.
pub(crate) fn install_command(names: &[&str]) -> String {
    format!("apt-get install {}", names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_missing_package_once_and_in_order() {
        let absent = [program("zeta", "no-such-program-a"), program("alpha", "no-such-program-b")];
        let present = [program("shell", "sh")];
        assert_eq!(missing(&[&absent, &present, &absent]), ["alpha", "zeta"]);
        assert_eq!(install_command(&["alpha", "zeta"]), "apt-get install alpha zeta");
    }

    #[test]
    fn says_what_for_and_how_to_install() {
        let error = require("dancing", &[program("shoes", "no-such-program")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "dancing needs more packages; as root: apt-get install shoes"
        );
    }
}
