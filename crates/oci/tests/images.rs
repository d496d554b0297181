//! Push and pull against a real registry in this process, and against registries that lie.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use wk_oci::{
    ClientConfig, Credentials, Digest, Flavor, GarbagePolicy, ImageKind, ImageReference,
    ImageStore, Limits, Login, OpenError, Progress, PullError, PushError, PushOptions,
    RegistryClient, RegistryError, StoreConfig, WasmForm, push,
};
use wk_process::TaskGroup;
use wk_registry::Registry;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
const WASM_LAYER: &str = "application/wasm";
const TAR_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A registry and a store in one temporary folder.
struct Harness {
    folder: TempDir,
    group: TaskGroup,
    address: SocketAddr,
    client: RegistryClient,
}

impl Harness {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry")).unwrap();
        let group = TaskGroup::new("test");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        registry.serve(listener, &group);
        let client = RegistryClient::new(ClientConfig::default()).unwrap();
        Self { folder, group, address, client }
    }

    /// With something between the network and the registry.
    async fn around(wrap: impl FnOnce(Router) -> Router) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open(&folder.path().join("registry")).unwrap();
        let group = TaskGroup::new("test");
        let address = serve(wrap(registry.router()), &group).await;
        let client = RegistryClient::new(ClientConfig::default()).unwrap();
        Self { folder, group, address, client }
    }

    fn open(&self) -> ImageStore {
        self.open_with(StoreConfig::default())
    }

    fn open_with(&self, config: StoreConfig) -> ImageStore {
        ImageStore::open(&self.folder.path().join("images"), config, self.client.clone()).unwrap()
    }

    fn reference(&self, name: &str) -> ImageReference {
        format!("{}/{name}", self.address).parse().unwrap()
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    async fn push(&self, source: &Path, name: &str) -> Result<wk_oci::Pushed, PushError> {
        let (reference, options) = (self.reference(name), PushOptions::default());
        push(&self.client, source, &reference, &Credentials::anonymous(), &options, None).await
    }

    async fn pull(&self, store: &ImageStore, name: &str) -> Result<Arc<wk_oci::Image>, PullError> {
        store.pull(&self.reference(name), &Credentials::anonymous(), None).await
    }

    /// Pushes an OCI layout of the given blobs, in which the first is what the tag names.
    async fn push_layout(&self, name: &str, root: (&str, &Value), blobs: &[Vec<u8>]) {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        layout(folder.path(), &[("", root.0, root.1)], blobs);
        self.push(folder.path(), name).await.unwrap();
    }
}

async fn serve(router: Router, group: &TaskGroup) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let token = group.token();
    group.spawn("server", async move {
        tokio::select! {
            outcome = axum::serve(listener, router) => Ok(outcome?),
            () = token.cancelled() => Ok(()),
        }
    });
    address
}

fn layout(folder: &Path, roots: &[(&str, &str, &Value)], blobs: &[Vec<u8>]) {
    let put = |content: &[u8]| {
        let digest = Digest::of(content);
        fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
        fs::write(folder.join("blobs/sha256").join(digest.hex()), content).unwrap();
        digest
    };
    for blob in blobs {
        put(blob);
    }
    let entries: Vec<_> = roots
        .iter()
        .map(|(name, media_type, root)| {
            let bytes = root.to_string();
            let digest = put(bytes.as_bytes());
            json!({
                "mediaType": media_type, "digest": digest, "size": bytes.len(),
                "annotations": {"org.opencontainers.image.ref.name": name},
            })
        })
        .collect();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let index = json!({"schemaVersion": 2, "manifests": entries});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Digest::of(content), "size": content.len()})
}

fn manifest(config: &Value, layers: &[Value]) -> Value {
    json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers})
}

