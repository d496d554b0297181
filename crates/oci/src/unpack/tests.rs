//! Layers as they should be, and as an attacker would make them.

use std::io::Write as _;

use super::*;

const LIMITS: UnpackLimits = UnpackLimits { bytes: 1 << 20, entries: 100 };

enum Item<'a> {
    File(&'a str, &'a str),
    Folder(&'a str),
    Symlink(&'a str, &'a str),
    Hard(&'a str, &'a str),
    Device(&'a str),
}
use Item::{Device, File as Plain, Folder, Hard, Symlink};

/// A tar archive; names are written as they are, which `tar::Builder` would not do.
fn archive(items: &[Item<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for item in items {
        let (kind, name, link, content) = match *item {
            Plain(name, content) => (EntryType::Regular, name, "", content),
            Folder(name) => (EntryType::Directory, name, "", ""),
            Symlink(name, target) => (EntryType::Symlink, name, target, ""),
            Hard(name, target) => (EntryType::Link, name, target, ""),
            Device(name) => (EntryType::Char, name, "", ""),
        };
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o4755);
        header.set_size(content.len() as u64);
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

struct Case {
    folder: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("root")).unwrap();
        fs::create_dir(folder.path().join("outside")).unwrap();
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn layer(&self, bytes: &[u8]) -> Layer {
        let blob = self.folder.path().join(Digest::of(bytes).hex());
        fs::write(&blob, bytes).unwrap();
        Layer { blob, uncompressed: None }
    }

    fn unpack(&self, layers: &[&[Item<'_>]]) -> Result<(), UnpackError> {
        let layers: Vec<_> = layers.iter().map(|items| self.layer(&archive(items))).collect();
        unpack(&layers, &self.root(), LIMITS)
    }

    fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root().join(path)).ok()
    }

    #[track_caller]
    fn assert_untouched_outside(&self) {
        assert_eq!(fs::read_dir(self.folder.path().join("outside")).unwrap().count(), 0);
        assert!(!self.folder.path().join("escaped").exists());
    }
}

#[test]
fn upper_layers_cover_lower_ones() {
    let case = Case::new();
    case.unpack(&[
        &[Folder("etc/"), Plain("etc/a", "1"), Plain("etc/b", "1"), Plain("keep/x", "1")],
        &[Plain("./etc/a", "2"), Plain("etc/.wh.b", ""), Plain("new/deep/c", "2")],
    ])
    .unwrap();
    assert_eq!(case.read("etc/a").as_deref(), Some("2"));
    assert_eq!(case.read("etc/b"), None);
    assert_eq!(case.read("keep/x").as_deref(), Some("1"));
    assert_eq!(case.read("new/deep/c").as_deref(), Some("2"));
    let mode = fs::metadata(case.root().join("etc/a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7000, 0, "set-user-id is dropped");
}

#[test]
fn an_opaque_folder_hides_lower_layers_only() {
    let case = Case::new();
    case.unpack(&[
        &[Plain("d/old", "1"), Plain("d/sub/old", "1")],
        &[Plain("d/new", "2"), Plain("d/.wh..wh..opq", ""), Plain("d/newer", "2")],
    ])
    .unwrap();
    assert_eq!(case.read("d/old"), None);
    assert_eq!(case.read("d/sub/old"), None);
    assert_eq!(case.read("d/new").as_deref(), Some("2"));
    assert_eq!(case.read("d/newer").as_deref(), Some("2"));
}

#[test]
fn compressed_layers_are_told_by_their_bytes() {
    let plain = archive(&[Plain("a", "x")]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&plain).unwrap();
    for bytes in [plain.clone(), gzip.finish().unwrap(), zstd::encode_all(&*plain, 1).unwrap()] {
        let case = Case::new();
        let layer = Layer { uncompressed: Some(Digest::of(&plain)), ..case.layer(&bytes) };
        unpack(&[layer], &case.root(), LIMITS).unwrap();
        assert_eq!(case.read("a").as_deref(), Some("x"));
    }
}

#[test]
fn a_wrong_uncompressed_digest_is_found() {
    let case = Case::new();
    let layer = case.layer(&archive(&[Plain("a", "x")]));
    let layer = Layer { uncompressed: Some(Digest::of(b"other")), ..layer };
    let error = unpack(&[layer], &case.root(), LIMITS).unwrap_err();
    assert!(matches!(error, UnpackError::Mismatch { .. }), "{error:?}");
}

#[test]
fn no_path_leaves_the_root() {
    for name in ["../escaped", "a/../../escaped", "/../escaped", ".wh..", "d/.wh.../x"] {
        let case = Case::new();
        let outcome = case.unpack(&[&[Plain(name, "x")]]);
        case.assert_untouched_outside();
        if name.contains("/../") || name.starts_with("..") || name == ".wh.." {
            assert!(!name.contains("../escaped") || outcome.is_err(), "{name}");
        }
    }
    let case = Case::new();
    case.unpack(&[&[Plain("/absolute", "x")]]).unwrap();
    assert_eq!(case.read("absolute").as_deref(), Some("x"));
}

#[test]
fn no_symbolic_link_leads_out_of_the_root() {
    let case = Case::new();
    let outside = case.folder.path().join("outside");
    let outside = outside.to_str().unwrap();
    case.unpack(&[
        &[
            Symlink("abs", outside),
            Symlink("rel", "../outside"),
            Symlink("deep/up", "../../outside"),
        ],
        &[
            Plain("abs/f", "x"),
            Plain("rel/f", "x"),
            Plain("deep/up/f", "x"),
            Plain("abs/.wh..wh..opq", ""),
        ],
    ])
    .unwrap();
    case.assert_untouched_outside();
    assert_eq!(case.read("outside/f").as_deref(), Some("x"), "`..` stops at the root");
}

#[test]
fn a_link_inside_the_root_is_followed() {
    let case = Case::new();
    case.unpack(&[&[Folder("usr/bin"), Symlink("bin", "usr/bin")], &[Plain("bin/app.wasm", "x")]])
        .unwrap();
    assert_eq!(case.read("usr/bin/app.wasm").as_deref(), Some("x"));
    assert!(
        resolve(&case.root(), Path::new("/bin/app.wasm")).unwrap().ends_with("usr/bin/app.wasm")
    );
}

#[test]
fn links_in_a_circle_end() {
    let case = Case::new();
    let outcome = case.unpack(&[&[Symlink("a", "b"), Symlink("b", "a"), Plain("a/f", "x")]]);
    assert!(matches!(outcome, Err(UnpackError::Unsafe(_))));
}

#[test]
fn hard_links_stay_inside() {
    let case = Case::new();
    fs::write(case.folder.path().join("secret"), "s").unwrap();
    assert!(case.unpack(&[&[Hard("x", "../secret")]]).is_err());
    let case = Case::new();
    case.unpack(&[&[Plain("a", "1"), Hard("b", "a")]]).unwrap();
    assert_eq!(case.read("b").as_deref(), Some("1"));
}

#[test]
fn devices_are_passed_over() {
    let case = Case::new();
    case.unpack(&[&[Device("dev/null"), Plain("a", "x")]]).unwrap();
    assert!(!case.root().join("dev/null").exists());
}

#[test]
fn bombs_are_bounded() {
    let zeros = "0".repeat(2 << 20);
    let case = Case::new();
    let outcome = case.unpack(&[&[Plain("a", &zeros)]]);
    assert!(matches!(outcome, Err(UnpackError::TooLarge { limit, .. }) if limit == 1 << 20));
    let case = Case::new();
    let many: Vec<_> = (0..200).map(|_| Plain("a", "")).collect();
    let outcome = case.unpack(&[&many]);
    assert!(matches!(outcome, Err(UnpackError::TooLarge { limit: 100, .. })));
}

#[test]
fn a_cut_off_archive_is_damaged() {
    let case = Case::new();
    let mut bytes = archive(&[Plain("a", &"x".repeat(4096))]);
    bytes.truncate(1024);
    let outcome = unpack(&[case.layer(&bytes)], &case.root(), LIMITS);
    assert!(matches!(outcome, Err(UnpackError::Damaged(_))), "{outcome:?}");
}
