//! The corpus that is checked in.

use std::fs;
use std::path::Path;

/// One file of it.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl Sample {
    /// As a token behind `Bearer`, with what no header can hold left out.
    pub(crate) fn into_bearer(mut self) -> Self {
        self.bytes.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
        self.bytes.splice(..0, *b"Bearer ");
        self
    }
}

/// The files of a folder of the project, by name.
#[track_caller]
pub(crate) fn samples(folder: &str) -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut samples: Vec<Sample> = files
        .map(|file| {
            let path = file.expect("the folder can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Sample { name, bytes: fs::read(path).expect("the file can be read") }
        })
        .collect();
    samples.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(samples.len() >= 10, "the corpus is there: {}", folder.display());
    samples
}