/// A core module with a custom section of `padding` bytes, and `_start` if it is a command.
fn module(padding: usize) -> Vec<u8> {
    let mut bytes = b"\0asm\x01\0\0\0".to_vec();
    let mut section = vec![3, b'p', b'a', b'd'];
    section.extend((0..=250).cycle().take(padding));
    bytes.push(0);
    let mut size = u32::try_from(section.len()).unwrap();
    while size >= 0x80 {
        bytes.push(size.to_le_bytes()[0] | 0x80);
        size >>= 7;
    }
    bytes.push(size.to_le_bytes()[0]);
    bytes.extend(section);
    bytes.extend(b"\x07\x0a\x01\x06_start\0\0");
    bytes
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn image_config(os: &str, architecture: &str, config: &Value, layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
    json!({
        "os": os, "architecture": architecture, "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    })
    .to_string()
    .into_bytes()
}

#[tokio::test]
async fn a_module_is_pushed_pulled_and_found_without_a_network() {
    let harness = Harness::new().await;
    let bytes = module(100_000);
    let file = harness.file("hello.wasm", &bytes);
    let pushed = harness.push(&file, "team/hello:1").await.unwrap();
    assert!(pushed.sent_bytes > 100_000);
    let again = harness.push(&file, "team/hello:1").await.unwrap();
    assert_eq!(
        (again.digest, again.sent_bytes),
        (pushed.digest.clone(), 0),
        "pushing is idempotent"
    );

    let reference = harness.reference("team/hello:1");
    let store = harness.open();
    assert!(!store.is_local(&reference));
    let resolved = store.resolve(&reference, &Credentials::anonymous()).await.unwrap();
    assert_eq!(resolved.manifest_digest, pushed.digest);
    assert_eq!(resolved.missing_bytes, pushed.size_bytes);
    let seen = Arc::new(parking_lot::Mutex::new(Vec::<Progress>::new()));
    let progress = {
        let seen = Arc::clone(&seen);
        Arc::new(move |progress| seen.lock().push(progress))
    };
    let image = store.pull(&reference, &Credentials::anonymous(), Some(progress)).await.unwrap();
    assert_eq!(image.kind, ImageKind::WasmArtifact);
    assert_eq!(image.manifest_digest, pushed.digest);
    assert_eq!(image.module_digest, Some(Digest::of(&bytes)));
    assert_eq!(fs::read(image.module.as_ref().unwrap()).unwrap(), bytes);
    assert_eq!(image.wasm.as_ref().unwrap().form, WasmForm::Module);
    assert!(image.wasm.as_ref().unwrap().is_command());
    let last = *seen.lock().last().unwrap();
    assert_eq!((last.done_bytes, last.total_bytes), (pushed.size_bytes, pushed.size_bytes));
    assert!(seen.lock().is_sorted_by_key(|progress| progress.done_bytes));

    assert!(harness.group.shutdown(Duration::from_secs(5)).await.is_empty());
    assert_eq!(store.local(&reference), Some(Arc::clone(&image)));
    let by_digest = reference.at(&pushed.digest);
    assert!(store.is_local(&by_digest));
    drop(store);
    let store = harness.open();
    assert_eq!(store.local(&reference), Some(image), "the index is loaded at start");
    assert!(store.is_local(&by_digest));
}

#[tokio::test]
async fn the_artifact_is_as_the_cncf_describes_it() {
    let harness = Harness::new().await;
    let file = harness.file("hello.wasm", &module(10));
    harness.push(&file, "hello:1").await.unwrap();
    let store = harness.open();
    let image = harness.pull(&store, "hello:1").await.unwrap();
    let manifest = fs::read(store.blob_path(&image.manifest_digest)).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    assert_eq!(manifest["config"]["mediaType"], WASM_CONFIG);
    assert_eq!(manifest["layers"][0]["mediaType"], WASM_LAYER);
    let config = fs::read(store.blob_path(&image.config_blob.digest)).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!((&config["architecture"], &config["os"]), (&json!("wasm"), &json!("wasip1")));
    assert_eq!(config["layerDigests"], json!([image.module_digest]));
    assert!(config.get("component").is_none());
    let index: Value =
        serde_json::from_slice(&fs::read(store.folder().join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["digest"], json!(image.manifest_digest));
}

#[tokio::test]
async fn what_is_not_wasm_is_not_pushed() {
    let harness = Harness::new().await;
    let file = harness.file("hello.wasm", b"\x7fELF....");
    let error = harness.push(&file, "hello:1").await.unwrap_err();
    assert!(matches!(error, PushError::NotWasm { .. }), "{error}");
    let folder = harness.folder.path().join("many");
    fs::create_dir(&folder).unwrap();
    let error = harness.push(&folder, "hello:1").await.unwrap_err();
    assert!(matches!(error, PushError::Folder { count: 0, .. }), "{error}");
    fs::write(folder.join("a.wasm"), module(1)).unwrap();
    harness.push(&folder, "hello:1").await.unwrap();
    fs::write(folder.join("b.wasm"), module(2)).unwrap();
    let error = harness.push(&folder, "hello:1").await.unwrap_err();
    assert!(matches!(error, PushError::Folder { count: 2, .. }), "{error}");
    let missing = harness.push(Path::new("/nonexistent.wasm"), "hello:1").await.unwrap_err();
    assert!(matches!(missing, PushError::Read { .. }), "{missing}");
}

#[tokio::test]
async fn known_content_is_mounted_instead_of_sent() {
    let harness = Harness::new().await;
    let file = harness.file("hello.wasm", &module(5000));
    harness.push(&file, "from:1").await.unwrap();
    let options =
        PushOptions { mount_from: vec![harness.reference("from:1")], ..PushOptions::default() };
    let reference = harness.reference("to:1");
    let anonymous = Credentials::anonymous();
    let pushed =
        push(&harness.client, &file, &reference, &anonymous, &options, None).await.unwrap();
    assert_eq!(pushed.sent_bytes, 0);
    harness.pull(&harness.open(), "to:1").await.unwrap();
}

#[tokio::test]
async fn a_wasm_image_is_unpacked_to_its_entrypoint() {
    let harness = Harness::new().await;
    let bytes = module(1000);
    let (lower, upper) = (
        tar(&[("app/main.wasm", b"old"), ("data/a.txt", b"a")]),
        tar(&[("app/main.wasm", &bytes)]),
    );
    let run = json!({
        "Entrypoint": ["main.wasm", "--serve"], "Cmd": ["x"], "WorkingDir": "/app", "User": "1000",
        "Env": ["A=1", "B=x=y"], "ExposedPorts": {"8080/tcp": {}, "53/udp": {}}, "Labels": {"l": "v"},
    });
    let config = image_config("wasi", "wasm", &run, &[&lower, &upper]);
    let root = manifest(
        &descriptor(OCI_CONFIG, &config),
        &[descriptor(TAR_LAYER, &lower), descriptor(TAR_LAYER, &upper)],
    );
    harness.push_layout("image:1", (OCI_MANIFEST, &root), &[config, lower, upper]).await;
    let store = harness.open();
    let image = harness.pull(&store, "image:1").await.unwrap();
    assert_eq!(image.kind, ImageKind::OciWasm);
    assert_eq!(image.module_digest, Some(Digest::of(&bytes)));
    assert_eq!(fs::read(image.module.as_ref().unwrap()).unwrap(), bytes);
    let rootfs = image.rootfs.as_ref().unwrap();
    assert_eq!(fs::read(rootfs.join("data/a.txt")).unwrap(), b"a");
    assert_eq!(image.config.entrypoint, ["main.wasm", "--serve"]);
    assert_eq!(image.config.cmd, ["x"]);
    assert_eq!(image.config.env[1], ("B".to_owned(), "x=y".to_owned()));
    assert_eq!(image.config.working_dir.as_deref(), Some("/app"));
    let ports: Vec<_> = image.config.exposed_ports.iter().map(|port| port.port).collect();
    assert_eq!(ports, [53, 8080]);
    drop(store);
    assert_eq!(harness.open().local(&harness.reference("image:1")), Some(image));
}

#[tokio::test]
async fn an_index_gives_wasm_before_linux() {
    let harness = Harness::new().await;
    let bytes = module(10);
    let wasm_config = br#"{"architecture":"wasm","os":"wasip2"}"#.to_vec();
    let wasm = manifest(&descriptor(WASM_CONFIG, &wasm_config), &[descriptor(WASM_LAYER, &bytes)]);
    let native = wk_oci::node_platforms().pop().unwrap().architecture;
    let linux_config = image_config("linux", &native, &json!({"Cmd": ["/bin/sh"]}), &[]);
    let linux = manifest(&descriptor(OCI_CONFIG, &linux_config), &[]);
    let entry = |root: &Value, os: &str, architecture: &str| {
        let mut entry = descriptor(OCI_MANIFEST, root.to_string().as_bytes());
        entry["platform"] = json!({"os": os, "architecture": architecture});
        entry
    };
    let index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
        entry(&linux, "linux", &native), entry(&wasm, "wasip2", "wasm"),
    ]});
    let blobs = [
        bytes,
        wasm_config,
        linux_config,
        wasm.to_string().into_bytes(),
        linux.to_string().into_bytes(),
    ];
    harness.push_layout("both:1", (OCI_INDEX, &index), &blobs).await;
    let windows = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [entry(&linux, "windows", "amd64")]});
    harness.push_layout("windows:1", (OCI_INDEX, &windows), &blobs).await;
    let store = harness.open();
    let image = harness.pull(&store, "both:1").await.unwrap();
    assert_eq!(image.kind, ImageKind::WasmArtifact);
    let index_digest = Digest::of(index.to_string().as_bytes());
    assert_eq!(image.index_digest.as_ref(), Some(&index_digest));
    assert!(store.is_local(&harness.reference("both:1").at(&index_digest)));
    harness.push_layout("both:2", (OCI_INDEX, &index), &blobs).await;
    let reference = harness.reference("both:2");
    let nobody = Credentials::anonymous();
    let kind = store.kind_of(&reference, &nobody).await.unwrap();
    assert_eq!((kind, store.local(&reference)), (ImageKind::WasmArtifact, None));
    assert_eq!(store.local_as(&reference, Flavor::Linux), None);
    let pulled = store.pull_as(&reference, Flavor::Linux, &nobody, None).await.unwrap();
    assert_eq!((pulled.kind, store.local(&reference)), (ImageKind::Linux, None));
    let both = harness.pull(&store, "both:2").await.unwrap();
    assert_eq!(both.kind, ImageKind::WasmArtifact, "one does not stand in the other's way");
    drop(store);
    let store = harness.open();
    for reference in [reference.clone(), reference.at(&index_digest)] {
        let local = store.local_as(&reference, Flavor::Linux).unwrap();
        assert_eq!(local.manifest_digest, pulled.manifest_digest);
        let local = store.local_as(&reference, Flavor::Wasm).unwrap();
        assert_eq!(local.manifest_digest, both.manifest_digest);
    }
    let error = harness.pull(&store, "windows:1").await.unwrap_err();
    assert!(matches!(error, PullError::NoMatchingPlatform { .. }), "{error}");
    assert!(error.to_string().contains("it offers windows/amd64"), "{error}");
}

