//! Holds `examples/README.md` against the examples: every program has one row, which says what its own documentation and
//! `Cargo.toml` say.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

type Names = BTreeSet<String>;

/// A row of the tables.
struct Row {
    /// Relative to `examples/`.
    file: String,
    what: String,
    command: String,
    features: Names,
    seen: String,
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|_| panic!("no {path}"))
}

/// What stands between back-ticks.
fn quoted(text: &str) -> Names {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What stands between quotation marks, in a list of TOML.
fn listed(text: &str) -> Names {
    text.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The rows by the name of the program.
fn rows() -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for line in read("examples/README.md").lines().filter(|line| line.starts_with("| [")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, what, command, features, seen] = cells[..] else { panic!("not five columns: {line}") };
        let (name, file) = name.strip_prefix("[`").and_then(|name| name.split_once("`](")).expect(line);
        let row = Row {
            file: file.trim_end_matches(')').to_owned(),
            what: what.to_owned(),
            command: quoted(command).into_iter().next().expect(line),
            features: quoted(features),
            seen: seen.to_owned(),
        };
        assert!(rows.insert(name.to_owned(), row).is_none(), "`{name}` has two rows");
    }
    rows
}

/// The programs below a folder of `examples/`: files, and folders with a `main.rs`.
fn programs(folder: &str, among: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(folder)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_some_and(|extension| extension == "rs") {
            among.insert(name.clone(), format!("{folder}{name}.rs"));
        } else if path.join("main.rs").exists() {
            among.insert(name.clone(), format!("{folder}{name}/main.rs"));
        }
    }
}

/// The features that the module documentation of a program names.
fn documented(file: &str) -> Names {
    let text = read(&format!("examples/{file}"));
    let docs: Vec<&str> = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect();
    let docs = docs.join(" ");
    let (_, after) = docs.split_once("Features of tower-oauth:").unwrap_or_else(|| {
        panic!("examples/{file} does not say which features it needs: `Features of tower-oauth: …`")
    });
    quoted(after.split(". ").next().unwrap_or(after).trim_end_matches('.'))
}

/// The lists of `required-features` in the root's `Cargo.toml`, by the name of the example.
fn required() -> BTreeMap<String, Names> {
    let manifest = read("Cargo.toml");
    let tables =
        manifest.split("[[example]]").skip(1).map(|table| table.split("\n[").next().unwrap_or(table));
    let value = |table: &str, key: &str| {
        table.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_prefix('=').map(str::to_owned))
    };
    tables
        .map(|table| {
            let name = listed(&value(table, "name").expect(table)).into_iter().next().expect(table);
            (name, value(table, "required-features").map(|list| listed(&list)).unwrap_or_default())
        })
        .collect()
}

/// The features that the `tower-oauth = { …, features = […] }` of a manifest switches on.
fn switched_on(manifest: &str) -> Names {
    let manifest = read(manifest);
    let line = manifest
        .lines()
        .find(|line| line.starts_with("tower-oauth = "))
        .expect("a dependency on tower-oauth");
    listed(line.split_once("features").expect("its features").1)
}

#[test]
fn every_program_has_one_row_and_every_row_a_program() {
    let mut programs_found = BTreeMap::new();
    programs("", &mut programs_found);
    programs("sdks/src/bin/", &mut programs_found);
    assert!(programs_found.len() >= 9, "the examples were not found");
    let rows: BTreeMap<String, String> = rows().into_iter().map(|(name, row)| (name, row.file)).collect();
    assert_eq!(rows, programs_found);
}

#[test]
fn every_row_says_something() {
    for (name, row) in rows() {
        assert!(row.what.len() > 10 && row.seen.len() > 10, "{name}");
    }
}

#[test]
fn the_features_are_those_of_the_program() {
    let required = required();
    let on = switched_on("examples/sdks/Cargo.toml");
    for (name, row) in rows() {
        assert_eq!(
            row.features,
            documented(&row.file),
            "`{name}`: the table, and the program's documentation"
        );
        if row.file.starts_with("sdks/") {
            let missing: Vec<_> = row.features.difference(&on).collect();
            assert!(missing.is_empty(), "`{name}`: examples/sdks/Cargo.toml does not switch on {missing:?}");
        } else {
            assert_eq!(
                Some(&row.features),
                required.get(&name),
                "`{name}`: the table, and `required-features`"
            );
        }
    }
}

#[test]
fn the_commands_start_the_programs() {
    // What the crate is to itself in tests and examples.
    let on = switched_on("Cargo.toml");
    for (name, row) in rows() {
        let words: Vec<&str> = row.command.split(' ').take_while(|word| *word != "--").collect();
        assert!(row.command.starts_with("cargo run "), "{}", row.command);
        if row.file.starts_with("sdks/") {
            assert!(words.ends_with(&["-p", "tower-oauth-examples", "--bin", &name]), "{}", row.command);
        } else {
            assert!(words.ends_with(&["--example", &name]), "{}", row.command);
            let has_all = words.contains(&"--all-features") || row.features.is_subset(&on);
            assert!(has_all, "`{name}`: `{}` does not switch on {:?}", row.command, row.features);
        }
        let own = read(&format!("examples/{}", row.file));
        assert!(own.contains("cargo run"), "examples/{} does not say how it is started", row.file);
    }
}

#[test]
fn every_program_is_run_by_the_tests() {
    let script = read("scripts/test");
    let words: Vec<&str> = script.split_whitespace().collect();
    for (name, row) in rows() {
        let option = if row.file.starts_with("sdks/") { "--bin" } else { "--example" };
        assert!(words.windows(2).any(|pair| pair == [option, &name]), "scripts/test does not run `{name}`");
    }
}
