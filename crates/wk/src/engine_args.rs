//! What can be typed about the container engine, and what it means on this machine.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::fs::{Access, access};
use wk_kubelet::LinuxDefaults;

/// Options about Linux containers.
#[derive(Debug, clap::Args)]
pub(crate) struct EngineArgs {
    /// The engine that runs Linux images, Docker's or Podman's: `unix:///PATH` of its socket, `none`,
    /// or `auto` for the first one in the usual places.
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    container_engine: ContainerEngine,
    /// The user's folder for sockets, where engines without root have theirs.
    #[arg(long, env = "XDG_RUNTIME_DIR", value_name = "DIR", hide = true)]
    runtime_dir: Option<PathBuf>,
    /// Most processes and threads of each Linux container; -1 is unbounded.
    #[arg(long, value_name = "N", default_value_t = 4096, allow_negative_numbers = true,
          value_parser = clap::value_parser!(i64).range(-1..=i64::from(u32::MAX)))]
    pod_max_pids: i64,
    /// Give Linux containers the engine's seccomp profile unless they say otherwise.
    #[arg(long)]
    seccomp_default: bool,
}

/// Which engine runs Linux images.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ContainerEngine {
    Auto,
    None,
    Socket(PathBuf),
}

impl FromStr for ContainerEngine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            _ => match text.strip_prefix("unix://") {
                Some(path) if path.starts_with('/') => Ok(Self::Socket(path.into())),
                _ => Err("must be `auto`, `none` or `unix:///PATH`".to_owned()),
            },
        }
    }
}

impl EngineArgs {
    /// The engine's socket; `None` where Linux images are not run.
    pub(crate) fn socket(&self) -> Option<PathBuf> {
        match &self.container_engine {
            ContainerEngine::None => None,
            // It need not be there yet.
            ContainerEngine::Socket(path) => Some(path.clone()),
            ContainerEngine::Auto => {
                let usable = |path: &PathBuf| access(path, Access::WRITE_OK).is_ok();
                usual(self.runtime_dir.as_deref()).find(usable)
            }
        }
    }

    /// What containers get that do not say otherwise, on behalf of a process that may enter network
    /// namespaces or not.
    pub(crate) fn defaults(&self, outlive_kubelet: bool, enters_namespaces: bool) -> LinuxDefaults {
        LinuxDefaults {
            max_pids: u32::try_from(self.pod_max_pids).ok().filter(|pids| *pids > 0),
            seccomp_default: self.seccomp_default,
            enters_namespaces,
            outlive_kubelet,
        }
    }
}

/// Where engines have their sockets: Docker's before Podman's, the user's own before the machine's.
fn usual(runtime_dir: Option<&Path>) -> impl Iterator<Item = PathBuf> {
    let names = ["docker.sock", "podman/podman.sock"];
    let of_user = runtime_dir.map(Path::to_owned);
    names.into_iter().flat_map(move |name| {
        let of_machine = [Path::new("/run").join(name), Path::new("/var/run").join(name)];
        of_user.as_ref().map(|folder| folder.join(name)).into_iter().chain(of_machine)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_a_socket_or_a_word() {
        for (text, expected) in [
            ("auto", Some(ContainerEngine::Auto)),
            ("none", Some(ContainerEngine::None)),
            ("unix:///run/docker.sock", Some(ContainerEngine::Socket("/run/docker.sock".into()))),
            ("unix://docker.sock", None),
            ("tcp://127.0.0.1:2375", None),
            ("", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }

    #[test]
    fn the_users_own_engine_comes_first() {
        let folder = Path::new("/run/user/5");
        let places: Vec<_> = usual(Some(folder)).collect();
        assert_eq!(places[0], Path::new("/run/user/5/docker.sock"));
        assert_eq!(places[3], Path::new("/run/user/5/podman/podman.sock"));
        assert_eq!(usual(None).count(), 4);
    }
}