#[tokio::test]
async fn a_linux_image_is_kept_as_it_is() {
    let harness = Harness::new().await;
    let layer = tar(&[("bin/sh", b"#!")]);
    let native = wk_oci::node_platforms().pop().unwrap();
    let run = json!({"Cmd": ["/bin/sh"]});
    let config = image_config("linux", &native.architecture, &run, &[&layer]);
    let root = manifest(&descriptor(OCI_CONFIG, &config), &[descriptor(TAR_LAYER, &layer)]);
    harness.push_layout("linux:1", (OCI_MANIFEST, &root), &[config, layer.clone()]).await;
    let store = harness.open();
    let image = harness.pull(&store, "linux:1").await.unwrap();
    assert_eq!(image.kind, ImageKind::Linux);
    assert_eq!((&image.module, &image.rootfs), (&None, &None));
    assert_eq!(fs::read(store.blob_path(&image.layers[0].digest)).unwrap(), layer);
    let config = image_config("linux", "s390x", &run, &[&layer]);
    let root = manifest(&descriptor(OCI_CONFIG, &config), &[descriptor(TAR_LAYER, &layer)]);
    harness.push_layout("linux:2", (OCI_MANIFEST, &root), &[config, layer]).await;
    let error = harness.pull(&store, "linux:2").await.unwrap_err();
    assert!(matches!(error, PullError::NoMatchingPlatform { .. }), "{error}");
}

