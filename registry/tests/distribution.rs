//! The workflows of the OCI conformance suite: pull, push, content discovery, content management,
//! and what the suite does not ask: restarts, full disks, broken connections, garbage.

#![expect(clippy::unwrap_used, reason = "tests panic")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;
use wk_registry::{GarbageReport, Limits, Registry, RegistryError, Retention};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

struct Harness {
    folder: Arc<TempDir>,
    registry: Registry,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{text}");
        self
    }

    /// The error's code, after a look at its shape.
    #[track_caller]
    fn fault(self, status: u16) -> String {
        let answer = self.expect(status);
        assert_eq!(answer.header("content-type"), "application/json");
        let body = answer.json();
        assert!(!body["errors"][0]["message"].as_str().unwrap().is_empty());
        body["errors"][0]["code"].as_str().unwrap().to_owned()
    }
}

fn digest(content: &[u8]) -> String {
    use sha2::Digest as _;
    format!("sha256:{:x}", sha2::Sha256::digest(content))
}

fn digest512(content: &[u8]) -> String {
    use sha2::Digest as _;
    format!("sha512:{:x}", sha2::Sha512::digest(content))
}

impl Harness {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::open_with(folder.path(), limits).unwrap();
        Self { folder: Arc::new(folder), registry }
    }

    /// The same folder in a new registry, as after a restart.
    fn restarted(self) -> Self {
        let folder = self.folder;
        drop(self.registry);
        let registry = Registry::open(folder.path()).unwrap();
        Self { folder, registry }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.registry.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn call(&self, method: &str, path: &str) -> Answer {
        self.with_body(method, path, &[], b"").await
    }

    async fn with_body(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = Request::builder().method(method).uri(path);
        if !body.is_empty() {
            request = request.header("content-length", body.len());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::from(body.to_vec())).unwrap()).await
    }

    async fn push_blob(&self, name: &str, content: &[u8]) -> String {
        let digest = digest(content);
        let path = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let answer = self.with_body("POST", &path, &[], content).await.expect(201);
        assert_eq!(answer.header("location"), format!("/v2/{name}/blobs/{digest}"));
        digest
    }

    async fn put_manifest(&self, name: &str, reference: &str, manifest: &Value) -> Answer {
        let path = format!("/v2/{name}/manifests/{reference}");
        let media_type = manifest["mediaType"].as_str().unwrap().to_owned();
        let body = manifest.to_string();
        self.with_body("PUT", &path, &[("content-type", &media_type)], body.as_bytes()).await
    }

    /// An image with the given layers under a tag; returns its manifest and that one's digest.
    async fn push_image(&self, name: &str, tag: &str, layers: &[&[u8]]) -> (Value, String) {
        let config = self.push_blob(name, format!("config of {tag}").as_bytes()).await;
        let mut descriptors = Vec::new();
        for layer in layers {
            let digest = self.push_blob(name, layer).await;
            descriptors.push(json!({"mediaType": "a/b", "digest": digest, "size": layer.len()}));
        }
        let size = format!("config of {tag}").len();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": config, "size": size},
            "layers": descriptors,
        });
        let answer = self.put_manifest(name, tag, &manifest).await.expect(201);
        let expected = digest(manifest.to_string().as_bytes());
        assert_eq!(answer.header("docker-content-digest"), expected);
        assert_eq!(answer.header("location"), format!("/v2/{name}/manifests/{expected}"));
        (manifest, expected)
    }
}

#[tokio::test]
async fn the_protocol_is_announced() {
    let harness = Harness::new();
    for path in ["/v2/", "/v2"] {
        let answer = harness.call("GET", path).await.expect(200);
        assert_eq!(answer.header("docker-distribution-api-version"), "registry/2.0");
    }
    assert_eq!(harness.call("GET", "/").await.fault(404), "UNSUPPORTED");
    assert_eq!(harness.call("POST", "/v2/").await.fault(405), "UNSUPPORTED");
}

