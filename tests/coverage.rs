//! `docs/coverage.md` has a row for each name in the installed headers of libfuse, and the places that
//! it tells exist.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use libfuse3::Capabilities;
use libfuse3::IoctlFlags;

const DOCUMENT: &str = include_str!("../docs/coverage.md");

const HEADERS: [&str; 5] = [
    "fuse_lowlevel.h",
    "fuse_common.h",
    "fuse_opt.h",
    "fuse_log.h",
    // Since 3.19.
    "fuse_daemonize.h",
];

/// The structures whose members have rows of their own.
const WITH_MEMBERS: [&str; 8] = [
    "fuse_lowlevel_ops",
    "fuse_conn_info",
    "fuse_file_info",
    "fuse_entry_param",
    "fuse_ctx",
    "fuse_forget_data",
    "fuse_custom_io",
    "fuse_cmdline_opts",
];

/// The headers, without comments.
fn headers() -> Vec<(PathBuf, String)> {
    let dirs: Vec<_> = env::split_paths(env!("LIBFUSE_INCLUDE")).collect();
    let found = HEADERS.iter().filter_map(|name| {
        let mut files = dirs.iter().map(|dir| dir.join(name));
        let file = files.find(|file| file.is_file())?;
        let text = fs::read_to_string(&file).unwrap();
        Some((file, without_comments(&text)))
    });
    let found: Vec<_> = found.collect();
    assert!(found.len() >= 4, "only {found:?} in {dirs:?}");
    found
}

fn without_comments(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        code.push(' ');
        rest = comment.split_once("*/").expect("the comment ends").1;
    }
    code.push_str(rest);
    let lines = code.lines();
    let lines = lines.map(|line| line.split("//").next().unwrap_or(""));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

/// The functions that are declared, or called by macros, in a header.
fn functions(code: &str) -> BTreeSet<String> {
    let calls = code.split('(').filter_map(|before| {
        let before = before.trim_end();
        let start = before.rfind(|c| !is_word(c)).map_or(0, |at| at + 1);
        before[start..]
            .starts_with("fuse_")
            .then(|| &before[start..])
    });
    calls.map(str::to_owned).collect()
}

/// The macros that are defined in a header, but for its guard.
fn macros(code: &str) -> BTreeSet<String> {
    let defined = code.lines().filter_map(|line| {
        let line = line.trim_start().strip_prefix('#')?.trim_start();
        words(line.strip_prefix("define")?).next()
    });
    let is_ours = |name: &&str| name.starts_with("FUSE_") && !name.ends_with("_H_");
    // Which the program defines, or the header in its place.
    let asked = "FUSE_USE_VERSION";
    defined
        .filter(is_ours)
        .filter(|name| *name != asked)
        .map(str::to_owned)
        .collect()
}

/// What is between the braces of each `struct` or `enum`, by its name.
fn bodies(code: &str, keyword: &str) -> BTreeMap<String, String> {
    let mut bodies = BTreeMap::new();
    let keyword = format!("{keyword} ");
    for (at, _) in code.match_indices(&keyword) {
        let Some((name, body)) = code[at + keyword.len()..].split_once('{') else {
            continue;
        };
        // Else it is a mention, and the brace is another's.
        let mut name = name
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        let name = name.next().unwrap_or("").trim();
        if !name.is_empty() && name.chars().all(is_word) {
            let body = body.split("\n}").next().unwrap_or("");
            bodies.insert(name.to_owned(), body.to_owned());
        }
    }
    bodies
}

/// The names of the members in the body of a structure.
fn members(body: &str) -> BTreeSet<String> {
    let lines = body.lines();
    let body: Vec<_> = lines
        .filter(|line| !line.trim_start().starts_with('#'))
        .collect();
    let body = body.join("\n");
    let declared = body.split(';').filter_map(|declaration| {
        if let Some((_, pointer)) = declaration.split_once("(*") {
            return words(pointer).next();
        }
        let declared = declaration.split([':', '[']).next()?;
        words(declared).last()
    });
    let is_real = |name: &&str| !name.starts_with("padding") && *name != "reserved";
    declared.filter(is_real).map(str::to_owned).collect()
}

/// Every name in the installed headers that needs a row, with the header.
fn names() -> BTreeMap<String, PathBuf> {
    let mut names = BTreeMap::new();
    for (file, code) in headers() {
        let mut add = |name: String| {
            names.insert(name, file.clone());
        };
        functions(&code).into_iter().for_each(&mut add);
        macros(&code).into_iter().for_each(&mut add);
        for body in bodies(&code, "enum").values() {
            let constants = words(body).filter(|word| word.starts_with("FUSE_"));
            constants.map(str::to_owned).for_each(&mut add);
        }
        for (name, body) in bodies(&code, "struct") {
            if WITH_MEMBERS.contains(&name.as_str()) {
                let members = members(&body).into_iter();
                members
                    .map(|member| format!("{name}.{member}"))
                    .for_each(&mut add);
            }
            if name.starts_with("fuse_") || name.starts_with("libfuse_") {
                add(name);
            }
        }
    }
    names
}

/// A row of the document.
#[derive(Debug)]
struct Row {
    c: Vec<&'static str>,
    here: Vec<&'static str>,
    note: &'static str,
}

fn rows() -> Vec<Row> {
    let lines = DOCUMENT.lines().filter(|line| line.starts_with("| `"));
    let rows = lines.map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [c, here, note] = cells[..] else {
            panic!("not three cells: {line}");
        };
        Row {
            c: code_in(c),
            here: code_in(here),
            note,
        }
    });
    rows.collect()
}