#[tokio::test]
async fn older_wasm_artifacts_are_pulled() {
    let harness = Harness::new().await;
    let bytes = module(10);
    let config = b"{}".to_vec();
    let root = manifest(
        &descriptor("application/vnd.wasm.config.v1+json", &config),
        &[descriptor("application/vnd.wasm.content.layer.v1+wasm", &bytes)],
    );
    harness.push_layout("old:1", (OCI_MANIFEST, &root), &[config, bytes]).await;
    let image = harness.pull(&harness.open(), "old:1").await.unwrap();
    assert_eq!(image.kind, ImageKind::WasmArtifact);
}

#[tokio::test]
async fn what_cannot_run_is_refused_with_a_reason() {
    let harness = Harness::new().await;
    let store = harness.open();
    let (text, config) = (b"hello".to_vec(), b"{}".to_vec());
    let wasm_config = descriptor(WASM_CONFIG, &config);
    let blobs = [text.clone(), config.clone()];

    let root = manifest(&wasm_config, &[descriptor(WASM_LAYER, &text)]);
    harness.push_layout("text:1", (OCI_MANIFEST, &root), &blobs).await;
    let error = harness.pull(&store, "text:1").await.unwrap_err();
    assert!(matches!(error, PullError::NotWasm { .. }), "{error}");
    assert!(error.to_string().contains(&harness.reference("text:1").to_string()), "{error}");

    let root = manifest(&wasm_config, &[]);
    harness.push_layout("none:1", (OCI_MANIFEST, &root), &blobs).await;
    let error = harness.pull(&store, "none:1").await.unwrap_err();
    assert!(matches!(error, PullError::Malformed { .. }), "{error}");

    let chart = descriptor("application/vnd.cncf.helm.config.v1+json", &config);
    let root = manifest(&chart, &[descriptor("a/b", &text)]);
    harness.push_layout("chart:1", (OCI_MANIFEST, &root), &blobs).await;
    let error = harness.pull(&store, "chart:1").await.unwrap_err();
    assert!(matches!(error, PullError::UnsupportedMediaType { .. }), "{error}");

    let layer = tar(&[("etc/x", b"x")]);
    let config = image_config("wasi", "wasm", &json!({"Entrypoint": ["/app.wasm"]}), &[&layer]);
    let root = manifest(&descriptor(OCI_CONFIG, &config), &[descriptor(TAR_LAYER, &layer)]);
    harness.push_layout("empty:1", (OCI_MANIFEST, &root), &[config, layer]).await;
    let error = harness.pull(&store, "empty:1").await.unwrap_err();
    assert!(matches!(error, PullError::NotWasm { .. }), "{error}");
    assert!(store.list().is_empty());
}

#[tokio::test]
async fn sizes_are_limited() {
    let harness = Harness::new().await;
    let file = harness.file("big.wasm", &module(5000));
    harness.push(&file, "big:1").await.unwrap();
    let limits = Limits { module_bytes: 4000, ..Limits::default() };
    let store = harness.open_with(StoreConfig { limits, ..StoreConfig::default() });
    let error = harness.pull(&store, "big:1").await.unwrap_err();
    assert!(matches!(error, PullError::TooLarge { limit: 4000, .. }), "{error}");
    drop(store);
    let limits = Limits { manifest_bytes: 100, ..Limits::default() };
    let store = harness.open_with(StoreConfig { limits, ..StoreConfig::default() });
    let error = harness.pull(&store, "big:1").await.unwrap_err();
    assert!(matches!(error, PullError::Registry(RegistryError::TooLong { .. })), "{error}");
}