#[tokio::test]
async fn pull_finds_blobs_and_manifests() {
    let harness = Harness::new();
    let (manifest, by_digest) = harness.push_image("team/web", "v1", &[b"layer"]).await;
    let layer = digest(b"layer");
    let path = format!("/v2/team/web/blobs/{layer}");
    let answer = harness.call("HEAD", &path).await.expect(200);
    assert_eq!(answer.header("content-length"), "5");
    assert_eq!(answer.header("docker-content-digest"), layer);
    assert!(answer.body.is_empty());
    let answer = harness.call("GET", &path.replace(':', "%3A")).await.expect(200);
    assert_eq!(answer.body, b"layer");
    for reference in ["v1", &by_digest] {
        let path = format!("/v2/team/web/manifests/{reference}");
        for method in ["HEAD", "GET"] {
            let answer = harness.call(method, &path).await.expect(200);
            assert_eq!(answer.header("content-type"), MANIFEST);
            assert_eq!(answer.header("docker-content-digest"), by_digest);
            assert_eq!(answer.header("content-length"), manifest.to_string().len().to_string());
            if method == "GET" {
                assert_eq!(answer.body, manifest.to_string().as_bytes());
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_unknown() {
    let harness = Harness::new();
    harness.push_image("web", "v1", &[]).await;
    let nothing = digest(b"nothing");
    for (method, path, status, code) in [
        ("GET", format!("/v2/web/blobs/{nothing}"), 404, "BLOB_UNKNOWN"),
        ("DELETE", format!("/v2/web/blobs/{nothing}"), 404, "BLOB_UNKNOWN"),
        ("GET", "/v2/web/blobs/sha256:x".to_owned(), 400, "DIGEST_INVALID"),
        ("GET", "/v2/web/manifests/v2".to_owned(), 404, "MANIFEST_UNKNOWN"),
        ("GET", format!("/v2/web/manifests/{nothing}"), 404, "MANIFEST_UNKNOWN"),
        ("GET", "/v2/web/manifests/.INVALID".to_owned(), 404, "MANIFEST_UNKNOWN"),
        ("DELETE", "/v2/web/manifests/v2".to_owned(), 404, "MANIFEST_UNKNOWN"),
        ("GET", "/v2/other/tags/list".to_owned(), 404, "NAME_UNKNOWN"),
        ("GET", "/v2/BAD/tags/list".to_owned(), 400, "NAME_INVALID"),
        ("GET", "/v2/%2e%2e/%2e%2e/tags/list".to_owned(), 400, "NAME_INVALID"),
        ("PATCH", "/v2/web/blobs/uploads/x".to_owned(), 404, "BLOB_UPLOAD_UNKNOWN"),
    ] {
        let answer = harness.call(method, &path).await;
        assert_eq!(answer.fault(status), code, "{method} {path}");
    }
    let id = "00000000-0000-4000-8000-000000000000";
    for method in ["GET", "PATCH", "PUT", "DELETE"] {
        let path = format!("/v2/web/blobs/uploads/{id}?digest={nothing}");
        assert_eq!(harness.call(method, &path).await.fault(404), "BLOB_UPLOAD_UNKNOWN");
    }
}

#[tokio::test]
async fn a_blob_of_another_repository_is_unknown() {
    let harness = Harness::new();
    let blob = harness.push_blob("a", b"private").await;
    let answer = harness.call("GET", &format!("/v2/b/blobs/{blob}")).await;
    assert_eq!(answer.fault(404), "BLOB_UNKNOWN");
}

#[tokio::test]
async fn ranges_of_blobs_are_served() {
    let harness = Harness::new();
    let blob = harness.push_blob("web", b"0123456789").await;
    let path = format!("/v2/web/blobs/{blob}");
    for (range, status, content_range, body) in [
        ("bytes=0-3", 206, "bytes 0-3/10", "0123"),
        ("bytes=4-", 206, "bytes 4-9/10", "456789"),
        ("bytes=-2", 206, "bytes 8-9/10", "89"),
        ("bytes=5-99", 206, "bytes 5-9/10", "56789"),
        ("bytes=0-1,3-4", 200, "", "0123456789"),
    ] {
        let answer = harness.with_body("GET", &path, &[("range", range)], b"").await.expect(status);
        assert_eq!(answer.header("content-range"), content_range, "{range}");
        assert_eq!(answer.header("content-length"), body.len().to_string());
        assert_eq!(answer.body, body.as_bytes());
    }
    let answer = harness.with_body("GET", &path, &[("range", "bytes=10-")], b"").await;
    assert_eq!(answer.header("content-range"), "bytes */10");
    answer.expect(416);
}

#[tokio::test]
async fn a_blob_is_pushed_with_post_and_put() {
    let harness = Harness::new();
    let answer = harness.call("POST", "/v2/web/blobs/uploads/").await.expect(202);
    let location = answer.header("location").to_owned();
    let blob = digest(b"content");
    let path = format!("{location}?digest={blob}");
    let answer = harness.with_body("PUT", &path, &[], b"content").await.expect(201);
    let place = answer.header("location").to_owned();
    assert_eq!(harness.call("GET", &place).await.expect(200).body, b"content");
    assert_eq!(harness.call("GET", &location).await.fault(404), "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn an_empty_blob_and_a_sha512_blob_are_blobs() {
    let harness = Harness::new();
    harness.push_blob("web", b"").await;
    let blob = digest512(b"content");
    let path = format!("/v2/web/blobs/uploads/?digest={blob}");
    harness.with_body("POST", &path, &[], b"content").await.expect(201);
    let answer = harness.call("GET", &format!("/v2/web/blobs/{blob}")).await.expect(200);
    assert_eq!(answer.body, b"content");
}

#[tokio::test]
async fn chunks_have_to_come_in_order() {
    let harness = Harness::new();
    let answer = harness.call("POST", "/v2/web/blobs/uploads/").await.expect(202);
    let location = answer.header("location").to_owned();
    let chunk = async |range: &'static str, content: &'static [u8]| {
        harness.with_body("PATCH", &location, &[("content-range", range)], content).await
    };
    assert_eq!(chunk("4-7", b"4567").await.fault(416), "BLOB_UPLOAD_INVALID");
    let answer = chunk("0-3", b"0123").await.expect(202);
    assert_eq!(answer.header("range"), "0-3");
    assert_eq!(answer.header("location"), location);
    let again = chunk("0-3", b"0123").await.expect(416);
    assert_eq!(again.header("range"), "0-3", "says where to go on");
    assert_eq!(chunk("4-9", b"4567").await.fault(400), "SIZE_INVALID");
    assert_eq!(chunk("nonsense", b"4567").await.fault(400), "BLOB_UPLOAD_INVALID");
    let answer = harness.call("GET", &location).await.expect(204);
    assert_eq!(answer.header("range"), "0-3");
    assert_eq!(answer.header("location"), location);
    chunk("4-7", b"4567").await.expect(202);
    let path = format!("{location}?digest={}", digest(b"0123456789"));
    let last = harness.with_body("PUT", &path, &[("content-range", "8-9")], b"89").await;
    last.expect(201);
}

#[tokio::test]
async fn an_upload_survives_a_restart() {
    let harness = Harness::new();
    let answer = harness.call("POST", "/v2/web/blobs/uploads/").await.expect(202);
    let location = answer.header("location").to_owned();
    harness.with_body("PATCH", &location, &[], b"first ").await.expect(202);
    let harness = harness.restarted();
    let answer = harness.call("GET", &location).await.expect(204);
    assert_eq!(answer.header("range"), "0-5");
    harness
        .with_body("PATCH", &location, &[("content-range", "6-11")], b"second")
        .await
        .expect(202);
    let path = format!("{location}?digest={}", digest(b"first second"));
    harness.call("PUT", &path).await.expect(201);
}

#[tokio::test]
async fn an_upload_can_be_cancelled_and_belongs_to_its_repository() {
    let harness = Harness::new();
    let answer = harness.call("POST", "/v2/web/blobs/uploads/").await.expect(202);
    let location = answer.header("location").to_owned();
    let elsewhere = location.replace("/web/", "/other/");
    assert_eq!(harness.call("DELETE", &elsewhere).await.fault(404), "BLOB_UPLOAD_UNKNOWN");
    harness.call("DELETE", &location).await.expect(204);
    assert_eq!(harness.call("GET", &location).await.fault(404), "BLOB_UPLOAD_UNKNOWN");
    assert_eq!(std::fs::read_dir(harness.path().join("uploads")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_wrong_digest_stores_nothing() {
    let harness = Harness::new();
    let wrong = digest(b"other");
    let path = format!("/v2/web/blobs/uploads/?digest={wrong}");
    let answer = harness.with_body("POST", &path, &[], b"content").await;
    assert_eq!(answer.fault(400), "DIGEST_INVALID");
    let answer = harness.call("POST", "/v2/web/blobs/uploads/").await;
    let path = format!("{}?digest={wrong}", answer.header("location"));
    let answer = harness.with_body("PUT", &path, &[], b"content").await;
    assert_eq!(answer.fault(400), "DIGEST_INVALID");
    for digest in [wrong, digest(b"content")] {
        harness.call("HEAD", &format!("/v2/web/blobs/{digest}")).await.expect(404);
    }
    let answer = harness.call("POST", "/v2/web/blobs/uploads/").await;
    let answer = harness.call("PUT", answer.header("location")).await;
    assert_eq!(answer.fault(400), "DIGEST_INVALID");
}

#[tokio::test]
async fn blobs_are_mounted_from_other_repositories() {
    let harness = Harness::new();
    let blob = harness.push_blob("from", b"shared").await;
    let mount =
        |to: &str, blob: &str, from: &str| format!("/v2/{to}/blobs/uploads/?mount={blob}{from}");
    let answer = harness.call("POST", &mount("to", &blob, "&from=from")).await.expect(201);
    let place = answer.header("location").to_owned();
    assert_eq!(harness.call("GET", &place).await.expect(200).body, b"shared");
    let answer = harness.call("POST", &mount("third", &blob, "")).await.expect(202);
    assert!(answer.header("location").starts_with("/v2/third/blobs/uploads/"));
    harness.call("POST", &mount("to", &digest(b"no"), "&from=from")).await.expect(202);
    let answer = harness.call("POST", &mount("to", &blob, "&from=../from")).await;
    assert_eq!(answer.fault(400), "NAME_INVALID");
}

#[tokio::test]
async fn a_manifest_needs_what_it_refers_to() {
    let harness = Harness::new();
    let (image, image_digest) = harness.push_image("web", "v1", &[b"layer"]).await;
    let mut lacking = image.clone();
    lacking["layers"][0]["digest"] = digest(b"lacking").into();
    let answer = harness.put_manifest("web", "v2", &lacking).await;
    assert_eq!(answer.fault(400), "MANIFEST_BLOB_UNKNOWN");
    let answer = harness.put_manifest("elsewhere", "v1", &image).await;
    assert_eq!(answer.fault(400), "MANIFEST_BLOB_UNKNOWN");
    let index = |child: &str| {
        json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {"mediaType": MANIFEST, "digest": child, "size": 1, "platform": {"os": "wasip2", "architecture": "wasm"}},
        ]})
    };
    harness.put_manifest("web", "index", &index(&image_digest)).await.expect(201);
    let answer = harness.put_manifest("web", "index", &index(&digest(b"lacking"))).await;
    assert_eq!(answer.fault(400), "MANIFEST_BLOB_UNKNOWN");
    let answer = harness.call("GET", "/v2/web/manifests/index").await.expect(200);
    assert_eq!(answer.header("content-type"), INDEX);
}

#[tokio::test]
async fn a_manifest_without_layers_is_one() {
    let harness = Harness::new();
    harness.push_image("web", "v1", &[]).await;
    let empty = harness.push_blob("web", b"{}").await;
    let artifact = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": "application/vnd.example",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": empty, "size": 2},
    });
    harness.put_manifest("web", "artifact", &artifact).await.expect(201);
}

#[tokio::test]
async fn foreign_layers_need_not_be_here() {
    let harness = Harness::new();
    let (mut image, _) = harness.push_image("web", "v1", &[b"layer"]).await;
    image["layers"][0] = json!({
        "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "digest": digest(b"far away"), "size": 8, "urls": ["https://example.com/layer"],
    });
    harness.put_manifest("web", "v2", &image).await.expect(201);
}

#[tokio::test]
async fn bad_manifests_are_refused() {
    let harness = Harness::with(Limits { manifest_bytes: 2000, ..Limits::default() });
    let (image, image_digest) = harness.push_image("web", "v1", &[]).await;
    let put = async |reference: String, content_type: &'static str, body: String| {
        let path = format!("/v2/web/manifests/{reference}");
        harness.with_body("PUT", &path, &[("content-type", content_type)], body.as_bytes()).await
    };
    let text = image.to_string();
    let long = format!("{text}{}", " ".repeat(2000));
    for (reference, content_type, body, status, code) in [
        ("v2", MANIFEST, "blablabla".to_owned(), 400, "MANIFEST_INVALID"),
        ("v2", INDEX, text.clone(), 400, "MANIFEST_INVALID"),
        ("v2", "text/plain", text.clone(), 400, "MANIFEST_INVALID"),
        ("-v2", MANIFEST, text.clone(), 400, "MANIFEST_INVALID"),
        ("sha256:totallywrong", MANIFEST, text.clone(), 400, "DIGEST_INVALID"),
        (&digest(b"other"), MANIFEST, text.clone(), 400, "DIGEST_INVALID"),
        ("v2", MANIFEST, long, 413, "SIZE_INVALID"),
    ] {
        let answer = put(reference.to_owned(), content_type, body).await;
        assert_eq!(answer.fault(status), code, "{reference} as {content_type}");
    }
    put(image_digest, MANIFEST, text.clone()).await.expect(201);
    let by_sha512 = digest512(text.as_bytes());
    put(by_sha512.clone(), MANIFEST, text.clone()).await.expect(201);
    let answer = harness.call("GET", &format!("/v2/web/manifests/{by_sha512}")).await.expect(200);
    assert_eq!(answer.body, text.as_bytes());
    let tags = harness.call("GET", "/v2/web/tags/list").await.expect(200).json();
    assert_eq!(tags["tags"], json!(["v1"]), "nothing that was refused left a tag");
}

#[tokio::test]
async fn tags_and_repositories_are_listed_in_pages() {
    let harness = Harness::new();
    for tag in ["b", "A", "c", "test0", "B"] {
        harness.push_image("z/web", tag, &[]).await;
    }
    harness.push_image("a", "x", &[]).await;
    harness.push_blob("only/blobs", b"x").await;
    let tags = harness.call("GET", "/v2/z/web/tags/list").await.expect(200).json();
    assert_eq!(tags, json!({"name": "z/web", "tags": ["A", "B", "b", "c", "test0"]}));
    let mut path = "/v2/z/web/tags/list?n=2".to_owned();
    let mut seen = Vec::new();
    loop {
        let answer = harness.call("GET", &path).await.expect(200);
        let page = answer.json()["tags"].as_array().unwrap().clone();
        assert!(page.len() <= 2);
        seen.extend(page.iter().map(|tag| tag.as_str().unwrap().to_owned()));
        let link = answer.header("link").to_owned();
        let Some((next, _)) = link.trim_start_matches('<').split_once(">; rel=\"next\"") else {
            break;
        };
        path = next.to_owned();
    }
    assert_eq!(seen, ["A", "B", "b", "c", "test0"]);
    let answer = harness.call("GET", "/v2/z/web/tags/list?n=0").await.expect(200);
    assert_eq!(answer.json()["tags"], json!([]));
    harness.call("GET", "/v2/z/web/tags/list?n=x").await.expect(400);
    let answer = harness.call("GET", "/v2/_catalog").await.expect(200);
    assert_eq!(answer.json(), json!({"repositories": ["a", "z/web"]}));
    let answer = harness.call("GET", "/v2/_catalog?n=1").await.expect(200);
    assert_eq!(answer.header("link"), "</v2/_catalog?n=1&last=a>; rel=\"next\"");
    let answer = harness.call("GET", "/v2/_catalog?n=1&last=a").await.expect(200);
    assert_eq!(answer.json(), json!({"repositories": ["z/web"]}));
    assert_eq!(answer.header("link"), "");
}

#[tokio::test]
async fn referrers_are_found_also_before_their_subject() {
    let harness = Harness::new();
    let (image, subject) = harness.push_image("elsewhere", "v1", &[]).await;
    let empty = harness.push_blob("web", b"{}").await;
    let path = format!("/v2/web/referrers/{subject}");
    let answer = harness.call("GET", &path).await.expect(200);
    assert_eq!(answer.header("content-type"), INDEX);
    assert_eq!(answer.json()["manifests"], json!([]));
    let referrer = |artifact_type: &str, config_type: &str| {
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": config_type, "digest": empty, "size": 2},
            "layers": [],
            "subject": {"mediaType": MANIFEST, "digest": subject, "size": image.to_string().len()},
            "annotations": {"of": artifact_type},
        });
        if !artifact_type.is_empty() {
            manifest["artifactType"] = artifact_type.into();
        }
        manifest
    };
    for manifest in [
        referrer("a/signature", "application/vnd.oci.empty.v1+json"),
        referrer("a/bill", "application/vnd.oci.empty.v1+json"),
        referrer("", "a/config"),
    ] {
        let digest = digest(manifest.to_string().as_bytes());
        let answer = harness.put_manifest("web", &digest, &manifest).await.expect(201);
        assert_eq!(answer.header("oci-subject"), subject);
    }
    let list = harness.call("GET", &path).await.expect(200).json();
    let mut types: Vec<_> = list["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["artifactType"].as_str().unwrap())
        .collect();
    types.sort_unstable();
    assert_eq!(types, ["a/bill", "a/config", "a/signature"]);
    let answer = harness.call("GET", &format!("{path}?artifactType=a%2Fbill")).await.expect(200);
    assert_eq!(answer.header("oci-filters-applied"), "artifactType");
    let list = answer.json();
    assert_eq!(list["manifests"].as_array().unwrap().len(), 1);
    assert_eq!(list["manifests"][0]["annotations"], json!({"of": "a/bill"}));
    let bill = list["manifests"][0]["digest"].as_str().unwrap();
    harness.call("DELETE", &format!("/v2/web/manifests/{bill}")).await.expect(202);
    let list = harness.call("GET", &path).await.expect(200).json();
    assert_eq!(list["manifests"].as_array().unwrap().len(), 2, "a deleted referrer is gone");
    assert_eq!(harness.call("GET", "/v2/web/referrers/x").await.fault(400), "DIGEST_INVALID");
}

