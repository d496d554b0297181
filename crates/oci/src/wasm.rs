//! What a WebAssembly file is, without compiling or validating it: core module or component, and
//! the names it imports and exports.
//!
//! Only the few sections that hold names are read; the others are skipped in the file, so that a
//! component of many megabytes costs no memory.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};
use wasmparser::{
    BinaryReader, ComponentExportSectionReader, ComponentImportSectionReader, ExportSectionReader,
    ImportSectionReader, Imports,
};

/// The names in one WebAssembly file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WasmInfo {
    /// Core module or component.
    pub form: WasmForm,
    /// Sorted, each once. Of a component the interfaces, such as `wasi:cli/environment@0.2.0`; of a
    /// core module the modules it imports from, such as `wasi_snapshot_preview1`.
    pub imports: Vec<String>,
    /// Sorted. Of a component the interfaces, such as `wasi:http/incoming-handler@0.2.0`; of a core
    /// module the names, such as `_start`.
    pub exports: Vec<String>,
}

/// The two binary forms of WebAssembly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WasmForm {
    /// A core module, WASI 0.1.
    Module,
    /// A component, WASI 0.2 and later.
    Component,
}

/// Why a file could not be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// Reading failed.
    #[error("the file could not be read")]
    Read(#[from] io::Error),
    /// It is something else. The text says what it looks like.
    #[error("it is not WebAssembly: {looks_like}")]
    NotWasm {
        /// A guess at what it is instead.
        looks_like: &'static str,
    },
    /// It starts as WebAssembly and then breaks the format.
    #[error("it starts as WebAssembly but is damaged: {fault}")]
    Damaged {
        /// What is wrong, and where.
        fault: String,
    },
}

const HEADER: usize = 8;
const MAGIC: &[u8; 4] = b"\0asm";
/// Names need little room; a larger section is damage or malice.
const MAX_NAMES_SECTION: u64 = 16 << 20;

impl WasmInfo {
    /// Reads the names out of a file.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub fn of_file(path: &Path) -> Result<Self, InspectError> {
        Self::read(&mut BufReader::new(File::open(path)?))
    }

    /// Reads the names out of anything that can be read and skipped in.
    ///
    /// # Errors
    /// See [`InspectError`].
    pub fn read<R: Read + Seek>(source: &mut R) -> Result<Self, InspectError> {
        let length = source.seek(SeekFrom::End(0))?;
        source.seek(SeekFrom::Start(0))?;
        let mut head = Vec::with_capacity(HEADER);
        source.by_ref().take(HEADER as u64).read_to_end(&mut head)?;
        let form = form_of(&head).map_err(|looks_like| InspectError::NotWasm { looks_like })?;
        let mut names = Names::default();
        let mut position = HEADER as u64;
        while position < length {
            let mut id = [0];
            source.read_exact(&mut id)?;
            let (size, size_bytes) = section_size(source)?;
            let start = position + 1 + size_bytes;
            let end = start + size;
            if end > length {
                let fault = format!("the section at byte {position} reaches past the end");
                return Err(InspectError::Damaged { fault });
            }
            if holds_names(form, id[0]) {
                if size > MAX_NAMES_SECTION {
                    let fault = format!("the section at byte {position} has {size} bytes of names");
                    return Err(InspectError::Damaged { fault });
                }
                let mut section = Vec::new();
                source.by_ref().take(size).read_to_end(&mut section)?;
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                names
                    .add(form, id[0], BinaryReader::new(&section, start))
                    .map_err(|error| InspectError::Damaged { fault: error.to_string() })?;
            } else {
                source.seek(SeekFrom::Start(end))?;
            }
            position = end;
        }
        Ok(Self {
            form,
            imports: names.imports.into_iter().collect(),
            exports: names.exports.into_iter().collect(),
        })
    }

    /// Whether it answers HTTP requests: exports `wasi:http/incoming-handler` or `wasi:http/handler`.
    pub fn serves_http(&self) -> bool {
        self.exports.iter().any(|name| {
            matches!(interface(name), "wasi:http/incoming-handler" | "wasi:http/handler")
        })
    }

    /// Whether it is a program: a component that exports `wasi:cli/run`, or a module with `_start`.
    pub fn is_command(&self) -> bool {
        self.exports.iter().any(|name| match self.form {
            WasmForm::Component => interface(name) == "wasi:cli/run",
            WasmForm::Module => name == "_start",
        })
    }
}

/// An interface's name without its version.
fn interface(name: &str) -> &str {
    name.split_once('@').map_or(name, |(interface, _)| interface)
}

