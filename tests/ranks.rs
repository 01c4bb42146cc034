//! Holds the shape of `src/`: imports go down the ranks of `ARCHITECTURE.md`, files are short, and nothing panics.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The rooms with their ranks. A room is a folder of `src/` with the file that declares it, or a file alone; the two
/// protocols are rooms of their own.
const ROOMS: &[(&str, u8)] = &[
    ("defaults", 0),
    ("error", 0),
    ("secret", 0),
    ("clock", 0),
    ("lanes", 0),
    ("origin", 0),
    ("token_key", 0),
    ("protocol", 1),
    ("protocol::oauth1", 1),
    ("protocol::oauth2", 1),
    ("observe", 1),
    ("token", 2),
    ("transport", 2),
    ("body", 2),
    ("endpoint", 3),
    ("grant", 4),
    ("store", 4),
    ("adapter", 4),
    ("provider", 4),
    ("oauth1", 5),
    ("oauth2", 5),
    ("loopback", 5),
    ("session", 5),
    ("lib", 6),
    ("manual", 6),
    ("testing", 6),
];

/// What may be imported from another room of the same rank, and why.
const SIDEWAYS: &[(&str, &str, &str)] = &[
    ("origin", "error", "a request to a wrong origin is an error"),
    ("origin", "token_key", "both are hashed with the same keys of this process"),
    ("transport", "body", "an endpoint's answer is read within a limit, as a request's body is"),
    ("provider", "grant", "what is known of a provider makes the grants in which somebody logs in"),
    ("error", "defaults", "its test asks what the table of defaults says"),
];

const LONGEST: usize = 600;

const PANICS: &[&str] = &["unwrap(", "expect(", "panic!(", "todo!(", "unreachable!(", "unimplemented!("];

