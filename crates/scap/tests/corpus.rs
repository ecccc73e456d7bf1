//! The fuzz target's corpus is made of sound captures: both byte orders, old and new blocks, flags, gzip.

use std::path::Path;

use vedette_scap::{Item, Reader};

#[test]
fn every_file_of_the_corpus_is_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/scap_reader");
    let mut read = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the corpus is in the repository") {
        let path = entry.expect("a directory entry").path();
        // Fuzzing adds files of its own, without this ending, which may be damaged.
        if path.extension().is_none_or(|ext| ext != "scap") {
            continue;
        }
        let bytes = std::fs::read(&path).expect("a readable file");
        let mut reader = Reader::new(bytes.as_slice());
        let (mut shown, mut state, mut rest) = (0, 0, 0);
        while let Some(item) = reader
            .next()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        {
            match item {
                Item::Event(_) => shown += 1,
                Item::State(_) => state += 1,
                _ => rest += 1,
            }
        }
        let name = path.file_stem().expect("a name").to_string_lossy();
        read.push((name.into_owned(), shown, state, rest));
    }
    read.sort();
    let read: Vec<_> = read
        .iter()
        .map(|(name, shown, state, rest)| (name.as_str(), *shown, *state, *rest))
        .collect();
    // Of the eight events two are starts that are numbered only, one is a start that is dropped, and the first says
    // which container there was.
    assert_eq!(
        read,
        [
            ("big-v2", 4, 1, 9),
            ("flagged", 1, 4, 5),
            ("gzip", 4, 1, 9),
            ("little-v1", 3, 1, 5),
            ("little-v2", 4, 1, 9),
        ]
    );
}
