//! The pages of the manual: that none is forgotten, and that all of them run.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the tutorials, without the page that lists them.
fn tutorials() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorials");
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages = names.filter_map(|name| name.strip_suffix(".md").map(str::to_owned));
    let mut pages: Vec<String> = pages.filter(|name| name != "README").collect();
    pages.sort();
    pages
}

#[test]
fn every_tutorial_is_in_the_manual_and_in_the_list_of_tutorials() {
    let (manual, list) = (read("src/manual.rs"), read("docs/tutorials/README.md"));
    let tutorials = tutorials();
    assert_eq!(tutorials.len(), 13);
    for name in tutorials {
        let shown =
            format!("#[doc = include_str!(\"../docs/tutorials/{name}.md\")]\n    pub mod {name} {{}}");
        assert!(manual.contains(&shown), "{name} is not in src/manual.rs");
        let listed = format!("](crate::manual::tutorials::{name}) |");
        assert!(list.contains(&listed), "{name} is not in docs/tutorials/README.md");
    }
}

#[test]
fn every_tutorial_has_a_program_that_runs_and_says_what_goes_wrong() {
    for name in tutorials() {
        let page = read(&format!("docs/tutorials/{name}.md"));
        for part in
            ["\n```\nuse ", "async fn main() -> Result<(), BoxError> {", "\n## What goes wrong\n", "RFC"]
        {
            assert!(page.contains(part), "{name} lacks {part:?}");
        }
        // A fence with words after it may keep what is in it from running.
        let opening = page.lines().filter(|line| line.starts_with("```")).step_by(2);
        for fence in opening {
            assert_eq!(fence, "```", "in {name}");
        }
        // What the embedded provider answers is looked at.
        assert!(page.contains("    # assert"), "{name} asserts nothing");
    }
}

#[test]
fn every_page_of_the_manual_is_in_it() {
    let manual = read("src/manual.rs");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            assert!(manual.contains(&format!("../docs/{name}")), "{name} is not in src/manual.rs");
        }
    }
}
