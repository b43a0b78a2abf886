//! House rules, as tests: arrows between rooms, what a room may not do, links and documents.
#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::Table;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Folder name and manifest of every crate.
fn manifests() -> BTreeMap<String, Table> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let manifest: Table =
            fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        all.insert(folder.file_name().unwrap().to_str().unwrap().to_owned(), manifest);
    }
    all
}

fn dependencies(manifest: &Table) -> BTreeSet<String> {
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

/// Every file of the project with one of these endings; not what is built or fetched.
fn files(endings: &[&str]) -> Vec<PathBuf> {
    fn walk(folder: &Path, endings: &[&str], out: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !["target", ".git", "corpus", "artifacts", "node_modules"].contains(&name) {
                    walk(&path, endings, out);
                }
            } else if endings.iter().any(|e| name.ends_with(e)) {
                out.push(path);
            }
        }
    }
    let mut out = Vec::new();
    walk(&root(), endings, &mut out);
    out
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// A source without its tests, which stand last in a file.
fn without_tests(source: &str) -> &str {
    source.split("#[cfg(test)]").next().unwrap()
}

#[test]
fn arrows_point_one_way() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("wire", &[][..]),
        ("access", &[]),
        ("hub", &["wire"]),
        ("quic", &["wire"]),
        ("server", &["hub", "wire", "access", "quic"]),
        ("client", &["wire", "quic"]),
        ("console", &["hub", "access", "wire"]),
        ("bench", &["client", "wire"]),
        ("cli", &["server", "client", "console", "access", "bench", "wire"]),
        ("testkit", &["wire"]),
    ]);
    for (room, manifest) in manifests() {
        let allowed = allowed.get(room.as_str());
        let allowed = allowed.unwrap_or_else(|| panic!("{room} is no room of ARCHITECTURE.md"));
        for dependency in dependencies(&manifest) {
            let Some(ours) = dependency.strip_prefix("thalweg-") else { continue };
            assert!(allowed.contains(&ours), "{room} must not depend on {ours}");
        }
    }
}

#[test]
fn libraries_stay_behind_their_doors() {
    for (library, rooms) in [
        ("clap", &["cli"][..]),
        ("anyhow", &["cli"]),
        ("indicatif", &["cli"]),
        ("axum", &["server", "console"]),
        ("hyper", &["server", "client", "console"]),
        ("quinn", &["quic"]),
        ("quinn-proto", &["quic"]),
        ("web-transport-quinn", &["quic"]),
        ("url", &["quic", "console"]),
        ("socket2", &["server", "quic"]),
        ("prometheus-client", &["server"]),
        ("tokio", &["hub", "quic", "server", "client", "console", "bench", "cli"]),
        ("md-5", &["access"]),
        ("rustls", &["server", "quic"]),
        ("tokio-rustls", &["client", "console"]),
        ("rustls-native-certs", &["client", "console"]),
        ("rcgen", &["server"]),
        ("x509-parser", &["server"]),
        ("flate2", &["console"]),
        ("qrcode", &["cli"]),
        ("sqlx", &["console"]),
        ("aws-lc-rs", &["console"]),
    ] {
        for (room, manifest) in manifests() {
            let has = dependencies(&manifest).contains(library);
            assert!(!has || rooms.contains(&room.as_str()), "{room} must not know {library}");
        }
    }
    let hub = &manifests()["hub"]["dependencies"]["tokio"]["features"];
    assert_eq!(hub.as_array().unwrap().len(), 1, "of tokio, the hub has only sync: {hub}");
}

