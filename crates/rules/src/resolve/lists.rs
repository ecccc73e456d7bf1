//! Lists: expansion of lists inside lists, and substitution of list names in condition texts.
//!
//! Falco substitutes list after list in the order of definition, wherever a name stands between delimiters, be it inside
//! quotes. This does the same, but looks only for lists whose names occur.

use std::collections::BTreeSet;

use crate::collection::Collection;
use crate::source::text::Text;

/// Longest condition text after substitution; lists that multiply each other end here.
pub const MAX_TEXT: usize = 1 << 20;

const BLANKS: &[char] = &[' ', '\t', '\n', '\r'];

fn is_delimiter(c: char) -> bool {
    BLANKS.contains(&c) || matches!(c, '(' | ')' | ',' | '=')
}

/// A list whose items that name other lists have been replaced by the items of those.
#[derive(Clone, Debug)]
pub struct List {
    /// Name.
    pub name: String,
    /// Items.
    pub items: Vec<String>,
    /// Lists whose items were taken in.
    pub uses: Vec<String>,
    /// Items as they are put into a text.
    joined: String,
    /// Whether anything refers to it.
    pub used: bool,
}

/// Every list, in order of definition.
#[derive(Debug, Default)]
pub struct Lists {
    all: Vec<List>,
    by_name: std::collections::HashMap<String, usize>,
    /// Lists whose names hold delimiters, which a word-wise look-up would not find.
    odd: Vec<usize>,
}

/// The text grew past [`MAX_TEXT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Lists {
    /// Expands every list by one level: items of the inner list are taken as written, and only if the inner list was
    /// defined before the outer one was last changed.
    pub fn expand(collection: &Collection) -> Self {
        let mut lists: Vec<List> = Vec::with_capacity(collection.lists.len());
        let mut taken: Vec<usize> = Vec::new();
        for entry in collection.lists.iter() {
            let mut items = Vec::new();
            let mut uses = Vec::new();
            for item in &entry.info.items {
                match collection.lists.get(item) {
                    Some(inner) if inner.index < entry.visibility => {
                        taken.extend(collection.lists.position(item));
                        uses.push(item.clone());
                        items.extend(inner.info.items.iter().cloned());
                    }
                    _ => items.push(item.clone()),
                }
            }
            let joined = items
                .iter()
                .map(|item| quote(item))
                .collect::<Vec<_>>()
                .join(", ");
            lists.push(List {
                name: entry.info.name.clone(),
                items,
                uses,
                joined,
                used: false,
            });
        }
        for index in taken {
            lists[index].used = true;
        }
        let by_name = lists
            .iter()
            .enumerate()
            .map(|(i, list)| (list.name.clone(), i))
            .collect();
        let odd = (0..lists.len())
            .filter(|&i| lists[i].name.is_empty() || lists[i].name.contains(is_delimiter))
            .collect();
        Self {
            all: lists,
            by_name,
            odd,
        }
    }

    /// In order of definition.
    pub fn iter(&self) -> impl Iterator<Item = &List> {
        self.all.iter()
    }

    /// Replaces every list name in `text` by the list's items and marks the lists as used. Gives the names replaced.
    ///
    /// # Errors
    /// [`TooLong`] when the text grows past the bound.
    pub fn substitute(&mut self, text: &mut Text) -> Result<Vec<String>, TooLong> {
        let mut waiting: BTreeSet<usize> = self.odd.iter().copied().collect();
        waiting.extend(self.named_in(text.as_str()));
        let mut replaced = Vec::new();
        while let Some(index) = waiting.pop_first() {
            let Some(list) = self.all.get_mut(index).filter(|list| !list.name.is_empty()) else {
                continue;
            };
            if !substitute_one(text, &list.name, &list.joined)? {
                continue;
            }
            list.used = true;
            replaced.push(list.name.clone());
            // What was put in may name lists that come later in the order; earlier ones have had their turn.
            let joined = std::mem::take(&mut self.all[index].joined);
            waiting.extend(self.named_in(&joined).filter(|&i| i > index));
            self.all[index].joined = joined;
        }
        Ok(replaced)
    }

    fn named_in<'t>(&'t self, text: &'t str) -> impl Iterator<Item = usize> + 't {
        text.split(is_delimiter)
            .filter_map(|word| self.by_name.get(word).copied())
    }
}

/// An item as it must stand in a text: in double quotes when it holds a blank, unless it starts with a quote.
pub(super) fn quote(item: &str) -> String {
    if item.contains(' ') && !item.starts_with(['"', '\'']) {
        format!("\"{item}\"")
    } else {
        item.to_owned()
    }
}