#[tokio::test]
async fn tags_manifests_and_blobs_are_deleted() {
    let harness = Harness::new();
    let (image, by_digest) = harness.push_image("web", "v1", &[b"layer"]).await;
    harness.put_manifest("web", "v2", &image).await.expect(201);
    harness.put_manifest("web", "v3", &image).await.expect(201);
    harness.call("DELETE", "/v2/web/manifests/v1").await.expect(202);
    harness.call("GET", "/v2/web/manifests/v1").await.expect(404);
    harness.call("GET", &format!("/v2/web/manifests/{by_digest}")).await.expect(200);
    harness.call("DELETE", &format!("/v2/web/manifests/{by_digest}")).await.expect(202);
    for reference in ["v2", "v3", &by_digest] {
        harness.call("GET", &format!("/v2/web/manifests/{reference}")).await.expect(404);
    }
    let tags = harness.call("GET", "/v2/web/tags/list").await.expect(200).json();
    assert_eq!(tags["tags"], json!([]));
    let path = format!("/v2/web/blobs/{}", digest(b"layer"));
    harness.call("DELETE", &path).await.expect(202);
    harness.call("GET", &path).await.expect(404);
    harness.call("DELETE", &path).await.expect(404);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let harness = Harness::new();
    let (image, _) = harness.push_image("web", "v1", &[b"layer"]).await;
    let harness = harness.restarted();
    let answer = harness.call("GET", "/v2/web/manifests/v1").await.expect(200);
    assert_eq!(answer.body, image.to_string().as_bytes());
}

