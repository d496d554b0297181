//! Decides what an image is, from its manifest alone or with its configuration.

use crate::image::{ImageConfig, ImageKind};
use crate::manifest::{
    DOCKER_CONFIG, Descriptor, ImageConfigFile, Manifest, OCI_CONFIG, OLD_WASM_CONFIGS,
    OLD_WASM_LAYERS, WASM_CONFIG, WASM_LAYER,
};

/// What the manifest alone tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form<'a> {
    /// A Wasm artifact and its one layer.
    Artifact(&'a Descriptor),
    /// An image: its configuration decides between Wasm and Linux.
    Image,
}

/// Why a manifest is none of the forms that can run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum FormFault {
    /// It says that it is Wasm and has this many Wasm layers instead of one.
    WasmLayers(usize),
    /// Its configuration has a media type that says neither image nor Wasm.
    MediaType(String),
}

/// Looks at the configuration's type first and, for tools that leave that one generic, at the layers'.
pub(crate) fn form(manifest: &Manifest) -> Result<Form<'_>, FormFault> {
    let config_type = manifest.config.media_type.as_str();
    if matches!(config_type, OCI_CONFIG | DOCKER_CONFIG) {
        return Ok(Form::Image);
    }
    let wasm_layers: Vec<_> =
        manifest.layers.iter().filter(|layer| is_wasm_layer(&layer.media_type)).collect();
    let says_wasm = config_type == WASM_CONFIG || OLD_WASM_CONFIGS.contains(&config_type);
    match wasm_layers.as_slice() {
        [layer] => Ok(Form::Artifact(layer)),
        [] if !says_wasm => Err(FormFault::MediaType(config_type.to_owned())),
        layers => Err(FormFault::WasmLayers(layers.len())),
    }
}

fn is_wasm_layer(media_type: &str) -> bool {
    media_type == WASM_LAYER || OLD_WASM_LAYERS.contains(&media_type)
}

/// Tells a Wasm image from a Linux one: by its platform, or by a program named `*.wasm`.
pub(crate) fn image_kind(file: &ImageConfigFile, config: &ImageConfig) -> ImageKind {
    let wasm_platform = file.os.starts_with("wasi") || file.architecture.starts_with("wasm");
    let wasm_program = config.program().is_some_and(has_wasm_extension);
    if wasm_platform || wasm_program { ImageKind::OciWasm } else { ImageKind::Linux }
}

/// Whether a path ends in `.wasm`.
pub(crate) fn has_wasm_extension(path: &str) -> bool {
    std::path::Path::new(path).extension().is_some_and(|extension| extension == "wasm")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn descriptor(media_type: &str) -> Descriptor {
        Descriptor {
            media_type: media_type.to_owned(),
            digest: Digest::of(media_type.as_bytes()),
            size: 1,
            platform: None,
            annotations: std::collections::BTreeMap::new(),
        }
    }

    #[track_caller]
    fn check(config: &str, layers: &[&str], expected: &str) {
        let layers = layers.iter().map(|layer| descriptor(layer)).collect();
        let manifest = Manifest { config: descriptor(config), layers };
        let found = match form(&manifest) {
            Ok(Form::Artifact(layer)) => format!("artifact {}", layer.media_type),
            Ok(Form::Image) => "image".to_owned(),
            Err(FormFault::WasmLayers(count)) => format!("{count} layers"),
            Err(FormFault::MediaType(media_type)) => format!("unknown {media_type}"),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn forms_are_told_by_media_types() {
        check(WASM_CONFIG, &[WASM_LAYER], "artifact application/wasm");
        check(
            OLD_WASM_CONFIGS[0],
            &[OLD_WASM_LAYERS[0]],
            &format!("artifact {}", OLD_WASM_LAYERS[0]),
        );
        check("application/vnd.oci.empty.v1+json", &[WASM_LAYER], "artifact application/wasm");
        check(WASM_CONFIG, &[], "0 layers");
        check(WASM_CONFIG, &[WASM_LAYER, WASM_LAYER], "2 layers");
        check(OCI_CONFIG, &["application/vnd.oci.image.layer.v1.tar+gzip"], "image");
        check(
            "application/vnd.cncf.helm.config.v1+json",
            &["x"],
            "unknown application/vnd.cncf.helm.config.v1+json",
        );
    }

    #[test]
    fn a_wasm_image_is_told_by_platform_or_program() {
        for (json, expected) in [
            (r#"{"os":"wasi","architecture":"wasm"}"#, ImageKind::OciWasm),
            (
                r#"{"os":"linux","architecture":"amd64","config":{"Entrypoint":["/app.wasm"]}}"#,
                ImageKind::OciWasm,
            ),
            (
                r#"{"os":"linux","architecture":"amd64","config":{"Cmd":["app.wasm","x"]}}"#,
                ImageKind::OciWasm,
            ),
            (
                r#"{"os":"linux","architecture":"amd64","config":{"Entrypoint":["/bin/sh","a.wasm"]}}"#,
                ImageKind::Linux,
            ),
            (r#"{"os":"linux","architecture":"amd64"}"#, ImageKind::Linux),
        ] {
            let file: ImageConfigFile = serde_json::from_str(json).unwrap();
            assert_eq!(image_kind(&file, &ImageConfig::from_file(&file)), expected, "{json}");
        }
    }
}
