//! Makes the smaller archive of the server's files.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

/// The programs as WebAssembly, 26 MB. The server runs from code that was compiled ahead; `initdb` is replaced by the template
/// of the data folder, and nothing dumps.
const NEVER_READ: [&str; 3] = ["bin/postgres", "bin/initdb", "bin/pg_dump"];

/// The program whose existence is checked, and which is not read either.
const PROGRAM: &str = "bin/pglite";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let archive = smaller(whole::runtime_archive().expect("the crate has its files"));
    let template = whole::pgdata_template_archive().expect("the crate has its files");
    let manifest = whole::manifest().expect("the crate's own manifest");
    fs::write(out.join("runtime.tar.zst"), &archive).expect("cargo's own folder");
    fs::write(out.join("template.tar.zst"), template).expect("cargo's own folder");
    fs::write(out.join("template.json"), whole::pgdata_template_manifest().expect("the crate has its files"))
        .expect("cargo's own folder");
    let libraries: Vec<(&str, &str)> =
        manifest.runtime_support.iter().map(|m| (m.name.as_str(), m.module_sha256.as_str())).collect();
    let text = format!(
        "const ARCHIVE_SHA256: &str = {:?};\nconst PROGRAM_SHA256: &str = {:?};\nconst LIBRARIES: &[(&str, &str)] = &{libraries:?};\n",
        hex(&Sha256::digest(&archive)),
        manifest.runtime.module_sha256,
    );
    fs::write(out.join("hashes.rs"), text).expect("cargo's own folder");
}

/// Copies a compressed archive without the programs.
fn smaller(archive: &[u8]) -> Vec<u8> {
    let mut read = tar::Archive::new(zstd::Decoder::new(archive).expect("a zstd archive"));
    let mut written = tar::Builder::new(Vec::new());
    for entry in read.entries().expect("a tar archive") {
        let mut entry = entry.expect("an entry");
        let path = entry.path().expect("a path").into_owned();
        if NEVER_READ.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        let mut header = entry.header().clone();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("an entry's bytes");
        if path.ends_with(Path::new(PROGRAM)) {
            bytes = b"The program was compiled ahead.\n".to_vec();
        }
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        written.append(&header, bytes.as_slice()).expect("memory");
    }
    zstd::encode_all(written.into_inner().expect("memory").as_slice(), 19).expect("memory")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
