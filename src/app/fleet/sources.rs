//! The files of a fleet: `--sources` and `--owner-from`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::fleet::sources::{Glob, ListingForm, MemberFile, Pattern, listed, members};
use crate::model::record::Refusal;

use super::super::world::World;
use super::expand;

/// The first bytes of a SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Most bytes of a manifest: two million lines of 128 bytes. A file without an end, or of another kind, would fill the memory.
const LARGEST_MANIFEST: u64 = 256 << 20;

/// The flag.
const SOURCES: &str = "--sources";

/// The members of a fleet, in the order of their paths.
///
/// `sources` is `-` for a manifest or a list of paths on stdin, else the path of a file that exists, else a glob. A file is a
/// SQLite database or a `.sql` or `.sql.gz` export, and then the only member; any other file is a manifest or a list of
/// paths.
///
/// It opens and closes files, so no database may be open in this process (see `sqlite::open_file`).
///
/// # Errors
/// Every refusal of the list.
pub fn read(sources: &str, owner_from: Option<&str>, world: &World) -> Result<Vec<MemberFile>, Vec<Refusal>> {
    if sources == "-" && world.stdin_is_terminal {
        let advice = "Send a manifest or a list of paths, as in `find storage -name '*.db' -print0 | migrate fleet --sources -`.";
        return Err(vec![Refusal::new("--sources -", "stdin is a terminal", advice)]);
    }
    read_with(sources, owner_from, &mut io::stdin())
}

fn read_with(sources: &str, owner_from: Option<&str>, stdin: &mut dyn Read) -> Result<Vec<MemberFile>, Vec<Refusal>> {
    let owner_from = owner_from.map(Pattern::owner_from).transpose();
    let found = match (sources, fs::metadata(sources)) {
        ("-", _) => manifest("--sources -", None, stdin).map(FoundFiles::of),
        (_, Ok(metadata)) if metadata.is_dir() => {
            let folder = sources.trim_end_matches('/');
            let advice = format!("Name its files with a glob, such as '{folder}/*' or '{folder}/**/*.db', in quotes.");
            Err(vec![Refusal::new(place_of(sources), "is a folder", advice)])
        }
        (_, Ok(_)) => existing(sources).map(FoundFiles::of),
        (_, Err(_)) => expanded(sources),
    };
    match (found, owner_from) {
        (Ok(found), Ok(owner_from)) => {
            let patterns: Vec<Pattern> = found.pattern.into_iter().chain(owner_from).collect();
            members(found.files, &patterns, &place_of(sources), &|path| fs::canonicalize(path).ok())
        }
        (found, owner_from) => Err([found.err().unwrap_or_default(), owner_from.err().unwrap_or_default()].concat()),
    }
}

/// Files, and the pattern that their glob contains.
struct FoundFiles {
    files: Vec<MemberFile>,
    pattern: Option<Pattern>,
}

impl FoundFiles {
    fn of(files: Vec<MemberFile>) -> FoundFiles {
        FoundFiles { files, pattern: None }
    }
}

fn place_of(sources: &str) -> String {
    format!("{SOURCES} {sources}")
}

/// The files of a glob.
fn expanded(sources: &str) -> Result<FoundFiles, Vec<Refusal>> {
    let glob = Glob::parse(SOURCES, sources)?;
    let pattern = Pattern::of_sources(&glob).map_err(|refusal| vec![refusal])?;
    let paths = expand::paths(&glob)?;
    if paths.is_empty() {
        let advice = "Check the path, which is relative to the folder in which the command runs. `~`, `$NAME` and `{a,b}` mean \
                      nothing in it, and no wildcard matches a name that begins with a dot.";
        return Err(vec![Refusal::new(place_of(sources), "no file has this path or matches this glob", advice)]);
    }
    Ok(FoundFiles { files: paths.into_iter().map(MemberFile::new).collect(), pattern })
}

/// A file that exists: a member, or a list of members.
fn existing(path: &str) -> Result<Vec<MemberFile>, Vec<Refusal>> {
    let place = place_of(path);
    let mut file = File::open(path).map_err(|e| vec![unread(&place, &e)])?;
    let mut start = Vec::new();
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut start).map_err(|e| vec![unread(&place, &e)])?;
    let is_export = [".sql", ".sql.gz"].iter().any(|ending| ends_with(path, ending));
    if start == MAGIC || is_export {
        return Ok(vec![MemberFile::new(path)]);
    }
    manifest(&place, Some(path), &mut start.chain(file))
}

/// Returns true if a path ends in these ASCII letters, in any case.
fn ends_with(path: &str, ending: &str) -> bool {
    let name = Path::new(path).file_name().map(OsStrExt::as_bytes).unwrap_or_default();
    name.len() > ending.len() && name[name.len() - ending.len()..].eq_ignore_ascii_case(ending.as_bytes())
}