#[test]
fn imports_go_down_the_ranks_files_are_short_and_nothing_panics() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(&root.join("src"), &mut files);
    assert!(files.len() > 30, "the files of src/ were not found");
    let sources: Vec<(String, String)> = files
        .iter()
        .map(|path| {
            let name = path.strip_prefix(root.join("src")).unwrap().to_str().unwrap().replace('\\', "/");
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    let found = violations(&sources);
    assert!(found.is_empty(), "\n{found}");
}

#[test]
fn tests_and_examples_are_short_files_too() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["tests", "examples", "benches"] {
        collect(&root.join(folder), &mut files);
    }
    assert!(files.len() > 3);
    for path in files {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines", path.display());
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !["node_modules", "target"].contains(&name) {
            collect(&path, files);
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
}

/// What is wrong with these files (paths below `src/`, and texts), a line for each.
fn violations(sources: &[(String, String)]) -> String {
    let mut found = String::new();
    let files: Vec<File> = sources.iter().map(|(path, text)| File::read(path, text)).collect();
    let tests: Vec<String> = files.iter().flat_map(File::test_modules).collect();
    for file in &files {
        // With all that is below it.
        let module = file.module.join("::");
        let is_test = tests.iter().any(|test| module == *test || module.starts_with(&format!("{test}::")));
        if rank(&room(&file.module)).is_none() {
            writeln!(found, "{}: has no rank; give it one here and in ARCHITECTURE.md", file.path).unwrap();
        }
        if file.lines > LONGEST {
            writeln!(found, "{}: {} lines", file.path, file.lines).unwrap();
        }
        if !is_test && !file.path.starts_with("testing") {
            for word in PANICS.iter().filter(|word| file.without_tests().contains_word(word)) {
                writeln!(found, "{}: {word}", file.path).unwrap();
            }
        }
        for import in file.imports() {
            if let Some(problem) = judge(&file.module, &import) {
                writeln!(found, "{}: `{import}` {problem}", file.path).unwrap();
            }
        }
    }
    found
}

/// What is wrong with the import of `crate::{import}` into `module`.
fn judge(module: &[String], import: &str) -> Option<String> {
    if import.starts_with('{') {
        return Some("imports a group; write one path for each".to_owned());
    }
    let (from, to) = (room(module), room(&split(import)));
    let (Some(from_rank), Some(to_rank)) = (rank(&from), rank(&to)) else {
        return Some(format!("is an import from {from} to {to}, of which one has no rank"));
    };
    let is_parent = from.starts_with(&format!("{to}::"));
    if from == to || is_parent || to_rank < from_rank {
        return None;
    }
    if to_rank > from_rank {
        return Some(format!("goes up from rank {from_rank} ({from}) to rank {to_rank} ({to})"));
    }
    let is_allowed = SIDEWAYS.iter().any(|(one, other, _)| (*one, *other) == (&*from, &*to));
    (!is_allowed).then(|| format!("goes sideways from {from} to {to}"))
}

fn split(path: &str) -> Vec<String> {
    path.split("::").map(str::to_owned).collect()
}

/// The room that a module is in, or an item of one.
fn room(module: &[String]) -> String {
    let two = module.iter().take(2).map(String::as_str).collect::<Vec<_>>().join("::");
    let one = module.first().map_or("lib", String::as_str);
    if rank(&two).is_some() {
        two
    } else if rank(one).is_none() && one.starts_with(|first: char| first.is_uppercase() || first == '*') {
        // A type that `lib.rs` exports, or all of it.
        "lib".to_owned()
    } else {
        one.to_owned()
    }
}

fn rank(room: &str) -> Option<u8> {
    ROOMS.iter().find(|(name, _)| *name == room).map(|(_, rank)| *rank)
}

/// A file without its comments and texts.
struct File {
    path: String,
    module: Vec<String>,
    lines: usize,
    code: String,
}

impl File {
    fn read(path: &str, text: &str) -> Self {
        let module = path.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        let module = if path == "lib.rs" { Vec::new() } else { module };
        Self { path: path.to_owned(), module, lines: text.lines().count(), code: strip(text) }
    }

    /// The modules that are declared for tests only and have files of their own.
    fn test_modules(&self) -> Vec<String> {
        let after = self.code.split("#[cfg(test)]").skip(1);
        let declared = after.filter_map(|rest| {
            let rest = rest.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
            rest.strip_prefix("mod ")?.split_once(';').map(|(name, _)| name.trim())
        });
        let is_name = |name: &&str| name.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
        declared.filter(is_name).map(|name| [&*self.module, &[name.to_owned()]].concat().join("::")).collect()
    }

    /// The code without modules for tests.
    fn without_tests(&self) -> Code {
        let mut left = String::new();
        let mut rest = self.code.as_str();
        while let Some(start) = rest.find("#[cfg(test)]") {
            left += &rest[..start];
            rest = &rest[start..];
            let open = rest.find('{').unwrap_or(rest.len());
            let end =
                rest.find(';').filter(|end| *end < open).map_or_else(|| close(rest, open), |end| end + 1);
            rest = &rest[end..];
        }
        Code(left + rest)
    }

    /// Every path into this crate, without `crate::`; those that begin with `super` are resolved.
    fn imports(&self) -> Vec<String> {
        let mut imports = Vec::new();
        // The inline modules around the place, with the depth of their braces.
        let (mut inline, mut depth) = (Vec::<usize>::new(), 0);
        let code = self.code.as_str();
        for (place, letter) in code.char_indices() {
            let is_start =
                !code[..place].ends_with(|before: char| before.is_alphanumeric() || "_:".contains(before));
            let rest = &code[place..];
            match letter {
                '{' => depth += 1,
                '}' => {
                    depth -= 1;
                    inline.retain(|outer| *outer < depth + 1);
                }
                'm' if is_start && rest.starts_with("mod ") => {
                    let open = rest.find(['{', ';']).unwrap_or(rest.len());
                    if rest[open..].starts_with('{') {
                        inline.push(depth + 1);
                    }
                }
                'c' if is_start && rest.starts_with("crate::") => {
                    imports.push(path(&rest["crate::".len()..]))
                }
                'c' if is_start && rest.starts_with("crate as ") => imports.push("*".to_owned()),
                's' if is_start && rest.starts_with("super::") => {
                    let ups = rest.split("::").take_while(|part| *part == "super").count();
                    // Out of the inline modules, then out of the file's own.
                    let kept = (self.module.len() + inline.len()).saturating_sub(ups).min(self.module.len());
                    let target = path(&rest["super::".len() * ups..]);
                    imports.push([&self.module[..kept], &[target]].concat().join("::"));
                }
                _ => {}
            }
        }
        imports
    }
}

/// The path that a text begins with.
fn path(text: &str) -> String {
    if text.starts_with('{') {
        return "{".to_owned();
    }
    let end = text.find(|letter: char| !letter.is_alphanumeric() && !"_:*".contains(letter));
    text[..end.unwrap_or(text.len())].trim_end_matches(':').to_owned()
}

/// The end of the block that opens at `open`.
fn close(text: &str, open: usize) -> usize {
    let mut depth = 0;
    for (place, letter) in text[open..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return open + place + 1;
        }
    }
    text.len()
}

struct Code(String);

impl Code {
    /// Whether `word` occurs where no name goes on before it.
    fn contains_word(&self, word: &str) -> bool {
        self.0.match_indices(word).any(|(place, _)| {
            let before = &self.0[..place];
            // `#[expect(..)]` names lints.
            !before.ends_with(|letter: char| letter.is_alphanumeric() || "_[".contains(letter))
        })
    }
}

/// Takes comments, texts and letters in quotes out of a source.
fn strip(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let is_name = code.ends_with(|before: char| before.is_alphanumeric() || before == '_');
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if letter == '"' {
            quoted(rest)
        } else if !is_name && (rest.starts_with("r\"") || rest.starts_with("r#")) {
            raw(rest)
        } else if letter == '\'' {
            single(rest)
        } else {
            0
        };
        if skipped == 0 {
            code.push(letter);
            rest = &rest[letter.len_utf8()..];
        } else {
            rest = &rest[skipped..];
        }
    }
    code
}

