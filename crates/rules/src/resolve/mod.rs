//! From names to what they stand for: lists by substitution in the text, macros by splicing trees, exceptions by
//! generating text behind the condition.

pub mod exceptions;
pub mod lists;
pub mod macros;

use crate::condition::{At, TextId};
use crate::diagnostic::{Files, Place};
use crate::source::text::Text;

/// Condition texts by number, so that every part of a spliced tree still knows where it was written.
#[derive(Debug, Default)]
pub struct Texts(Vec<Text>);

impl Texts {
    /// Number that the next text will get.
    pub fn next(&self) -> TextId {
        TextId(self.0.len() as u32)
    }

    /// Keeps a text.
    pub fn add(&mut self, text: Text) -> TextId {
        let id = self.next();
        self.0.push(text);
        id
    }

    /// Where a stretch of a text was written.
    pub fn place(&self, at: At, files: &Files<'_>) -> Option<Place> {
        self.0
            .get(at.text.0 as usize)?
            .place(at.start as usize, at.end as usize, files)
    }
}
