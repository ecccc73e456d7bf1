//! Small files that are replaced whole: a crash leaves the old content or the new.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

/// Writes a file so that after a crash either the old or the new content is there.
///
/// # Errors
/// When the file system refuses; the old content stays.
pub(crate) fn replace(
    place: &Path,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let beside = place.with_extension("new");
    let mut file = File::create(&beside)?;
    write(&mut file)?;
    file.flush()?;
    file.sync_all()?;
    fs::rename(&beside, place)?;
    let parent = place.parent().unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

/// Reads a file whole, `None` when there is none.
pub(crate) fn read_if_there(place: &Path) -> io::Result<Option<Vec<u8>>> {
    match File::open(place) {
        Ok(mut file) => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
