//! `docs/reliability.md` promises nothing that no test proves.

use std::collections::HashMap;
use std::fs::read_to_string;
use std::path::Path;

/// The path of each `[[test]]`, by its name.
fn tests(manifest: &str) -> HashMap<&str, &str> {
    let stanzas = manifest.split("[[test]]").skip(1);
    stanzas.filter_map(|stanza| Some((value_of(stanza, "name")?, value_of(stanza, "path")?))).collect()
}

fn value_of<'a>(stanza: &'a str, key: &str) -> Option<&'a str> {
    stanza.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

#[test]
fn names_tests_that_exist() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = read_to_string(here.join("../docs/reliability.md")).expect("the page");
    let manifest = read_to_string(here.join("Cargo.toml")).expect("the manifest");
    let paths = tests(&manifest);
    // Every other part is between backticks.
    let names: Vec<_> = page.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::")).collect();
    let names: Vec<_> =
        names.into_iter().filter(|(file, _)| file.chars().all(|c| "_/".contains(c) || c.is_lowercase())).collect();
    assert!(names.len() > 50, "the page names its tests: {names:?}");
    for (file, test) in names {
        if test == "b" && (file == "a" || file == "service/a") {
            continue; // the notation, explained
        }
        let path = match file.strip_prefix("service/") {
            Some(module) => format!("../examples/service/tests/{module}.rs"),
            None => (*paths.get(file).unwrap_or_else(|| panic!("there is no {file} for {file}::{test}"))).to_owned(),
        };
        let text = read_to_string(here.join(&path)).unwrap_or_else(|e| panic!("{file}::{test}: {path}: {e}"));
        assert!(text.contains(&format!("fn {test}(")), "{file} has no test {test}");
        assert!(!text.contains(&format!("#[ignore]\nfn {test}(")), "{file}::{test} is ignored");
    }
}