#[tokio::test]
async fn a_folder_has_one_registry() {
    let harness = Harness::new();
    let second = Registry::open(harness.path());
    assert!(matches!(second, Err(RegistryError::InUse { .. })));
}

#[tokio::test]
async fn a_full_disk_is_said_and_damages_nothing() {
    let harness = Harness::new();
    harness.push_image("web", "v1", &[b"layer"]).await;
    let answer = harness.call("POST", "/v2/web/blobs/uploads/").await.expect(202);
    let location = answer.header("location").to_owned();
    let id = answer.header("docker-upload-uuid").to_owned();
    // Writing to this device fails as writing to a full disk does.
    let data = harness.path().join("uploads").join(id).join("data");
    std::fs::remove_file(&data).unwrap();
    std::os::unix::fs::symlink("/dev/full", &data).unwrap();
    let answer = harness.with_body("PATCH", &location, &[], b"more").await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!(text.contains("the registry's disk is full"), "{text}");
    assert_eq!(answer.fault(507), "STORAGE_FULL");
    harness.call("GET", "/v2/web/manifests/v1").await.expect(200);
    harness.push_image("web", "v2", &[b"another"]).await;
}

#[tokio::test]
async fn a_broken_push_keeps_what_came_and_can_go_on() {
    let harness = Harness::new();
    let answer = harness.call("POST", "/v2/web/blobs/uploads/").await.expect(202);
    let location = answer.header("location").to_owned();
    let broken = tokio_stream::iter([
        Ok("first ".as_bytes()),
        Err(std::io::Error::other("the client is gone")),
    ]);
    let request = Request::patch(&location).body(Body::from_stream(broken)).unwrap();
    harness.send(request).await.expect(400);
    let answer = harness.call("GET", &location).await.expect(204);
    assert_eq!(answer.header("range"), "0-5");
    let path = format!("{location}?digest={}", digest(b"first second"));
    harness.with_body("PUT", &path, &[], b"second").await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn a_silent_push_ends_and_can_go_on() {
    let harness = Harness::new();
    let answer = harness.call("POST", "/v2/web/blobs/uploads/").await.expect(202);
    let location = answer.header("location").to_owned();
    let request = Request::patch(&location)
        .body(Body::from_stream(tokio_stream::pending::<Result<&[u8], std::io::Error>>()))
        .unwrap();
    assert_eq!(harness.send(request).await.fault(408), "BLOB_UPLOAD_INVALID");
    harness.with_body("PATCH", &location, &[], b"content").await.expect(202);
}

#[tokio::test]
async fn a_blob_over_the_limit_is_refused() {
    let harness = Harness::with(Limits { blob_bytes: Some(8), ..Limits::default() });
    harness.push_blob("web", b"12345678").await;
    let path = format!("/v2/web/blobs/uploads/?digest={}", digest(b"123456789"));
    let answer = harness.with_body("POST", &path, &[], b"123456789").await;
    assert_eq!(answer.fault(413), "SIZE_INVALID");
    let stream = tokio_stream::iter([Ok::<_, std::io::Error>("12345"), Ok("6789")]);
    let request = Request::post(&path).body(Body::from_stream(stream)).unwrap();
    assert_eq!(harness.send(request).await.fault(413), "SIZE_INVALID");
    assert_eq!(std::fs::read_dir(harness.path().join("uploads")).unwrap().count(), 0);
}

#[tokio::test]
async fn many_pushes_at_once_do_not_disturb_each_other() {
    let harness = Arc::new(Harness::new());
    let contents: Vec<Vec<u8>> = (0..8_u8).map(|n| vec![n / 2; 700_000]).collect();
    let pushes = contents.iter().map(|content| harness.push_blob("web", content));
    let digests = futures::future::join_all(pushes).await;
    for (content, digest) in contents.iter().zip(digests) {
        let answer = harness.call("GET", &format!("/v2/web/blobs/{digest}")).await.expect(200);
        assert!(answer.body == *content);
    }
}

#[tokio::test]
async fn garbage_is_what_nothing_refers_to() {
    let harness = Harness::new();
    let (_, image) = harness.push_image("web", "v1", &[b"layer"]).await;
    let orphan = harness.push_blob("web", b"orphan").await;
    let shared = harness.push_blob("other", b"layer").await;
    let answer = harness.call("POST", "/v2/web/blobs/uploads/").await.expect(202);
    let upload = answer.header("location").to_owned();
    let now = SystemTime::now();
    let early = harness.registry.collect_garbage(Retention::at(now)).await.unwrap();
    assert_eq!(early, GarbageReport::default(), "a push may still be on its way");
    let later = Retention::at(now + Duration::from_hours(2));
    let report = harness.registry.collect_garbage(later).await.unwrap();
    assert_eq!((report.unlinked, report.removed, report.bytes, report.uploads), (2, 1, 6, 0));
    harness.call("GET", &format!("/v2/web/blobs/{orphan}")).await.expect(404);
    harness.call("GET", &format!("/v2/other/blobs/{shared}")).await.expect(404);
    harness.call("GET", &format!("/v2/web/blobs/{shared}")).await.expect(200);
    harness.call("GET", &upload).await.expect(204);
    let much_later = Retention::at(now + Duration::from_hours(48));
    let report = harness.registry.collect_garbage(much_later).await.unwrap();
    assert_eq!(report.uploads, 1);
    harness.call("DELETE", &format!("/v2/web/manifests/{image}")).await.expect(202);
    let report = harness.registry.collect_garbage(much_later).await.unwrap();
    assert_eq!((report.unlinked, report.removed), (2, 3));
    for algorithm in ["sha256", "sha512"] {
        let blobs = harness.path().join("blobs").join(algorithm);
        assert_eq!(std::fs::read_dir(blobs).unwrap().count(), 0);
    }
}