/// The length of a text in double quotes.
fn quoted(text: &str) -> usize {
    let mut is_escaped = false;
    for (place, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return place + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a raw text, or 0 for a raw name.
fn raw(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|letter| *letter == '#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let start = hashes + 2;
    text[start..].find(&end).map_or(text.len(), |place| start + place + end.len())
}

/// The length of a letter in single quotes, or 0 for a lifetime.
fn single(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    match (letters.next(), letters.next()) {
        (Some((_, '\\')), Some(_)) => text[3..].find('\'').map_or(0, |place| 3 + place + 1),
        (Some(_), Some((place, '\''))) => place + 1,
        _ => 0,
    }
}

mod the_test_itself {
    use super::*;

    /// What is found in one file.
    fn found(path: &str, text: &str) -> String {
        violations(&[(path.to_owned(), text.to_owned())])
    }

    #[test]
    fn an_import_up_the_ranks_is_found_wherever_it_is_written() {
        for text in [
            "use crate::token::Token;",
            "pub use crate::token::Token;",
            "fn f() -> crate::token::Token { g() }",
            "impl Into<crate::token::Token> for X {}",
            "macro_rules! m { () => { $crate::token::Token } }",
            "use super::token::Token;",
            "mod inner { use super::super::token::Token; }",
            "mod inner { mod more { use crate::token::Token; } }",
            "use crate::grant::ClientAuth;",
            "use crate::Token;",
            "use crate::Token::{self};",
            "fn f() { crate::ErrorKind::Abandoned }",
            "use crate::*;",
            "use crate as whole;",
        ] {
            let found = found("secret.rs", text);
            assert!(found.contains("goes up"), "{text}: {found}");
        }
        assert!(found("token/slot.rs", "use crate::oauth2::OAuth2Layer;").contains("goes up"));
        assert!(
            found("protocol/oauth2/form.rs", "use super::super::super::token::Token;").contains("goes up")
        );
    }

    #[test]
    fn an_import_sideways_is_found_unless_it_is_listed() {
        assert!(
            found("protocol/oauth1/sign.rs", "use crate::protocol::oauth2::form::Form;").contains("sideways")
        );
        assert!(
            found("protocol/oauth1/sign.rs", "use super::super::oauth2::form::Form;").contains("sideways")
        );
        assert!(found("oauth1/layer.rs", "use crate::oauth2::Refusal;").contains("sideways"));
        assert!(found("token/flight.rs", "use crate::transport::Transport;").contains("sideways"));
        assert!(found("body.rs", "use crate::transport::Transport;").contains("sideways"));
        assert_eq!(found("transport.rs", "use crate::body::read_all;"), "");
    }

    #[test]
    fn imports_down_and_from_the_same_room_are_fine() {
        for (path, text) in [
            (
                "token/flight.rs",
                "use crate::error::Error; use crate::token::slot::Slot; use super::slot::Slot;",
            ),
            ("token/slot.rs", "mod tests { use super::*; }"),
            ("token/slot/tests.rs", "use super::*; use super::super::flight::Flight;"),
            ("token.rs", "mod tests { use super::*; } use self::slot::Slot;"),
            ("oauth2/layer.rs", "use crate::token::Token; use crate::body::Untouched;"),
            ("protocol/oauth2/form.rs", "use crate::secret::Secret; use super::response;"),
            ("testing/serve.rs", "use crate::oauth1::Signer; pub(in crate::testing) fn f() {}"),
            ("lib.rs", "use crate::oauth1::Signer;"),
            ("oauth1.rs", "use other_crate::testing::Thing;"),
        ] {
            assert_eq!(found(path, text), "", "{text}");
        }
    }

    #[test]
    fn a_group_and_a_room_without_a_rank_are_found() {
        assert!(found("grant.rs", "use crate::{error::Error, oauth2::Refusal};").contains("group"));
        assert!(found("new_room/file.rs", "").contains("has no rank"));
        assert!(found("grant.rs", "use crate::new_room::Thing;").contains("has no rank"));
    }

    #[test]
    fn comments_and_texts_are_no_code() {
        for text in [
            "//! [`x`](crate::token::Token)\n/// `.unwrap()`\n// use crate::token::Token;",
            "/* use crate::token::Token; */ fn f() {}",
            "const A: &str = \"use crate::token::Token; .unwrap() \\\" crate::lib\";",
            "const B: &str = r#\"use crate::token::Token; \" panic!()\"#;",
            "const C: char = '\"'; const D: char = '\\''; fn f<'a>(x: &'a str) -> &'a str { x }",
        ] {
            assert_eq!(found("secret.rs", text), "", "{text}");
        }
        assert!(
            found("secret.rs", "const A: char = '\"'; use crate::token::Token; // \"").contains("goes up")
        );
    }

    #[test]
    fn what_may_panic_is_found_outside_of_tests() {
        for text in [
            "fn f() { g().unwrap(); }",
            "fn f() { g().expect(\"never\"); }",
            "fn f() { panic!(\"no\"); }",
            "fn f() { todo!() }",
            "fn f() { unreachable!() }",
            "fn f() { list.map(Option::unwrap()) }",
            "#[cfg(test)] mod tests { fn f() {} } fn g() { h().unwrap() }",
            "#[cfg(test)] use x::y; fn g() { h().unwrap() }",
        ] {
            assert_ne!(found("secret.rs", text), "", "{text}");
        }
        for text in [
            "fn f() { g().unwrap_or(0).unwrap_or_default().expect_err(1) }",
            "#[expect(dead_code)] fn f() {}",
            "#[cfg(test)] mod tests { fn f() { g().unwrap(); if a { panic!(\"{}\", 1) } } }",
        ] {
            assert_eq!(found("secret.rs", text), "", "{text}");
        }
        assert_eq!(found("testing/serve.rs", "fn f() { g().unwrap(); }"), "");
    }

    #[test]
    fn a_module_that_is_declared_for_tests_is_a_test() {
        let declares = ("token/slot.rs".to_owned(), "#[cfg(test)]\nmod tests;".to_owned());
        let test = ("token/slot/tests.rs".to_owned(), "fn f() { g().unwrap() }".to_owned());
        assert_eq!(violations(&[declares, test.clone()]), "");
        assert_ne!(violations(&[test]), "");
    }

    #[test]
    fn a_long_file_is_found() {
        assert_eq!(found("secret.rs", &"\n".repeat(600)), "");
        assert!(found("secret.rs", &"\n".repeat(601)).contains("601 lines"));
    }
}
