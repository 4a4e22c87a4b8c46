//! The files of the PostgreSQL inside the process, in place of the crate of this name, which `pglite-oxide` asks for.
//!
//! That crate puts 10 MB into the binary that a rehearsal never reads: the programs as WebAssembly, next to the same programs
//! compiled ahead, and a manifest of 3.7 MB of which three hashes are read.

use std::convert::Infallible;

include!(concat!(env!("OUT_DIR"), "/hashes.rs"));

/// The part of the manifest that is read.
pub struct AssetManifest {
    pub runtime: RuntimeAsset,
    pub runtime_support: Vec<BinaryAsset>,
    pub pg_dump: Option<BinaryAsset>,
    pub initdb: Option<BinaryAsset>,
    pub extensions: Vec<ExtensionAsset>,
}

/// The archive of the server's files, and the program.
pub struct RuntimeAsset {
    pub sha256: String,
    pub module_sha256: String,
}

/// A library that the server loads.
pub struct BinaryAsset {
    pub name: String,
    pub module_sha256: String,
}

/// An extension. There is none.
pub struct ExtensionAsset {
    pub sql_name: String,
    pub sha256: String,
    pub module_sha256: String,
}

/// Returns the manifest.
///
/// # Errors
/// Never: the crate that this one replaces parses a text.
pub fn manifest() -> Result<AssetManifest, Infallible> {
    let library =
        |(name, sha256): &(&str, &str)| BinaryAsset { name: (*name).to_owned(), module_sha256: (*sha256).to_owned() };
    Ok(AssetManifest {
        runtime: RuntimeAsset { sha256: ARCHIVE_SHA256.to_owned(), module_sha256: PROGRAM_SHA256.to_owned() },
        runtime_support: LIBRARIES.iter().map(library).collect(),
        pg_dump: None,
        initdb: None,
        extensions: Vec::new(),
    })
}

/// Returns the server's files, a compressed archive.
pub fn runtime_archive() -> Option<&'static [u8]> {
    Some(include_bytes!(concat!(env!("OUT_DIR"), "/runtime.tar.zst")))
}

/// Returns the template of the data folder, a compressed archive.
pub fn pgdata_template_archive() -> Option<&'static [u8]> {
    Some(include_bytes!(concat!(env!("OUT_DIR"), "/template.tar.zst")))
}

/// Returns the description of the template.
pub fn pgdata_template_manifest() -> Option<&'static [u8]> {
    Some(include_bytes!(concat!(env!("OUT_DIR"), "/template.json")))
}

/// `None`: nothing dumps.
pub fn pg_dump_wasm() -> Option<&'static [u8]> {
    None
}

/// `None`: the template is there.
pub fn initdb_wasm() -> Option<&'static [u8]> {
    None
}

/// `None`: a rehearsal that needs an extension takes `--server`.
pub fn extension_archive(_sql_name: &str) -> Option<&'static [u8]> {
    None
}
