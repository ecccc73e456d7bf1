//! Reads a whole file or URL of moderate size, such as an address list.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use thiserror::Error;

/// How long a download may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Why something could not be read.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The file system refused.
    #[error("reading {0}")]
    File(String, #[source] std::io::Error),
    /// The download failed.
    #[error("downloading {0}")]
    Url(String, #[source] Box<ureq::Error>),
    /// Larger than allowed.
    #[error("{0} is larger than {1} bytes")]
    TooLarge(String, u64),
}

/// Reads a file, or downloads an `http://` or `https://` address; at most `most` bytes.
///
/// # Errors
/// [`FetchError`] names the place.
pub fn read(place: &str, most: u64) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    if place.starts_with("http://") || place.starts_with("https://") {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .build()
            .into();
        let wrong = |error| FetchError::Url(place.to_owned(), Box::new(error));
        let mut answer = agent.get(place).call().map_err(wrong)?;
        answer
            .body_mut()
            .as_reader()
            .take(most + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| wrong(error.into()))?;
    } else {
        let wrong = |error| FetchError::File(place.to_owned(), error);
        File::open(place)
            .map_err(wrong)?
            .take(most + 1)
            .read_to_end(&mut bytes)
            .map_err(wrong)?;
    }
    if bytes.len() as u64 > most {
        return Err(FetchError::TooLarge(place.to_owned(), most));
    }
    Ok(bytes)
}