/// Tells the form by the first eight bytes.
fn form_of(head: &[u8]) -> Result<WasmForm, &'static str> {
    match head {
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0] => Ok(WasmForm::Module),
        // Version 0x0d of layer 1 is the component format that is in use.
        [b'\0', b'a', b's', b'm', 0x0d, 0, 1, 0] => Ok(WasmForm::Component),
        _ if head.starts_with(MAGIC) => Err("the WebAssembly version is unknown or cut off"),
        [] => Err("the file is empty"),
        _ if head.starts_with(b"\x7fELF") => {
            Err("it is a native (ELF) binary; build for a Wasm target such as `wasm32-wasip2`")
        }
        _ if head.starts_with(b"(module") || head.starts_with(b"(compone") => {
            Err("it is the text format; make a binary of it with `wasm-tools parse`")
        }
        _ if head.starts_with(b"PK") => Err("it is a zip archive"),
        _ if head.starts_with(b"\x1f\x8b") => Err("it is gzip-compressed"),
        _ => Err("it does not start with the bytes `\\0asm`"),
    }
}

/// Core modules: import 2, export 7. Components: import 10, export 11.
fn holds_names(form: WasmForm, section: u8) -> bool {
    match form {
        WasmForm::Module => matches!(section, 2 | 7),
        WasmForm::Component => matches!(section, 10 | 11),
    }
}

/// Reads an unsigned LEB128 of at most five bytes: the value, and its length in bytes.
fn section_size(source: &mut impl Read) -> Result<(u64, u64), InspectError> {
    let (mut value, mut length) = (0_u64, 0_u64);
    loop {
        let mut byte = [0];
        source.read_exact(&mut byte)?;
        value |= u64::from(byte[0] & 0x7f) << (7 * length);
        length += 1;
        if byte[0] & 0x80 == 0 {
            return Ok((value, length));
        }
        if length == 5 {
            let fault = "a section's size is not a 32-bit number".to_owned();
            return Err(InspectError::Damaged { fault });
        }
    }
}

#[derive(Default)]
struct Names {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
}

impl Names {
    fn add(
        &mut self,
        form: WasmForm,
        section: u8,
        reader: BinaryReader<'_>,
    ) -> wasmparser::Result<()> {
        match (form, section) {
            (WasmForm::Module, 2) => {
                for import in ImportSectionReader::new(reader)? {
                    self.imports.insert(match import? {
                        Imports::Single(_, import) => import.module.to_owned(),
                        Imports::Compact1 { module, .. } | Imports::Compact2 { module, .. } => {
                            module.to_owned()
                        }
                    });
                }
            }
            (WasmForm::Module, _) => {
                for export in ExportSectionReader::new(reader)? {
                    self.exports.insert(export?.name.to_owned());
                }
            }
            (WasmForm::Component, 10) => {
                for import in ComponentImportSectionReader::new(reader)? {
                    self.imports.insert(import?.name.name.to_owned());
                }
            }
            (WasmForm::Component, _) => {
                for export in ComponentExportSectionReader::new(reader)? {
                    self.exports.insert(export?.name.name.to_owned());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![id, u8::try_from(content.len()).unwrap()];
        bytes.extend_from_slice(content);
        bytes
    }

    #[test]
    fn names_of_a_core_module_are_found_behind_skipped_sections() {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        module.extend(section(0, b"\x04name-and-more"));
        module.extend(section(1, b"\x01\x60\0\0"));
        module.extend(section(2, b"\x01\x04wasi\x01f\0\0"));
        module.extend(section(7, b"\x01\x06_start\0\0"));
        let info = WasmInfo::read(&mut Cursor::new(module)).unwrap();
        assert_eq!(info.form, WasmForm::Module);
        assert_eq!(info.imports, ["wasi"]);
        assert_eq!(info.exports, ["_start"]);
        assert!(info.is_command() && !info.serves_http());
    }

    #[test]
    fn names_of_a_component_are_found() {
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        let name = b"wasi:cli/run@0.2.0";
        // One export: name (0x00, length, text), sort instance (5), index 0, no type.
        let mut export = vec![1, 0, u8::try_from(name.len()).unwrap()];
        export.extend_from_slice(name);
        export.extend_from_slice(&[5, 0, 0]);
        component.extend(section(11, &export));
        let info = WasmInfo::read(&mut Cursor::new(component)).unwrap();
        assert_eq!(info.form, WasmForm::Component);
        assert_eq!(info.exports, ["wasi:cli/run@0.2.0"]);
        assert!(info.is_command());
    }

    #[test]
    fn what_is_no_wasm_is_named() {
        for (bytes, expected) in [
            (b"".as_slice(), "it is not WebAssembly: the file is empty"),
            (b"\x7fELF\x02\x01\x01\0", "it is not WebAssembly: it is a native (ELF) binary; build"),
            (b"hello, world", "it is not WebAssembly: it does not start with the bytes"),
            (b"(module)", "it is not WebAssembly: it is the text format"),
            (b"\0asm\x01\0\0\0\x01\x7f", "it starts as WebAssembly but is damaged: the section"),
            (b"\0asm\x01\0\0\0\x01\xff\xff\xff\xff\xff\xff", "it starts as WebAssembly but is"),
        ] {
            let error = WasmInfo::read(&mut Cursor::new(bytes)).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
