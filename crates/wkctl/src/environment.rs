//! What the process's surroundings say; read once, in `main`.

use std::ffi::OsString;
use std::path::PathBuf;

/// The environment variables that matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `KUBECONFIG`: paths, separated as in `PATH`.
    pub(crate) kubeconfig: Option<OsString>,
    /// `HOME`.
    pub(crate) home: Option<PathBuf>,
    /// `XDG_DATA_HOME`.
    pub(crate) data_home: Option<PathBuf>,
    /// `DOCKER_CONFIG`: a folder.
    pub(crate) docker_config: Option<PathBuf>,
    /// `KUBE_EDITOR`, else `EDITOR`.
    pub(crate) editor: Option<String>,
    /// `KUBECTL_EXTERNAL_DIFF`: a program that compares two folders, with its flags.
    pub(crate) external_diff: Option<String>,
}

impl Environment {
    /// Reads the process's environment.
    pub(crate) fn of_process() -> Self {
        let path =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let word = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        Self {
            kubeconfig: std::env::var_os("KUBECONFIG"),
            home: path("HOME"),
            data_home: path("XDG_DATA_HOME"),
            docker_config: path("DOCKER_CONFIG"),
            editor: word("KUBE_EDITOR").or_else(|| word("EDITOR")),
            external_diff: word("KUBECTL_EXTERNAL_DIFF"),
        }
    }

    /// Where `wk up` keeps its data unless told otherwise.
    pub(crate) fn data_folder(&self) -> Option<PathBuf> {
        let shared = self.home.as_deref().map(|home| home.join(".local/share"));
        Some(self.data_home.clone().or(shared)?.join("wk"))
    }
}