#[tokio::test]
async fn failures_of_the_registry_are_told_apart() {
    let harness = Harness::new().await;
    let store = harness.open();
    let error = harness.pull(&store, "missing:1").await.unwrap_err();
    assert!(matches!(error, PullError::Registry(RegistryError::NotFound { .. })), "{error}");
    assert!(error.to_string().contains("check the image's name and tag"), "{error}");
    assert!(harness.group.shutdown(Duration::from_secs(5)).await.is_empty());
    let error = harness.pull(&store, "missing:1").await.unwrap_err();
    assert!(matches!(error, PullError::Registry(RegistryError::Unreachable { .. })), "{error}");
    assert!(error.to_string().contains("connection refused"), "{error}");
    let file = harness.file("hello.wasm", &module(10));
    let error = harness.push(&file, "hello:1").await.unwrap_err();
    assert!(matches!(error, PushError::Registry(RegistryError::Unreachable { .. })), "{error}");
}

#[tokio::test]
async fn a_registry_may_want_a_login() {
    let guard = async |request: Request, next: Next| -> Response {
        // base64 of `user:secret`.
        if request
            .headers()
            .get("authorization")
            .is_some_and(|value| value == "Basic dXNlcjpzZWNyZXQ=")
        {
            return next.run(request).await;
        }
        let headers = [("www-authenticate", "Basic realm=\"test\"")];
        (StatusCode::UNAUTHORIZED, headers, "").into_response()
    };
    let harness = Harness::around(|router| router.layer(from_fn(guard))).await;
    let file = harness.file("hello.wasm", &module(10));
    let reference = harness.reference("hello:1");
    let store = harness.open();
    let login = |password: &str| {
        let login = Login::Basic { username: "user".to_owned(), password: password.to_owned() };
        Credentials::default().with(&harness.address.to_string(), login)
    };
    let options = PushOptions::default();
    for credentials in [Credentials::anonymous(), login("wrong")] {
        let pushed = push(&harness.client, &file, &reference, &credentials, &options, None).await;
        let error = pushed.unwrap_err();
        assert!(
            matches!(error, PushError::Registry(RegistryError::Unauthorized { .. })),
            "{error}"
        );
        let error = store.pull(&reference, &credentials, None).await.unwrap_err();
        assert!(
            matches!(error, PullError::Registry(RegistryError::Unauthorized { .. })),
            "{error}"
        );
        assert!(error.to_string().contains("imagePullSecrets"), "{error}");
    }
    let right = login("secret");
    push(&harness.client, &file, &reference, &right, &options, None).await.unwrap();
    store.pull(&reference, &right, None).await.unwrap();
}

#[tokio::test]
async fn a_registry_may_want_a_token() {
    let guard = async |request: Request, next: Next| -> Response {
        let authorization =
            request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        match (request.uri().path(), authorization.as_deref()) {
            ("/token", Some("Basic dXNlcjpzZWNyZXQ=")) => {
                json!({"token": "let-me-in", "expires_in": 300}).to_string().into_response()
            }
            ("/token", _) => StatusCode::UNAUTHORIZED.into_response(),
            (_, Some("Bearer let-me-in")) => next.run(request).await,
            _ => {
                let challenge = format!("Bearer realm=\"http://{host}/token\",service=\"test\"");
                (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)], "").into_response()
            }
        }
    };
    let harness = Harness::around(|router| router.layer(from_fn(guard))).await;
    let file = harness.file("hello.wasm", &module(10));
    let reference = harness.reference("hello:1");
    let json = json!({"auths": {harness.address.to_string(): {"auth": "dXNlcjpzZWNyZXQ="}}});
    let credentials = Credentials::from_docker_config(json.to_string().as_bytes()).unwrap();
    let options = PushOptions::default();
    push(&harness.client, &file, &reference, &credentials, &options, None).await.unwrap();
    let store = harness.open();
    let error = store.pull(&reference, &Credentials::anonymous(), None).await.unwrap_err();
    assert!(matches!(error, PullError::Registry(RegistryError::Unauthorized { .. })), "{error}");
    store.pull(&reference, &credentials, None).await.unwrap();
}

/// What a lying registry answers for its one artifact.
struct Lies {
    manifest: Vec<u8>,
    headers: HeaderMap,
    blobs: fn(&Request, &[u8]) -> Response,
    module: Vec<u8>,
}

impl Lies {
    fn new(module: &[u8], blobs: fn(&Request, &[u8]) -> Response) -> Self {
        let root = manifest(&descriptor(WASM_CONFIG, b"{}"), &[descriptor(WASM_LAYER, module)]);
        Self {
            manifest: root.to_string().into_bytes(),
            headers: HeaderMap::new(),
            blobs,
            module: module.to_vec(),
        }
    }

