//! The folders of a container, opened when a guest asks for them.
//!
//! Most requests are answered without a look at a file, and opening each folder for each fresh
//! instance would cost them several system calls.

use wasmtime::component::{HasData, Linker, Resource};
use wasmtime_wasi::filesystem::{WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::Descriptor;
use wasmtime_wasi::p3::bindings::filesystem::preopens as preopens3;
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use crate::engine::Level;
use crate::host::Host;
use crate::scope::Preopen;
use crate::unlinked::Unlinked;

struct HasFolders;

impl HasData for HasFolders {
    type Data<'a> = Folders<'a>;
}

/// The file system of one instance before it is asked for.
struct Folders<'a> {
    inner: WasiFilesystemCtxView<'a>,
    preopens: &'a [Preopen],
}

impl Folders<'_> {
    fn open(&mut self) -> wasmtime::Result<()> {
        *self.inner.ctx = opened(self.preopens)?;
        Ok(())
    }
}

/// Puts the late opening in the place of the engine's own interface.
///
/// # Errors
/// If the linker does not allow shadowing.
pub(crate) fn add_to_linker(linker: &mut Linker<Host>, level: Level) -> wasmtime::Result<()> {
    preopens::add_to_linker::<_, HasFolders>(linker, folders)?;
    if level == Level::Three {
        preopens3::add_to_linker::<_, HasFolders>(linker, folders)?;
    }
    Ok(())
}

fn folders(host: &mut Host) -> Folders<'_> {
    let inner = WasiFilesystemCtxView { ctx: host.wasi.filesystem(), table: &mut host.table };
    Folders { inner, preopens: &host.scope.preopens }
}

impl preopens::Host for Folders<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        self.open()?;
        preopens::Host::get_directories(&mut self.inner)
    }
}

impl preopens3::Host for Folders<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        self.open()?;
        preopens3::Host::get_directories(&mut self.inner)
    }
}

/// A file system with these folders.
///
/// # Errors
/// If a folder cannot be opened.
fn opened(preopens: &[Preopen]) -> wasmtime::Result<WasiFilesystemCtx> {
    let mut builder = WasiCtxBuilder::new();
    open_in(&mut builder, preopens)?;
    Ok(std::mem::take(builder.build().filesystem()))
}

/// Opens folders for a program that is given them from the start.
///
/// # Errors
/// If a folder cannot be opened.
pub(crate) fn open_in(builder: &mut WasiCtxBuilder, preopens: &[Preopen]) -> wasmtime::Result<()> {
    for preopen in preopens {
        let permissions = if preopen.read_only { FsPerms::ReadOnly } else { FsPerms::ReadWrite };
        let opened = Unlinked::open(&preopen.host).map_err(wasmtime::Error::from);
        opened
            .and_then(|folder| builder.preopened_dir(folder.path(), &preopen.guest, permissions))
            .map_err(|error| {
                error.context(format!("folder `{}` cannot be opened", preopen.host.display()))
            })?;
    }
    Ok(())
}
