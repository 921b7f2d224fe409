//! Who may import whom, so that the pure core stays pure and a stranger finds the room.

use std::path::{Path, PathBuf};

fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Every source file with its path below `src` and the paths that its `use` lines and expressions name.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&root, &mut all);
    all.into_iter()
        .map(|path| (path.strip_prefix(&root).unwrap().display().to_string(), std::fs::read_to_string(&path).unwrap()))
        .collect()
}

/// The code of a file without comments and without its tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn imports_go_one_way() {
    let mut wrong = Vec::new();
    for (file, text) in sources() {
        let code = code(&text);
        let mut forbid = |words: &[&str]| {
            for word in words.iter().filter(|word| code.contains(**word)) {
                wrong.push(format!("{file} names {word}"));
            }
        };
        if file.starts_with("domain/") {
            forbid(&[
                "diesel",
                "actix",
                "crate::db",
                "crate::http",
                "crate::auth",
                "crate::events",
                "crate::features",
                "crate::state",
                "crate::error",
                "crate::clock",
                "Utc::now",
            ]);
        }
        if ["db/", "auth/", "events/", "jobs/", "http/"].iter().any(|dir| file.starts_with(dir))
            && file != "events/dispatch.rs"
        {
            forbid(&["crate::features", "crate::app"]);
        }
        if file.starts_with("features/") {
            let is = |name: &str| file.ends_with(&format!("/{name}.rs")) || file.contains(&format!("/{name}/"));
            forbid(&["crate::app"]);
            if is("routes") {
                forbid(&["diesel", "super::store", "crate::db::schema"]);
            }
            if !is("store") {
                forbid(&["diesel::insert", "diesel::update", "diesel::delete", "crate::db::schema", "sql_query"]);
            }
            if !is("routes") && !file.ends_with("/mod.rs") {
                forbid(&["actix_web"]);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_room_is_crowded() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|(file, text)| (file, text.lines().count()))
        .filter(|(file, lines)| *lines > 750 && file != "db/schema.rs")
        .map(|(file, lines)| format!("{file}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "make a folder of it: {}", long.join(", "));
}

/// The document names schemas by the type's name alone: of two types with one name, one would be described as the other.
#[test]
fn no_two_types_share_a_schema_name() {
    let mut homes: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for (file, text) in sources() {
        let mut renamed: Option<String> = None;
        let mut described = false;
        for line in text.lines().map(str::trim_start) {
            if line.starts_with("#[derive(") {
                (described, renamed) = (line.contains("ToSchema"), None);
            } else if let Some((_, name)) = line.split_once("schema(as = ") {
                renamed = name.split([',', ')']).next().map(str::to_owned);
            } else if described
                && !line.contains('$')
                && (line.starts_with("pub struct ") || line.starts_with("pub enum "))
            {
                let own = line.split([' ', '<', '(', '{']).nth(2).unwrap_or_default().to_owned();
                homes.entry(renamed.take().unwrap_or(own)).or_default().push(file.clone());
                described = false;
            }
        }
    }
    assert!(homes.len() > 100, "the types are found");
    homes.retain(|_, files| files.len() > 1);
    assert!(homes.is_empty(), "{homes:?}");
}
