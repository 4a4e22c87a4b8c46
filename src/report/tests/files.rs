//! The file of a report: opened first, named last.

use super::*;

#[test]
fn a_bad_path_fails_before_the_run_with_a_way_out() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("folder.md")).expect("folder");
    let paths = [
        at("report.txt"),
        at("report"),
        at("missing/report.json"),
        at("folder.md"),
        at("a.json"),
        at("folder.md/../a.json"),
    ];
    let errors: Vec<String> = open_all(&paths).expect_err("errors").iter().map(ToString::to_string).collect();
    let ends = [
        "report.txt: its ending names no form. Use .json, .html or .md.",
        "report: its ending names no form. Use .json, .html or .md.",
        "Name a folder that is there and that you may write to.",
        "folder.md: it is not a file. Name a file.",
        "a.json: it was asked for twice. Name it once.",
    ];
    assert_eq!(errors.len(), ends.len(), "{errors:?}");
    for (error, end) in errors.iter().zip(ends) {
        assert!(error.starts_with("report ") && error.ends_with(end), "{error}");
    }
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).expect("folder").map(|e| e.expect("entry").file_name()).collect();
    assert_eq!(left, ["folder.md"], "no draft stays");
}

#[test]
fn a_report_replaces_the_old_one_only_when_it_is_whole() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("report.MD");
    std::fs::write(&path, "the old report, which is longer than any new one could be".repeat(1000)).expect("written");
    drop(ReportFile::open(&path).expect("opened"));
    assert!(std::fs::read_to_string(&path).expect("read").starts_with("the old report"));
    let file = ReportFile::open(&path).expect("opened");
    file.write(&[samples::refused()]).expect("written");
    assert_eq!(std::fs::read_to_string(&path).expect("read"), markdown::render(&[samples::refused()]));
    assert_eq!(std::fs::read_dir(folder.path()).expect("folder").count(), 1, "no draft stays");
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let folder = tempfile::tempdir().expect("folder");
    let (link, file) = (folder.path().join("link.json"), folder.path().join("kept/report.json"));
    std::fs::create_dir(folder.path().join("kept")).expect("folder");
    std::fs::write(&file, "old").expect("written");
    std::os::unix::fs::symlink(&file, &link).expect("linked");
    ReportFile::open(&link).expect("opened").write(&[samples::done()]).expect("written");
    assert!(link.is_symlink());
    assert_eq!(json::read(&std::fs::read_to_string(&file).expect("read")).expect("a report"), [samples::done()]);
}

#[cfg(unix)]
#[test]
fn a_report_has_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("folder");
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).expect("metadata").permissions().mode();
    std::fs::write(folder.path().join("any"), "").expect("written");
    ReportFile::open(&folder.path().join("r.json")).expect("opened").write(&[]).expect("written");
    assert_eq!(mode("r.json"), mode("any"));
}