    async fn start(self, group: &TaskGroup) -> (ImageReference, Arc<AtomicUsize>) {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let lies = Arc::new(self);
        let answer = move |request: Request| {
            let (lies, counter) = (Arc::clone(&lies), Arc::clone(&counter));
            async move {
                let path = request.uri().path().to_owned();
                if path.contains("/manifests/") {
                    return (lies.headers.clone(), lies.manifest.clone()).into_response();
                }
                if path.ends_with(Digest::of(b"{}").as_str()) {
                    return "{}".into_response();
                }
                counter.fetch_add(1, Ordering::SeqCst);
                (lies.blobs)(&request, &lies.module)
            }
        };
        let address = serve(Router::new().fallback(answer), group).await;
        (format!("{address}/lies:1").parse().unwrap(), requests)
    }
}

struct Liar {
    store: ImageStore,
    folder: TempDir,
    group: TaskGroup,
}

impl Liar {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let client = RegistryClient::new(ClientConfig::default()).unwrap();
        let store = ImageStore::open(folder.path(), StoreConfig::default(), client).unwrap();
        Self { store, folder, group: TaskGroup::new("test") }
    }

    async fn pull(&self, lies: Lies) -> (Result<Arc<wk_oci::Image>, PullError>, usize) {
        let (reference, requests) = lies.start(&self.group).await;
        let outcome = self.store.pull(&reference, &Credentials::anonymous(), None).await;
        (outcome, requests.load(Ordering::SeqCst))
    }
}

/// The part of `content` that a request asks for, as an honest registry would answer.
fn honest(request: &Request, content: &[u8]) -> Response {
    let start = request.headers().get("range").map(|value| {
        let text = value.to_str().unwrap().strip_prefix("bytes=").unwrap();
        text.strip_suffix('-').unwrap().parse::<usize>().unwrap()
    });
    match start {
        None => content.to_vec().into_response(),
        Some(start) => {
            let range = format!("bytes {start}-{}/{}", content.len() - 1, content.len());
            let headers = [("content-range", range)];
            (StatusCode::PARTIAL_CONTENT, headers, content[start..].to_vec()).into_response()
        }
    }
}

/// `answer`, but the connection breaks after a quarter of `whole` bytes.
fn broken(request: &Request, content: &[u8]) -> Response {
    let (parts, _) = honest(request, content).into_parts();
    let start = request.headers().get("range").map_or(0, |value| {
        let text = value.to_str().unwrap().strip_prefix("bytes=").unwrap();
        text.strip_suffix('-').unwrap().parse::<usize>().unwrap()
    });
    let rest = content[start..].to_vec();
    let first = rest[..rest.len().min(content.len() / 4 + 1)].to_vec();
    let breaks = first.len() < rest.len();
    let mut pieces = vec![Ok(first)];
    if breaks {
        pieces.push(Err(std::io::Error::other("broken")));
    }
    let mut response =
        Response::from_parts(parts, Body::from_stream(futures::stream::iter(pieces)));
    response.headers_mut().insert("content-length", rest.len().into());
    response
}

#[tokio::test]
async fn wrong_bytes_are_found_and_thrown_away() {
    let liar = Liar::new();
    let lies = Lies::new(&module(1000), |_, content| {
        let mut content = content.to_vec();
        content[500] ^= 1;
        content.into_response()
    });
    let (outcome, requests) = liar.pull(lies).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, PullError::DigestMismatch { .. }), "{error}");
    assert!(error.to_string().starts_with("digest mismatch"), "{error}");
    assert_eq!(requests, 1, "a lie is not asked for twice");
    assert!(liar.store.list().is_empty());
    let partial = Digest::of(&module(1000)).as_str().replace(':', "-");
    assert!(!liar.folder.path().join("partial").join(partial).exists());
    assert!(!liar.store.blob_path(&Digest::of(&module(1000))).exists());
}

#[tokio::test]
async fn a_manifest_other_than_named_is_found() {
    let liar = Liar::new();
    let mut lies = Lies::new(&module(10), honest);
    let other = Digest::of(b"other").to_string();
    lies.headers.insert("docker-content-digest", other.parse().unwrap());
    let (outcome, _) = liar.pull(lies).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, PullError::DigestMismatch { .. }), "{error}");
    let (reference, _) = Lies::new(&module(10), honest).start(&liar.group).await;
    let reference = reference.at(&Digest::of(b"wanted"));
    let outcome = liar.store.pull(&reference, &Credentials::anonymous(), None).await;
    assert!(matches!(outcome.unwrap_err(), PullError::DigestMismatch { .. }));
}

#[tokio::test]
async fn a_blob_of_another_size_is_found() {
    let liar = Liar::new();
    let lies = Lies::new(&module(10), |_, content| [content, b"more"].concat().into_response());
    let (outcome, _) = liar.pull(lies).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, PullError::SizeMismatch { .. }), "{error}");
}

