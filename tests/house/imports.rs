//! Imports run one way: between the modules of the crate along a fixed list, inside each folder without a circle.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;

use super::at_most;
use super::source::{SourceFile, rust};

/// The modules of the crate, from the bottom up, and the modules that each of them imports.
const BELOW: [(&str, &[&str]); 23] = [
    ("model", &[]),
    ("event", &["model"]),
    ("exit", &["model"]),
    ("wire", &["model"]),
    ("text", &[]),
    ("private", &[]),
    ("fleet", &["model"]),
    ("cli", &["model", "text"]),
    ("report", &["model", "exit", "text", "private"]),
    ("progress", &["model", "event", "text"]),
    ("mapping", &["model"]),
    ("guide", &["model", "mapping"]),
    ("plan", &["model", "mapping", "text"]),
    ("convert", &["model", "plan", "wire"]),
    ("sqlite", &["model", "private"]),
    ("pg", &["model", "plan", "wire", "text", "private"]),
    ("resume", &["model", "plan"]),
    ("job", &["model", "mapping", "plan", "event", "sqlite", "pg"]),
    ("migrate", &["model", "mapping", "plan", "wire", "event", "convert", "sqlite", "pg", "job"]),
    ("verify", &["model", "plan", "wire", "event", "convert", "sqlite", "pg", "job", "migrate"]),
    ("init", &["model", "mapping", "plan", "text", "event", "convert", "sqlite", "job"]),
    ("schema", &["model", "text", "convert", "job", "init"]),
    (
        "app",
        &[
            "model", "mapping", "plan", "event", "exit", "text", "private", "cli", "guide", "report", "progress",
            "convert", "sqlite", "pg", "resume", "job", "migrate", "verify", "init", "schema", "fleet",
        ],
    ),
];

/// An import: the path of the module that imports, the path that it names, and where.
struct Import {
    from: Vec<String>,
    to: Vec<String>,
    place: String,
}

/// All paths that a `use` tree names, such as `a::{b, c::d as e}`.
fn expand(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        return vec![tree.split(" as ").next().unwrap_or(tree).trim().to_owned()];
    };
    let (head, list) = (&tree[..open], tree[open + 1..].trim_end().trim_end_matches('}'));
    let mut parts = vec![String::new()];
    let mut depth = 0;
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            c => parts.last_mut().expect("a part").push(c),
        }
    }
    let named = parts.iter().filter(|part| !part.trim().is_empty()).flat_map(|part| expand(part));
    named.map(|part| format!("{head}{part}")).collect()
}

/// The absolute path of a path that a module names; `None` for a path into another crate.
fn absolute(module: &[String], path: &str, children: &BTreeSet<String>) -> Option<Vec<String>> {
    let parts: Vec<&str> = path.split("::").map(str::trim).collect();
    let mut base = module.to_vec();
    let mut rest = &parts[..];
    match parts[0] {
        "crate" => base.clear(),
        "self" => {}
        "super" => {
            base.pop();
        }
        first if children.contains(first) => {
            base.extend(parts.iter().map(|&part| part.to_owned()));
            return Some(base);
        }
        _ => return None,
    }
    rest = &rest[1..];
    while let Some((&"super", deeper)) = rest.split_first() {
        base.pop();
        rest = deeper;
    }
    base.extend(rest.iter().filter(|part| **part != "self").map(|&part| part.to_owned()));
    Some(base)
}

/// All imports between the files. A re-export counts as an import of whoever uses it, from its true place.
fn imports() -> Vec<Import> {
    let files: Vec<SourceFile> = rust().into_iter().filter(|f| !f.is_unit_tests && !is_root(f)).collect();
    let modules: BTreeSet<Vec<String>> = files.iter().map(SourceFile::module).collect();
    let children = |module: &[String]| -> BTreeSet<String> {
        let below = modules.iter().filter(|m| m.len() == module.len() + 1 && m.starts_with(module));
        below.map(|m| m[module.len()].clone()).collect()
    };
    let uses = Regex::new(r"(?m)^\s*(pub(?:\([\w: ]+\))? )?use ([^;]*);").expect("a pattern");
    let inline = Regex::new(r"(?:^|[^\w:])(\w+(?:::\w+)+)").expect("a pattern");
    let mut found = Vec::new();
    let mut exported: BTreeMap<Vec<String>, Vec<String>> = BTreeMap::new();
    for file in &files {
        let (module, children) = (file.module(), children(&file.module()));
        let mut note = |path: &str, at: usize| {
            if let Some(to) = absolute(&module, path, &children) {
                found.push(Import { from: module.clone(), to, place: file.place(at) });
            }
        };
        for hit in uses.captures_iter(&file.code) {
            for path in expand(&hit[2]) {
                match hit.get(1) {
                    None => note(&path, hit.get(2).expect("a path").start()),
                    Some(_) => {
                        if let Some(to) = absolute(&module, &path, &children) {
                            let name = module.iter().chain(to.last()).cloned().collect::<Vec<_>>();
                            // A module may export an item of its own name, which is no other place.
                            if !to.starts_with(&name) {
                                exported.insert(name, to);
                            }
                        }
                    }
                }
            }
        }
        for hit in inline.captures_iter(&uses.replace_all(&file.code, |c: &regex::Captures| blank(&c[0]))) {
            let path = hit.get(1).expect("a path");
            note(path.as_str(), path.start());
        }
    }
    for import in &mut found {
        let through = |to: &[String]| (1..=to.len()).find_map(|n| Some((n, exported.get(&to[..n])?)));
        while let Some((n, to)) = through(&import.to) {
            import.to = to.iter().chain(&import.to[n..]).cloned().collect();
        }
    }
    found
}