/// What stands between backquotes.
fn code_in(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn each_name_in_the_headers_has_a_row() {
    let rows = rows();
    let told: BTreeSet<_> = rows.iter().flat_map(|row| &row.c).copied().collect();
    let missing: Vec<_> = names()
        .into_iter()
        .filter(|(name, _)| !told.contains(name.as_str()))
        .collect();
    assert!(missing.is_empty(), "without a row: {missing:#?}");
}

#[test]
fn the_headers_are_read_as_c_reads_them() {
    let names = names();
    let len = |prefix: &str| names.keys().filter(|name| name.starts_with(prefix)).count();
    // As many as 3.10 has at least, none of which has ever gone.
    assert!(len("fuse_lowlevel_ops.") >= 44);
    assert!(len("FUSE_CAP_") >= 22);
    assert!(len("FUSE_SET_ATTR_") >= 9);
    assert!(len("fuse_reply_") >= 18);
    for name in [
        "fuse_lowlevel_ops.init",
        "fuse_lowlevel_ops.lseek",
        "fuse_file_info.writepage",
        "fuse_file_info.poll_events",
        "fuse_conn_info.time_gran",
        "fuse_lowlevel_notify_retrieve",
        "fuse_session_new",
        "fuse_opt_parse",
        "FUSE_BUF_IS_FD",
        "FUSE_OPT_KEY_KEEP",
        "FUSE_LOG_DEBUG",
        "fuse_cmdline_opts.mountpoint",
        "fuse_bufvec",
    ] {
        assert!(names.contains_key(name), "no {name}");
    }
}

#[test]
fn no_name_has_two_rows() {
    let mut told = BTreeSet::new();
    for name in rows().into_iter().flat_map(|row| row.c) {
        assert!(told.insert(name), "{name} again");
    }
}

#[test]
fn what_has_no_place_has_a_reason() {
    for row in rows() {
        assert!(!row.here.is_empty() || !row.note.is_empty(), "{row:?}");
    }
}

/// All files below a directory, read.
fn sources(dir: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, files);
        } else {
            files.push(fs::read_to_string(path).unwrap());
        }
    }
}

/// Whether a file of Rust defines a name: after one of these words, or at the beginning of a line.
fn defines(file: &str, keywords: &[&str], name: &str) -> bool {
    keywords.iter().any(|keyword| {
        let definition = format!("{keyword}{name}");
        let mut found = file.match_indices(&definition);
        found.any(|(at, _)| !file[at + definition.len()..].starts_with(is_word))
    })
}

#[test]
fn the_places_exist() {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    sources(&root.join("src"), &mut files);
    let items = ["struct ", "enum ", "trait ", "fn ", "const "];
    // Methods, constants, fields, variants.
    let members = ["fn ", "const ", "    pub ", "    "];
    for row in rows() {
        for place in row.here {
            let is_there = match place.split_once("::") {
                None => files.iter().any(|file| defines(file, &items, place)),
                Some((owner, member)) => files.iter().any(|file| {
                    defines(file, &members, member) && words(file).any(|word| word == owner)
                }),
            };
            assert!(is_there, "{:?}: there is no {place}", row.c);
        }
    }
}

/// The constants of the headers that begin so, as single bits.
fn bits(prefix: &str) -> Vec<(String, u64)> {
    let mut bits = Vec::new();
    for (_, code) in headers() {
        for line in code.lines() {
            let Some(definition) = line.trim_start().strip_prefix("#define ") else {
                continue;
            };
            let Some(name) = words(definition)
                .next()
                .and_then(|name| name.strip_prefix(prefix))
            else {
                continue;
            };
            if let Some((_, shift)) = definition.split_once("<<") {
                let shift = shift.trim().trim_end_matches(')');
                bits.push((name.to_owned(), 1 << shift.parse::<u32>().unwrap()));
            }
        }
    }
    assert!(!bits.is_empty(), "no {prefix}");
    bits
}

#[test]
fn capabilities_have_the_numbers_of_the_headers() {
    for (name, bits) in bits("FUSE_CAP_") {
        let ours = Capabilities::from_name(&name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(ours.bits(), bits, "{name}");
    }
}

#[test]
fn flags_of_ioctl_have_the_numbers_of_the_headers() {
    for (name, bits) in bits("FUSE_IOCTL_") {
        let ours = IoctlFlags::from_name(&name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(u64::from(ours.bits()), bits, "{name}");
    }
}

/// Checked in, made from the headers of 3.14.0.
const BINDINGS: &str = include_str!("../libfuse-sys/src/prebuilt.rs");

#[test]
fn functions_without_a_place_can_be_called_through_sys() {
    if cfg!(any(not(libfuse_since = "3.14"), libfuse_since = "3.14.1")) {
        return; // Whose bindings are not at hand here.
    }
    // What bindgen has nothing to bind to: a `va_list`, and macros.
    let need_c = ["fuse_set_log_func", "fuse_static_assert"];
    let declared: BTreeSet<_> = headers()
        .iter()
        .flat_map(|(_, code)| functions(code))
        .collect();
    let mut checked = 0;
    for name in rows()
        .into_iter()
        .filter(|row| row.here.is_empty())
        .flat_map(|row| row.c)
    {
        if declared.contains(name) && !need_c.contains(&name) {
            assert!(defines(BINDINGS, &["pub fn "], name), "no {name} in sys");
            checked += 1;
        }
    }
    assert!(checked >= 5, "only {checked}");
}