#[tokio::test]
async fn nonsense_instead_of_a_manifest_is_found() {
    let liar = Liar::new();
    for (text, what) in [
        ("<html>", "malformed"),
        (r#"{"schemaVersion":1}"#, "schemaVersion"),
        (r#"{"schemaVersion":2,"config":{"digest":"sha256:../../x","size":1}}"#, "not a digest"),
    ] {
        let lies = Lies { manifest: text.into(), ..Lies::new(b"", honest) };
        let (outcome, _) = liar.pull(lies).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, PullError::Malformed { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    }
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_stopped() {
    let liar = Liar::new();
    let bytes = module(4_000_000);
    let (outcome, requests) = liar.pull(Lies::new(&bytes, broken)).await;
    let image = outcome.unwrap();
    assert_eq!(fs::read(image.module.as_ref().unwrap()).unwrap(), bytes);
    assert!((4..=5).contains(&requests), "each part once: {requests}");
}

#[tokio::test(start_paused = true)]
async fn a_download_that_never_moves_is_given_up() {
    let liar = Liar::new();
    let lies = Lies::new(&module(100), |_, content| {
        let body = Body::from_stream(futures::stream::once(std::future::ready(Err::<Vec<u8>, _>(
            std::io::Error::other("broken"),
        ))));
        ([("content-length", content.len())], body).into_response()
    });
    let (outcome, requests) = liar.pull(lies).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, PullError::Registry(RegistryError::Interrupted { .. })), "{error}");
    assert_eq!(requests, 3);
}

#[tokio::test]
async fn what_a_crash_left_is_resumed_or_replaced() {
    let bytes = module(100_000);
    for (case, left) in [
        ("a good beginning", bytes[..60_000].to_vec()),
        ("garbage", vec![0; 60_000]),
        ("too much", vec![0; 200_000]),
        ("all of it", bytes.clone()),
    ] {
        let liar = Liar::new();
        let name = Digest::of(&bytes).as_str().replace(':', "-");
        fs::write(liar.folder.path().join("partial").join(name), &left).unwrap();
        let asked = |request: &Request, content: &[u8]| {
            if content.len() > 60_000 && request.headers().contains_key("range") {
                assert_eq!(request.headers()["range"], "bytes=60000-");
            }
            honest(request, content)
        };
        let (outcome, requests) = liar.pull(Lies::new(&bytes, asked)).await;
        assert_eq!(outcome.unwrap().module_digest, Some(Digest::of(&bytes)), "{case}");
        let expected = match case {
            "all of it" => 0,
            "garbage" => 2,
            _ => 1,
        };
        assert_eq!(requests, expected, "{case}");
    }
}

#[tokio::test]
async fn pulls_at_once_share_one_download() {
    let blob_requests = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&blob_requests);
    let count = move |request: Request, next: Next| {
        let counter = Arc::clone(&counter);
        async move {
            if request.method() == "GET" && request.uri().path().contains("/blobs/sha256") {
                counter.fetch_add(1, Ordering::SeqCst);
            }
            next.run(request).await
        }
    };
    let harness = Harness::around(|router| router.layer(from_fn(count))).await;
    let file = harness.file("hello.wasm", &module(2_000_000));
    let names: Vec<_> = (0..20).map(|n| format!("hello:{n}")).collect();
    for name in &names {
        harness.push(&file, name).await.unwrap();
    }
    let store = harness.open();
    let pulls = names.iter().map(|name| harness.pull(&store, name));
    for image in futures::future::join_all(pulls).await {
        image.unwrap();
    }
    assert_eq!(blob_requests.load(Ordering::SeqCst), 2, "configuration and module, once each");
    assert_eq!(store.list().len(), 20);
}

#[tokio::test]
async fn a_download_outlives_the_pull_that_began_it() {
    let harness = Harness::new().await;
    let file = harness.file("hello.wasm", &module(3_000_000));
    harness.push(&file, "hello:1").await.unwrap();
    let store = harness.open();
    let mut first = Box::pin(harness.pull(&store, "hello:1"));
    let mut second = Box::pin(harness.pull(&store, "hello:1"));
    // Both have begun; then the leader goes.
    for _ in 0..20 {
        assert!(futures::poll!(&mut first).is_pending());
        assert!(futures::poll!(&mut second).is_pending());
        tokio::task::yield_now().await;
    }
    drop(first);
    second.await.unwrap();
}

#[tokio::test]
async fn a_tag_that_moved_is_pulled_anew_and_the_old_image_stays_while_used() {
    let harness = Harness::new().await;
    harness.push(&harness.file("a.wasm", &module(10)), "hello:1").await.unwrap();
    let store = harness.open();
    let old = harness.pull(&store, "hello:1").await.unwrap();
    harness.push(&harness.file("b.wasm", &module(20)), "hello:1").await.unwrap();
    assert_eq!(store.local(&harness.reference("hello:1")), Some(Arc::clone(&old)));
    let new = harness.pull(&store, "hello:1").await.unwrap();
    assert_ne!(old.manifest_digest, new.manifest_digest);
    let policy =
        GarbagePolicy { now: SystemTime::now(), keep_bytes: None, minimum_age: Duration::ZERO };
    let in_use = HashSet::from([old.manifest_digest.clone()]);
    let report = store.collect_garbage(in_use, policy).await.unwrap();
    assert_eq!((report.images, report.blobs), (0, 0));
    assert!(old.module.as_ref().unwrap().exists());
    let report = store.collect_garbage(HashSet::new(), policy).await.unwrap();
    assert_eq!((report.images, report.blobs), (0, 3));
    assert!(!old.module.as_ref().unwrap().exists());
    assert!(new.module.as_ref().unwrap().exists());
}

#[tokio::test]
async fn garbage_collection_takes_the_unused_and_leaves_the_used() {
    let harness = Harness::new().await;
    let store = harness.open();
    for name in ["a", "b", "c"] {
        let file =
            harness.file(&format!("{name}.wasm"), &module(1000 + usize::from(name.as_bytes()[0])));
        harness.push(&file, &format!("{name}:1")).await.unwrap();
        harness.pull(&store, &format!("{name}:1")).await.unwrap();
    }
    let later = SystemTime::now() + Duration::from_hours(1);
    store.mark_used(&harness.reference("b:1"), later);
    let used = store.local(&harness.reference("a:1")).unwrap();
    let policy = GarbagePolicy { now: later, keep_bytes: Some(2500), minimum_age: Duration::ZERO };
    let in_use = HashSet::from([used.manifest_digest.clone()]);
    let report = store.collect_garbage(in_use, policy).await.unwrap();
    assert!(report.images >= 1 && report.blobs == 3 * report.images, "{report:?}");
    assert!(store.is_local(&harness.reference("a:1")));
    assert!(!store.is_local(&harness.reference("c:1")));
    assert!(store.remove(&harness.reference("a:1")).await.unwrap());
    assert!(!store.remove(&harness.reference("a:1")).await.unwrap());
    drop(store);
    let store = harness.open();
    assert!(!store.is_local(&harness.reference("a:1")), "removal is durable");
}

#[tokio::test]
async fn an_incomplete_image_is_forgotten_at_start() {
    let harness = Harness::new().await;
    let file = harness.file("hello.wasm", &module(1000));
    harness.push(&file, "hello:1").await.unwrap();
    let store = harness.open();
    let image = harness.pull(&store, "hello:1").await.unwrap();
    drop(store);
    fs::remove_file(image.module.as_ref().unwrap()).unwrap();
    let store = harness.open();
    assert!(!store.is_local(&harness.reference("hello:1")));
    harness.pull(&store, "hello:1").await.unwrap();
}

#[tokio::test]
async fn a_store_is_opened_once() {
    let harness = Harness::new().await;
    let _store = harness.open();
    let folder = harness.folder.path().join("images");
    let second = ImageStore::open(&folder, StoreConfig::default(), harness.client.clone());
    assert!(matches!(second, Err(OpenError::InUse { .. })));
}

#[tokio::test]
async fn an_image_cannot_write_outside_its_tree() {
    let harness = Harness::new().await;
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..13].copy_from_slice(b"../../escaped");
    header.set_size(0);
    header.set_cksum();
    builder.append(&header, std::io::empty()).unwrap();
    let layer = builder.into_inner().unwrap();
    let config = image_config("wasi", "wasm", &json!({"Entrypoint": ["/app.wasm"]}), &[&layer]);
    let root = manifest(&descriptor(OCI_CONFIG, &config), &[descriptor(TAR_LAYER, &layer)]);
    harness.push_layout("evil:1", (OCI_MANIFEST, &root), &[config, layer]).await;
    let store = harness.open();
    let error = harness.pull(&store, "evil:1").await.unwrap_err();
    assert!(matches!(error, PullError::UnsafeLayer { .. }), "{error}");
    assert_eq!(fs::read_dir(store.folder().join("scratch")).unwrap().count(), 0);
}