/// The files that a text names.
fn manifest(place: &str, name: Option<&str>, from: &mut dyn Read) -> Result<Vec<MemberFile>, Vec<Refusal>> {
    if name.is_some_and(|name| ends_with(name, ".json")) {
        let advice = "Write one object a line, for example with `jq -c '.[]'`, in a file whose name ends in `.ndjson`.";
        return Err(vec![Refusal::new(place, "is a JSON file, which is no form of a manifest", advice)]);
    }
    let mut text = Vec::new();
    from.take(LARGEST_MANIFEST + 1).read_to_end(&mut text).map_err(|e| vec![unread(place, &e)])?;
    if text.len() as u64 > LARGEST_MANIFEST {
        let reason = format!("is larger than {LARGEST_MANIFEST} bytes");
        return Err(vec![Refusal::new(place, reason, "Split the manifest, and run the command once for each part.")]);
    }
    let form = match name.and_then(ListingForm::of_name) {
        Some(form) => form,
        None => ListingForm::of_text(&text, place).map_err(|refusal| vec![refusal])?,
    };
    listed(&text, form, place)
}

fn unread(place: &str, error: &io::Error) -> Refusal {
    let advice = "Give this user the right to read it, or name another file.";
    Refusal::new(place, format!("cannot be read; {error}"), advice)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    const DATABASE: &[u8] = b"SQLite format 3\0...";

    /// A folder with these files, each with the header of a database.
    fn folder(files: &[&str]) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            write(&folder, file, DATABASE);
        }
        folder
    }

    fn write(folder: &TempDir, file: impl AsRef<OsStr>, bytes: &[u8]) {
        let path = folder.path().join(file.as_ref());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn at(folder: &TempDir, below: &str) -> String {
        format!("{}/{below}", folder.path().to_str().unwrap())
    }

    /// The files without the folder's own path, each with its values.
    fn found(folder: &TempDir, read: Result<Vec<MemberFile>, Vec<Refusal>>) -> Vec<String> {
        let show = |member: MemberFile| {
            let values: Vec<String> = member.values.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            member.path.replace(&at(folder, ""), "") + &values.concat()
        };
        read.unwrap_or_else(|refusals| panic!("{refusals:?}")).into_iter().map(show).collect()
    }

    fn refused(folder: &TempDir, read: Result<Vec<MemberFile>, Vec<Refusal>>) -> Vec<String> {
        let refusals = read.unwrap_err();
        assert!(refusals.iter().all(|r| !r.advice.is_empty()), "{refusals:?}");
        refusals.iter().map(|r| format!("{}: {}", r.place, r.reason).replace(&at(folder, ""), "")).collect()
    }

    fn named(sources: &str, owner_from: Option<&str>) -> Result<Vec<MemberFile>, Vec<Refusal>> {
        read_with(sources, owner_from, &mut io::empty())
    }

    #[test]
    fn a_glob_matches_files_and_takes_values_out_of_their_paths() {
        let files = ["t/b/main.db", "t/a/main.db", "t/.x/main.db", "t/main.db", "t/c/other.db", "t/d/main.db/no"];
        let folder = folder(&files);
        let read = named(&at(&folder, "t/%{tenant}/main.db"), Some("(?<stem>[^/.]+)[.]db$"));
        assert_eq!(found(&folder, read), ["t/a/main.db stem=main tenant=a", "t/b/main.db stem=main tenant=b"]);
        let read = named(&at(&folder, "./t//[!b-z]/*.db"), None);
        assert_eq!(found(&folder, read), ["t/a/main.db"]);
        let read = named(&at(&folder, "t/.*/*"), None);
        assert_eq!(found(&folder, read), ["t/.x/main.db"]);
        let read = named(&at(&folder, "**/main.db"), None);
        assert_eq!(found(&folder, read), ["t/a/main.db", "t/b/main.db", "t/main.db"]);
    }

    #[test]
    fn the_files_that_sqlite_keeps_next_to_a_database_are_left_out() {
        let files = ["a.db", "a.db-wal", "a.db-shm", "b.db", "b.db-journal", "c-journal", "d.db-wal"];
        let folder = folder(&files);
        let read = named(&at(&folder, "*"), None);
        assert_eq!(
            found(&folder, read),
            ["a.db", "b.db", "c-journal", "d.db-wal"],
            "the last two belong to no file here"
        );
    }

    #[test]
    fn a_glob_follows_links_and_refuses_a_link_to_nothing_and_a_file_of_two_names() {
        let folder = folder(&["real/a.db", "real/b.db", "elsewhere/c/x.db"]);
        fs::create_dir(folder.path().join("t")).unwrap();
        symlink(folder.path().join("real/a.db"), folder.path().join("t/a.db")).unwrap();
        symlink(folder.path().join("elsewhere/c"), folder.path().join("t/c")).unwrap();
        assert_eq!(found(&folder, named(&at(&folder, "t/*.db"), None)), ["t/a.db"]);
        assert_eq!(found(&folder, named(&at(&folder, "t/*/x.db"), None)), ["t/c/x.db"]);
        // A loop of folders, which `**` does not enter.
        symlink(folder.path(), folder.path().join("t/loop")).unwrap();
        assert_eq!(found(&folder, named(&at(&folder, "t/**/*.db"), None)), ["t/a.db"]);
        assert_eq!(refused(&folder, named(&at(&folder, "*/a.db"), None)), ["t/a.db: is the same file as real/a.db"]);
        symlink("missing.db", folder.path().join("t/z.db")).unwrap();
        assert_eq!(refused(&folder, named(&at(&folder, "t/*.db"), None)), ["--sources: t/z.db: is a link to nothing"]);
    }

    #[test]
    fn a_path_that_is_not_utf8_is_found_and_refused() {
        let folder = folder(&["a.db"]);
        write(&folder, OsStr::from_bytes(b"M\xfcller.db"), DATABASE);
        write(&folder, OsStr::from_bytes(b"d\xff/x.db"), DATABASE);
        let expected = ["--sources: the path `M\\xfcller.db` is not UTF-8"];
        assert_eq!(refused(&folder, named(&at(&folder, "*.db"), None)), expected);
        let expected = ["--sources: the path `d\\xff/x.db` is not UTF-8"];
        assert_eq!(refused(&folder, named(&at(&folder, "*/x.db"), None)), expected);
    }

    #[test]
    fn a_folder_that_cannot_be_read_is_refused() {
        let folder = folder(&["t/a/x.db", "t/b/x.db"]);
        let closed = folder.path().join("t/b");
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
        // The superuser may read it anyway.
        let is_closed = fs::read_dir(&closed).is_err();
        for glob in ["t/*/x.db", "t/*/*.db", "t/**/x.db"] {
            let read = named(&at(&folder, glob), None);
            match is_closed {
                true => assert!(refused(&folder, read)[0].starts_with("--sources: t/b"), "{glob}"),
                false => assert_eq!(found(&folder, read), ["t/a/x.db", "t/b/x.db"], "{glob}"),
            }
        }
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    }

    #[test]
    fn a_file_that_is_no_database_is_a_manifest() {
        let folder = folder(&["a.db"]);
        let (csv, list) = (format!("path,user\n{},ada\n", at(&folder, "a.db")), at(&folder, "a.db"));
        for (name, text, expected) in [
            ("m.csv", csv.as_str(), "a.db user=ada"),
            ("m", csv.as_str(), "a.db user=ada"),
            ("m[1].csv", csv.as_str(), "a.db user=ada"),
            ("list.txt", list.as_str(), "a.db"),
        ] {
            write(&folder, name, text.as_bytes());
            assert_eq!(found(&folder, named(&at(&folder, name), None)), [expected], "{name}");
        }
        write(&folder, "m.json", b"[]");
        write(&folder, "m.txt", b"\n");
        write(&folder, "noise", b"\x03\x9f\x12\x80");
        for (name, expected) in [
            ("m.json", "is a JSON file, which is no form of a manifest"),
            ("m.txt", "names no file"),
            ("noise", "is neither a SQLite database nor a text that names files"),
        ] {
            assert_eq!(refused(&folder, named(&at(&folder, name), None)), [format!("--sources {name}: {expected}")]);
        }
    }

    #[test]
    fn a_database_or_an_export_is_a_member_itself() {
        let folder = folder(&["a[1].db"]);
        write(&folder, "dump.sql", b"PRAGMA foreign_keys=OFF;\n");
        write(&folder, "dump.SQL.gz", b"\x1f\x8b\x08");
        for name in ["a[1].db", "dump.sql", "dump.SQL.gz"] {
            assert_eq!(found(&folder, named(&at(&folder, name), None)), [name]);
        }
    }

    #[test]
    fn a_dash_is_stdin() {
        let folder = folder(&["a b.db", "c.db"]);
        let text = format!("{}\0{}\0", at(&folder, "c.db"), at(&folder, "a b.db"));
        let read = read_with("-", Some("%{user}.db"), &mut text.as_bytes());
        assert_eq!(found(&folder, read), ["a b.db user=a b", "c.db user=c"]);
        assert_eq!(refused(&folder, named("-", None)), ["--sources -: names no file"]);
    }

    #[test]
    fn a_folder_and_a_glob_without_a_match_are_refused_with_the_mistakes_of_the_pattern() {
        let folder = folder(&["t/a.db"]);
        assert_eq!(
            refused(&folder, named(&at(&folder, "t/"), Some("("))),
            ["--sources t/: is a folder", "--owner-from: cannot be read as a regular expression; unclosed group"]
        );
        let expected = ["--sources t/*.sqlite: no file has this path or matches this glob"];
        assert_eq!(refused(&folder, named(&at(&folder, "t/*.sqlite"), None)), expected);
        assert_eq!(
            refused(&folder, named(&at(&folder, "t/[a"), None)),
            ["--sources: `[a` opens a `[` that is not closed"]
        );
    }
}
