//! What the compiler says of stacks that cannot be: it has to say what to do. Each case is a file in the folder `wrong_stacks`;
//! `right.rs` there does what the messages advise.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const BUFFER: &str = "put tower's buffer between them, whose handles can be cloned";
const BODY_FN: &str = "say how one is made: `.body_policy(tower_oauth::body::body_fn(…, …))`";
const UNTOUCHED: &str = "`.body_policy(tower_oauth::body::Untouched)`";

/// Each case, and what has to be in its message.
const CASES: [(&str, &[&str]); 7] = [
    (
        "not_clone",
        &[
            "is not `Clone`, and the service inside of a tower-oauth layer has to be",
            BUFFER,
            "`BoxCloneService`",
        ],
    ),
    (
        "not_clone_for_an_sdk",
        &[
            "is not `Clone`, and the service inside of a tower-oauth layer has to be",
            BUFFER,
            "`BoxCloneService`",
        ],
    ),
    (
        "form_body",
        &[
            "the body policy `FromBytes` of a tower-oauth layer cannot handle request bodies",
            BODY_FN,
            UNTOUCHED,
        ],
    ),
    // Of a method that is missing rustc shows the line of the type, and not why: so the line says it.
    (
        "form_body_method",
        &["OAuth1<S, P = FromBytes> /* No `Service`? Bodies not `From<Bytes>` need `.body_policy(…)` */"],
    ),
    (
        "replayed_body",
        &[
            "the body policy `Buffered` of a tower-oauth layer cannot handle request bodies",
            BODY_FN,
            UNTOUCHED,
        ],
    ),
    (
        "response_body",
        &["the body policy `FromBytes` of a tower-oauth layer cannot read response bodies", UNTOUCHED],
    ),
    (
        "token_client",
        &["cannot be the HTTP client of a tower-oauth endpoint", "goes into `tower::buffer::BufferLayer`"],
    ),
];

#[test]
fn the_compiler_says_what_to_do() {
    let messages = compile();
    for (case, sentences) in CASES {
        let message = messages.get(case).unwrap_or_else(|| panic!("{case} compiles"));
        for sentence in sentences {
            assert!(message.contains(sentence), "of {case} it does not say: {sentence}\n\n{message}");
        }
    }
    assert_eq!(messages.get("right"), None);
    let cases = CASES.map(|(case, _)| case);
    assert!(messages.keys().all(|case| cases.contains(&case.as_str())), "{:?}", messages.keys());
}

/// What the compiler says, by case. Cases that compile are not in it.
fn compile() -> BTreeMap<String, String> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wrong_stacks");
    let (sources, library) = (here.join("tests/wrong_stacks"), here.join("../..").canonicalize().unwrap());
    let _ = fs::remove_dir_all(folder.join("src"));
    fs::create_dir_all(folder.join("src/bin")).unwrap();
    for source in fs::read_dir(sources).unwrap() {
        let source = source.unwrap();
        fs::copy(source.path(), folder.join("src/bin").join(source.file_name())).unwrap();
    }
    // The versions are those of the workspace, which are on this machine already.
    fs::copy(library.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let manifest = format!(
        r#"
            [workspace]
            [package]
            name = "wrong-stacks"
            version = "0.0.0"
            edition = "2024"
            [dependencies]
            bytes = "1"
            http = "1"
            http-body-util = "0.1"
            tower = {{ version = "0.5", features = ["buffer", "util"] }}
            tower-oauth = {{ path = {library:?} }}
        "#
    );
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();

    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(["check", "--bins", "--keep-going", "--offline", "--message-format=json"])
        .arg("--target-dir")
        .arg(folder.join("target"))
        .current_dir(&folder)
        .output()
        .unwrap();
    let mut messages = BTreeMap::<String, String>::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        if line["reason"] == "compiler-message" && line["message"]["level"] == "error" {
            let case = line["target"]["name"].as_str().unwrap().to_owned();
            messages.entry(case).or_default().push_str(line["message"]["rendered"].as_str().unwrap());
        }
    }
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(!messages.is_empty(), "cargo could not even begin:\n{log}");
    assert!(!messages.contains_key("tower_oauth") && !messages.contains_key("tower-oauth"), "{messages:?}");
    messages
}