#[tokio::test]
async fn an_oci_layout_names_its_images() {
    let harness = Harness::new().await;
    let folder = tempfile::tempdir().unwrap();
    let bytes = [module(1), module(2)];
    let roots: Vec<_> = bytes
        .iter()
        .map(|module| manifest(&descriptor(WASM_CONFIG, b"{}"), &[descriptor(WASM_LAYER, module)]))
        .collect();
    let blobs = [bytes[0].clone(), bytes[1].clone(), b"{}".to_vec()];
    let named = [("v1", OCI_MANIFEST, &roots[0]), ("v2", OCI_MANIFEST, &roots[1])];
    layout(folder.path(), &named, &blobs);
    let pushed = harness.push(folder.path(), "hello:v2").await.unwrap();
    assert_eq!(pushed.digest, Digest::of(roots[1].to_string().as_bytes()));
    let error = harness.push(folder.path(), "hello:v3").await.unwrap_err();
    assert!(matches!(error, PushError::Layout { .. }), "{error}");
    let other = format!("hello@{}", Digest::of(b"other"));
    let only = tempfile::tempdir().unwrap();
    layout(only.path(), &named[..1], &blobs);
    let error = harness.push(only.path(), &other).await.unwrap_err();
    assert!(matches!(error, PushError::OtherDigest { .. }), "{error}");
}
