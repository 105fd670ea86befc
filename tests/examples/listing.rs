//! Listings of directories that change meanwhile.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::fs::File;
use std::path::Path;

use rustix::fs::Dir;

use crate::common;
use crate::program::Program;

/// More entries than the kernel asks for at a time.
const FILES: usize = 500;
/// A listing that shows so many entries does not end.
const ENDLESS: usize = 20 * FILES;

const NO_ARGUMENTS: [&str; 0] = [];

/// What a program does with each entry that it is shown: the directory, the name, a unique number.
type Change = fn(&Path, &str, usize);

const CHANGES: [(&str, Change); 7] = [
    ("rename", |dir, name, _| {
        fs::rename(dir.join(name), dir.join(format!("renamed-{name}"))).unwrap();
    }),
    ("rename there and back", |dir, name, _| {
        fs::rename(dir.join(name), dir.join("there")).unwrap();
        fs::rename(dir.join("there"), dir.join(name)).unwrap();
    }),
    ("rename out and in", |dir, name, _| {
        let outside = dir.with_file_name("outside");
        fs::rename(dir.join(name), &outside).unwrap();
        fs::rename(&outside, dir.join(name)).unwrap();
    }),
    ("replace", |dir, name, _| {
        let outside = dir.with_file_name("outside");
        File::create(&outside).unwrap();
        fs::rename(&outside, dir.join(name)).unwrap();
    }),
    ("create", |dir, _, number| {
        File::create(dir.join(format!("new-{number}"))).unwrap();
    }),
    ("create and unlink", |dir, name, number| {
        File::create(dir.join(format!("new-{number}"))).unwrap();
        fs::remove_file(dir.join(name)).unwrap();
    }),
    ("link", |dir, name, number| {
        fs::hard_link(dir.join(name), dir.join(format!("link-{number}"))).unwrap();
    }),
];

fn name_of(number: usize) -> String {
    format!("file-{number}")
}

/// Every change to each entry as soon as it is listed.
fn check_all_changes(root: &Path) {
    for (what, change) in CHANGES {
        let dir = root.join("directory");
        fs::create_dir(&dir).unwrap();
        for number in 0..FILES {
            File::create(dir.join(name_of(number))).unwrap();
        }
        let mut times_listed = BTreeMap::new();
        for (number, entry) in fs::read_dir(&dir).unwrap().enumerate() {
            assert!(number < ENDLESS, "{what}: the listing does not end");
            let name = entry.unwrap().file_name().into_string().unwrap();
            change(&dir, &name, number);
            *times_listed.entry(name).or_insert(0) += 1;
        }
        for number in 0..FILES {
            let times = times_listed.get(&name_of(number));
            assert_eq!(times, Some(&1), "{what}: {}", name_of(number));
        }
        fs::remove_dir_all(&dir).unwrap();
    }
}

/// A listing that starts again shows what there is then.
fn check_rewinding(root: &Path) {
    let names = |listing: &mut Dir| -> BTreeSet<String> {
        let names = listing.map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned());
        names.filter(|name| name != "." && name != "..").collect()
    };
    File::create(root.join("old")).unwrap();
    let mut listing = Dir::read_from(File::open(root).unwrap()).unwrap();
    assert_eq!(names(&mut listing), ["old".to_owned()].into());
    File::create(root.join("new")).unwrap();
    fs::rename(root.join("old"), root.join("renamed")).unwrap();
    listing.rewind();
    assert_eq!(
        names(&mut listing),
        ["new".to_owned(), "renamed".to_owned()].into()
    );
}

fn check(program: &str) {
    let mounted = Program::start(program, NO_ARGUMENTS);
    check_rewinding(mounted.path());
    check_all_changes(mounted.path());
    mounted.unmount();
}

#[test]
fn tmpfs_listing_of_changing_directory_ends_and_shows_each_entry_once() {
    common::require_fuse!();
    check("tmpfs");
}

#[test]
fn memfs_ll_listing_of_changing_directory_ends_and_shows_each_entry_once() {
    common::require_fuse!();
    check("memfs_ll");
}
