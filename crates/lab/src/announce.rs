//! A lab's pods in this machine's own runtime directory, so that agents on it know them as they know all others.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where this machine's containerd keeps bundles, by namespace.
pub(crate) const TASKS: &str = "/run/containerd/io.containerd.runtime.v2.task";

/// The announcement; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Announcement {
    place: PathBuf,
}

impl Announcement {
    /// Copies the specifications of the pods that were prepared in `stage`. Copies, since an agent that has given up its
    /// privileges may not look into the node's root; before the pods start, since their first program is to have a name.
    pub(crate) fn new(lab: &str, stage: &Path) -> io::Result<Self> {
        let place = Path::new(TASKS).join(lab);
        fs::create_dir_all(&place)?;
        let out = Self { place };
        for pod in fs::read_dir(stage.join("pods"))? {
            let pod = pod?.path();
            let bundle = out.place.join(fs::read_to_string(pod.join("id"))?);
            fs::create_dir(&bundle)?;
            fs::copy(pod.join("config.json"), bundle.join("config.json"))?;
        }
        Ok(out)
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.place);
    }
}