/// Spaces in place of a text, with its line breaks kept.
fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { c } else { ' ' }).collect()
}

/// Returns true for the files of the crate's root, which declare the modules.
fn is_root(file: &SourceFile) -> bool {
    ["src/main.rs", "src/lib.rs"].contains(&file.path.as_str())
}

/// The imports between the parts of one folder: of each pair the first place. A part is a file or a subfolder.
fn edges<'a>(
    folder: &[String],
    imports: &'a [Import],
    parts: &BTreeSet<String>,
) -> BTreeMap<(String, String), &'a str> {
    let part = |path: &[String]| match path.get(folder.len()) {
        Some(name) if parts.contains(name) => name.clone(),
        _ => "mod".to_owned(),
    };
    let mut edges = BTreeMap::new();
    for import in imports.iter().filter(|i| i.from.starts_with(folder) && i.to.starts_with(folder)) {
        let (from, to) = (part(&import.from), part(&import.to));
        if from != to {
            edges.entry((from, to)).or_insert(import.place.as_str());
        }
    }
    edges
}

/// Returns true if a chain of imports leads from one part to another.
fn leads_to(edges: &BTreeMap<(String, String), &str>, from: &str, to: &str) -> bool {
    let mut reached = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(here) = open.pop() {
        for (_, next) in edges.keys().filter(|(a, _)| a == here) {
            if reached.insert(next) {
                open.push(next);
            }
        }
    }
    reached.contains(to)
}

#[test]
fn modules_import_only_what_is_below_them() {
    let below: BTreeMap<&str, &[&str]> = BELOW.into_iter().collect();
    for (n, (name, allowed)) in BELOW.iter().enumerate() {
        let lower: Vec<&str> = BELOW[..n].iter().map(|(name, _)| *name).collect();
        assert!(allowed.iter().all(|a| lower.contains(a)), "the list for `{name}` names a module above it");
    }
    let imports = imports();
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for import in &imports {
        let (from, to) = (&import.from[0], import.to.first().map_or("", String::as_str));
        let Some(allowed) = below.get(from.as_str()) else {
            wrong.push(format!("{}: `{from}` is not in this test's list of modules", import.place));
            continue;
        };
        used.insert((from.as_str(), to));
        if from != to && below.contains_key(to) && !allowed.contains(&to) {
            wrong.push(format!("{}: `{from}` imports `{to}`, which is not below it", import.place));
        }
    }
    at_most(0, "an import that is not allowed", &wrong);
    let all = BELOW.iter().flat_map(|(from, allowed)| allowed.iter().map(move |to| (*from, *to)));
    let unused: Vec<_> =
        all.filter(|pair| !used.contains(pair)).map(|(from, to)| format!("`{from}` -> `{to}`")).collect();
    at_most(0, "an import that is allowed and not used: remove it from the list", &unused);
}

/// The imports that are part of a circle inside a folder, with or without the folder's own `mod.rs`.
fn circles(with_mod: bool) -> Vec<String> {
    let imports = imports();
    let modules: BTreeSet<Vec<String>> = rust().iter().filter(|f| !is_root(f)).map(SourceFile::module).collect();
    let folders: BTreeSet<Vec<String>> = modules.iter().flat_map(|m| (0..m.len()).map(|n| m[..n].to_vec())).collect();
    let mut circles = Vec::new();
    for folder in folders {
        let parts = modules.iter().filter(|m| m.len() > folder.len() && m.starts_with(&folder));
        let parts = parts.map(|m| m[folder.len()].clone()).collect();
        let mut edges = edges(&folder, &imports, &parts);
        edges.retain(|(from, to), _| with_mod || (from != "mod" && to != "mod"));
        for ((from, to), place) in &edges {
            if leads_to(&edges, to, from) {
                circles.push(format!("{place}: in src/{}: {from} -> {to}", folder.join("/")));
            }
        }
    }
    circles
}

#[test]
fn no_folder_has_a_circle_of_imports_between_its_parts() {
    at_most(0, "an import that is part of a circle", &circles(false));
}

#[test]
fn no_folder_has_a_circle_of_imports_through_its_mod_file() {
    at_most(0, "an import that is part of a circle with `mod.rs`", &circles(true));
}

#[test]
fn a_use_tree_names_each_of_its_paths() {
    let paths = expand("crate::a::{self, b::{C, d::E}, f as g}");
    assert_eq!(paths, ["crate::a::self", "crate::a::b::C", "crate::a::b::d::E", "crate::a::f"]);
}