/// Replaces one list's name wherever it stands between delimiters, with the white space around it.
fn substitute_one(text: &mut Text, name: &str, joined: &str) -> Result<bool, TooLong> {
    let whole = text.as_str();
    let mut edits: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    let mut length = whole.len();
    let mut from = 0;
    while let Some(found) = whole[from..].find(name) {
        let start = from + found;
        let end = start + name.len();
        let fits = whole[..start].chars().next_back().is_none_or(is_delimiter)
            && whole[end..].chars().next().is_none_or(is_delimiter);
        if !fits {
            from = start + whole[start..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let before = edits.last().map_or(0, |(range, _)| range.end);
        let mut left = before + whole[before..start].trim_end_matches(BLANKS).len();
        let mut right = whole.len() - whole[end..].trim_start_matches(BLANKS).len();
        // An empty list takes one neighbouring comma with it.
        if joined.is_empty() {
            if whole[before..left].ends_with(',') {
                left -= 1;
            } else if whole[right..].starts_with(',') {
                right += 1;
            }
        }
        let blank = if left == before { "" } else { " " };
        edits.push((left..right, format!("{blank}{joined} ")));
        length += joined.len() + 2;
        if length > MAX_TEXT {
            return Err(TooLong);
        }
        from = right.max(end);
    }
    text.substitute(&edits);
    Ok(!edits.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;

    fn lists(defs: &[(&str, &[&str])]) -> Lists {
        let lists: Vec<List> = defs
            .iter()
            .map(|(name, items)| List {
                name: (*name).into(),
                items: items.iter().map(|s| (*s).to_owned()).collect(),
                uses: Vec::new(),
                joined: items
                    .iter()
                    .map(|i| quote(i))
                    .collect::<Vec<_>>()
                    .join(", "),
                used: false,
            })
            .collect();
        let by_name = lists
            .iter()
            .enumerate()
            .map(|(i, l)| (l.name.clone(), i))
            .collect();
        Lists {
            odd: Vec::new(),
            all: lists,
            by_name,
        }
    }

    fn substituted(defs: &[(&str, &[&str])], text: &str) -> String {
        let mut text = Text::generated(text, Place::default());
        lists(defs).substitute(&mut text).unwrap();
        text.as_str()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn names_are_replaced_between_delimiters_only() {
        let defs: &[(&str, &[&str])] = &[("a", &["x", "y z", "'q r'"])];
        for (text, want) in [
            ("f in (a)", "f in ( x, \"y z\", 'q r' )"),
            ("f in (a, b)", "f in ( x, \"y z\", 'q r' , b)"),
            ("f in (b,a,c)", "f in (b, x, \"y z\", 'q r' ,c)"),
            ("f=a", "f= x, \"y z\", 'q r'"),
            ("f in (ab, ba, a.b)", "f in (ab, ba, a.b)"),
            ("f = \"say a word\"", "f = \"say x, \"y z\", 'q r' word\""),
        ] {
            assert_eq!(substituted(defs, text), want);
        }
    }

    #[test]
    fn an_empty_list_takes_a_comma_with_it() {
        let defs: &[(&str, &[&str])] = &[("e", &[])];
        for (text, want) in [
            ("f in (e)", "f in ( )"),
            ("f in (e, b)", "f in ( b)"),
            ("f in (b, e)", "f in (b )"),
            ("f in (b, e, c)", "f in (b , c)"),
        ] {
            assert_eq!(substituted(defs, text), want);
        }
    }

    #[test]
    fn what_a_list_puts_in_is_replaced_by_later_lists_only() {
        let forward: &[(&str, &[&str])] = &[("a", &["b"]), ("b", &["x"])];
        assert_eq!(substituted(forward, "f in (a)"), "f in ( x )");
        let backward: &[(&str, &[&str])] = &[("b", &["x"]), ("a", &["b"])];
        assert_eq!(substituted(backward, "f in (a)"), "f in ( b )");
    }

    #[test]
    fn lists_that_multiply_each_other_end_at_the_bound() {
        let names: Vec<String> = (0..30).map(|i| format!("l{i:02}")).collect();
        let items: Vec<Vec<&str>> = (0..30)
            .map(|i| vec![names.get(i + 1).map_or("x", String::as_str); 10])
            .collect();
        let defs: Vec<(&str, &[&str])> = names
            .iter()
            .zip(&items)
            .map(|(n, i)| (n.as_str(), i.as_slice()))
            .collect();
        let mut text = Text::generated("f in (l00)", Place::default());
        assert_eq!(lists(&defs).substitute(&mut text), Err(TooLong));
    }
}
