//! The program that holds a pod's namespaces: it ignores its children and waits for ever.
//!
//! A container needs a process, and this is the smallest that is correct as the first of a process
//! namespace. It sets `SIGCHLD` to be ignored, so that the kernel itself buries orphans of the pod's
//! containers (`shareProcessNamespace`), and then sleeps. It is ended with `SIGKILL`.
//!
//! The machine code is written out below, with what it means beside it; [`elf`] puts the header of a
//! static ELF executable in front. The result has less than 300 bytes and needs neither a C library
//! nor a build tool for the other processor.

use std::io;

use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Where the file is mapped to in memory.
const BASE: u64 = 0x40_0000;
const EHDR_BYTES: u16 = 64;
const PHDR_BYTES: u16 = 56;

/// `struct sigaction` of the kernel: the handler `SIG_IGN` (1), no flags, no restorer, no mask.
const SIGACTION_IGNORE: [u8; 32] = {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
};

/// `rt_sigaction(SIGCHLD, &ignore, NULL, 8)`, then `pause()` for ever.
#[rustfmt::skip]
const X86_64: &[u8] = &[
    0xb8, 13, 0, 0, 0,             // mov eax, 13 (rt_sigaction)
    0xbf, 17, 0, 0, 0,             // mov edi, 17 (SIGCHLD)
    0x48, 0x8d, 0x35, 19, 0, 0, 0, // lea rsi, [rip + 19]: what follows this code
    0x31, 0xd2,                    // xor edx, edx
    0x41, 0xba, 8, 0, 0, 0,        // mov r10d, 8 (bytes of a signal set)
    0x0f, 0x05,                    // syscall
    0xb8, 34, 0, 0, 0,             // mov eax, 34 (pause)
    0x0f, 0x05,                    // syscall
    0xeb, 0xf7,                    // jmp to the `mov eax, 34`
    // `lea` counts from its own end, 17; the data is at 36.
];

/// The same with `ppoll(NULL, 0, NULL, NULL, 0)` in place of `pause()`, which this processor has not.
const AARCH64: &[u32] = &[
    0xd280_10c8, // mov x8, #134 (rt_sigaction)
    0xd280_0220, // mov x0, #17 (SIGCHLD)
    0x1000_0161, // adr x1, #44: what follows this code
    0xd280_0002, // mov x2, #0
    0xd280_0103, // mov x3, #8 (bytes of a signal set)
    0xd400_0001, // svc #0
    0xd280_0928, // mov x8, #73 (ppoll)
    0xd280_0000, // mov x0, #0
    0xd280_0001, // mov x1, #0
    0xd280_0002, // mov x2, #0
    0xd280_0003, // mov x3, #0
    0xd400_0001, // svc #0
    0x17ff_fffa, // b to the `mov x8, #73`
];

/// A processor that the program exists for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arch {
    Amd64,
    Arm64,
}

impl Arch {
    /// From the name that engines use.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "amd64" | "x86_64" => Some(Self::Amd64),
            "arm64" | "aarch64" => Some(Self::Arm64),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

/// The executable: header, one segment, code, data.
pub(crate) fn elf(arch: Arch) -> Vec<u8> {
    let (machine, code): (u16, Vec<u8>) = match arch {
        Arch::Amd64 => (62, X86_64.to_vec()),
        Arch::Arm64 => (183, AARCH64.iter().flat_map(|word| word.to_le_bytes()).collect()),
    };
    let headers = u64::from(EHDR_BYTES + PHDR_BYTES);
    let total = headers + (code.len() + SIGACTION_IGNORE.len()) as u64;
    let mut out = Vec::new();
    // e_ident: magic, 64 bit, little endian, version 1, then nothing.
    out.extend_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(&2u16.to_le_bytes()); // e_type: an executable
    out.extend_from_slice(&machine.to_le_bytes());
    out.extend_from_slice(&1u32.to_le_bytes()); // e_version
    out.extend_from_slice(&(BASE + headers).to_le_bytes()); // e_entry
    out.extend_from_slice(&u64::from(EHDR_BYTES).to_le_bytes()); // e_phoff
    out.extend_from_slice(&0u64.to_le_bytes()); // e_shoff: no sections
    out.extend_from_slice(&0u32.to_le_bytes()); // e_flags
    for half in [EHDR_BYTES, PHDR_BYTES, 1, 0, 0, 0] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    out.extend_from_slice(&1u32.to_le_bytes()); // p_type: to be loaded
    out.extend_from_slice(&5u32.to_le_bytes()); // p_flags: readable and executable
    for word in [0, BASE, BASE, total, total, 0x1000] {
        out.extend_from_slice(&u64::to_le_bytes(word)); // offset, addresses, sizes, alignment
    }
    out.extend_from_slice(&code);
    out.extend_from_slice(&SIGACTION_IGNORE);
    out
}

/// The image of the program, in the format that engines load, under `name`.
///
/// # Errors
/// None in practice: everything is in memory.
pub(crate) fn image(arch: Arch, name: &str) -> io::Result<Vec<u8>> {
    let mut layer = tar::Builder::new(Vec::new());
    append(&mut layer, "pause", 0o755, &elf(arch))?;
    let layer = layer.into_inner()?;
    let config = json!({
        "architecture": arch.name(),
        "os": "linux",
        "config": {"Entrypoint": ["/pause"], "StopSignal": "SIGKILL"},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", hex(&layer))]},
    })
    .to_string();
    let config_name = format!("{}.json", hex(config.as_bytes()));
    let manifest =
        json!([{"Config": config_name, "RepoTags": [name], "Layers": ["layer.tar"]}]).to_string();
    let mut image = tar::Builder::new(Vec::new());
    append(&mut image, &config_name, 0o644, config.as_bytes())?;
    append(&mut image, "layer.tar", 0o644, &layer)?;
    append(&mut image, "manifest.json", 0o644, manifest.as_bytes())?;
    image.into_inner()
}

fn append(
    archive: &mut tar::Builder<Vec<u8>>,
    name: &str,
    mode: u32,
    bytes: &[u8],
) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_size(bytes.len() as u64);
    header.set_mtime(0);
    archive.append_data(&mut header, name, bytes)
}

fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::Command;

    use super::*;

    #[test]
    fn the_program_is_a_few_hundred_bytes() {
        for arch in [Arch::Amd64, Arch::Arm64] {
            let elf = elf(arch);
            assert!(elf.len() < 300, "{arch:?}: {} bytes", elf.len());
            // The data that the code points at is the last thing in the file.
            assert_eq!(&elf[elf.len() - 32..], &SIGACTION_IGNORE);
        }
    }

    #[test]
    fn the_program_runs_until_it_is_killed() {
        let Some(arch) = Arch::parse(std::env::consts::ARCH) else { return };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pause");
        fs::write(&path, elf(arch)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let mut child = Command::new(&path).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        // The bit of `SIGCHLD` (17) among the ignored signals, once it is past its first call.
        let ignores = loop {
            let status = fs::read_to_string(&status).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:\t")).unwrap();
            let ignored = u64::from_str_radix(line.trim(), 16).unwrap();
            if ignored & (1 << 16) != 0 || child.try_wait().unwrap().is_some() {
                break ignored & (1 << 16) != 0;
            }
            std::thread::yield_now();
        };
        assert!(ignores, "orphans are buried");
        assert!(child.try_wait().unwrap().is_none(), "it waits");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