#[test]
fn pure_rooms_read_no_clock_and_touch_nothing() {
    let forbidden = [
        "Instant::now",
        "SystemTime::now",
        "std::fs",
        "std::net::Tcp",
        "std::net::Udp",
        "std::thread",
        "std::process",
        "std::env",
        "println!",
        "eprintln!",
        "tokio::spawn",
        "tokio::net",
        "tokio::time",
        "tracing::",
    ];
    for room in ["wire", "hub", "access"] {
        let folder = root().join("crates").join(room).join("src");
        for path in files(&[".rs"]).iter().filter(|p| p.starts_with(&folder)) {
            // Bodies of fuzz targets stand in for callers, who have a clock.
            if path.ends_with("fuzz.rs") {
                continue;
            }
            let source = read(path);
            for word in forbidden {
                let found = without_tests(&source).contains(word);
                assert!(!found, "{} has {word}", path.display());
            }
        }
    }
}

#[test]
fn unsafe_has_two_rooms() {
    for path in files(&[".rs"]) {
        let is_unsafe = |line: &str| {
            let code = line.split("//").next().unwrap_or_default();
            ["unsafe {", "unsafe impl", "unsafe fn"].iter().any(|u| code.contains(u))
        };
        let has = read(&path).lines().any(is_unsafe);
        let rooms = ["testkit/src/alloc.rs", "bench/src/lab/tun.rs", "tests/tidy.rs"];
        let allowed = rooms.iter().any(|room| path.ends_with(room));
        assert!(!has || allowed, "{} has unsafe code", path.display());
    }
}

#[test]
fn files_can_be_read_in_one_sitting() {
    for path in files(&[".rs"]) {
        let lines = read(&path).lines().count();
        assert!(lines <= 700, "{} has {lines} lines: where is its seam?", path.display());
    }
}

#[test]
fn every_source_says_what_it_is_for() {
    for path in files(&[".rs"]) {
        let of_a_line = path.components().any(|c| c.as_os_str() == "fuzz_targets");
        let says = read(&path).starts_with("//!");
        assert!(says || of_a_line, "{} begins without a word", path.display());
    }
}

#[test]
fn the_project_speaks_of_itself_alone() {
    // Put together here, so that this file does not find itself.
    let words = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["TO", "DO"], ["FIX", "ME"]];
    for path in files(&[".rs", ".md", ".toml", ".sh", ".json", "Makefile"]) {
        for word in words.map(|w| w.concat()) {
            assert!(!read(&path).contains(&word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn links_lead_somewhere() {
    for path in files(&[".md"]) {
        for link in read(&path).split("](").skip(1).map(|s| s.split(')').next().unwrap()) {
            let (file, _) = link.split_once('#').unwrap_or((link, ""));
            if file.is_empty() || link.contains("://") {
                continue;
            }
            let target = path.parent().unwrap().join(file);
            assert!(target.exists(), "{}: {link} leads nowhere", path.display());
        }
    }
}

#[test]
fn every_configuration_key_is_in_the_manual() {
    let source = read(&root().join("crates/server/src/config.rs"));
    let manual = read(&root().join("docs/ref/config.md"));
    let is_name = |n: &&str| n.chars().all(|c| c.is_alphanumeric() || c == '_');
    let fields: Vec<&str> = source
        .lines()
        .filter_map(|l| l.strip_prefix("    pub ")?.split_once(':'))
        .map(|(name, _)| name)
        .filter(is_name)
        .collect();
    assert!(fields.len() > 20);
    let sections = [
        "rtmp",
        "http",
        "https",
        "certificates",
        "udp",
        "operator",
        "console",
        "publish",
        "play",
        "limits",
        "accounts",
        "domains",
    ];
    for field in fields.iter().filter(|f| !sections.contains(f)) {
        let in_section = manual.contains(&format!(".{field}`"));
        let on_top = manual.contains(&format!("| `{field}`"));
        assert!(in_section || on_top, "docs/ref/config.md does not know {field}");
    }
}

#[test]
fn every_command_is_in_the_readmes() {
    for readme in ["README.md", "README.zh-CN.md"] {
        let text = read(&root().join(readme));
        for entry in fs::read_dir(root().join("crates/cli/src/cmds")).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let command = file.trim_end_matches(".rs").replace('_', "-");
            assert!(text.contains(&format!("`thalweg {command}")), "{readme}: {command}");
        }
    }
}
