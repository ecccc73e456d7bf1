//! Standard output: one alert a line.

use std::io::{self, Write};

use crate::{Failure, Line, Output};

/// Writes lines to standard output and flushes after each batch.
#[derive(Debug, Default)]
pub struct Stdout;

impl Output for Stdout {
    fn deliver(&mut self, lines: &[Line]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        for line in lines {
            out.write_all(line.text.as_bytes())
                .and_then(|()| out.write_all(b"\n"))
                .map_err(Failure::io("writing to standard output"))?;
        }
        out.flush()
            .map_err(Failure::io("writing to standard output"))
    }
}
