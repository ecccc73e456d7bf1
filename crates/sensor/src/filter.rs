//! The filter of opens as the kernel side reads it: mirror of `struct open_filter` in `bpf/include/prefilter.h`.

use vedette_rules::prefilter::{
    ANCHORED_LABELS, ANCHORED_STATES, COLUMNS, FLOATING_LABELS, FLOATING_STATES, OpenFilter, Table,
    VERDICTS,
};

/// Bytes of a process's name, with its NUL.
pub(crate) const NAME_BYTES: usize = 16;

const SET_BYTES: usize = 32;
const SETS: usize = 0;
const EPOCH: usize = SETS + VERDICTS * SET_BYTES;
const COLUMN: usize = EPOCH + 8;
const ANCHORED: usize = COLUMN + 256;
const FLOATING: usize = ANCHORED + ANCHORED_STATES * COLUMNS * 2;
const ANCHORED_LABEL: usize = FLOATING + FLOATING_STATES * COLUMNS * 2;
const FLOATING_LABEL: usize = ANCHORED_LABEL + ANCHORED_STATES;
const VERDICT: usize = FLOATING_LABEL + FLOATING_STATES;
/// Bytes of the structure.
pub(crate) const BYTES: usize = VERDICT + ANCHORED_LABELS * FLOATING_LABELS;

/// Where its members stand.
#[cfg(test)]
pub(crate) const OFFSETS: &[(&str, usize)] = &[
    ("sets", SETS),
    ("epoch", EPOCH),
    ("columns", COLUMN),
    ("anchored", ANCHORED),
    ("floating", FLOATING),
    ("anchored_label", ANCHORED_LABEL),
    ("floating_label", FLOATING_LABEL),
    ("verdicts", VERDICT),
];

/// The structure's bytes.
pub(crate) fn encode(filter: &OpenFilter, epoch: u64) -> Vec<u8> {
    let mut out = vec![0; BYTES];
    for (set, bytes) in filter
        .sets
        .iter()
        .zip(out[SETS..EPOCH].chunks_exact_mut(SET_BYTES))
    {
        for (word, bytes) in set.0.iter().zip(bytes.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }
    out[EPOCH..COLUMN].copy_from_slice(&epoch.to_le_bytes());
    out[COLUMN..ANCHORED].copy_from_slice(&filter.columns);
    put_table(&filter.anchored, &mut out, ANCHORED, ANCHORED_LABEL);
    put_table(&filter.floating, &mut out, FLOATING, FLOATING_LABEL);
    out[VERDICT..VERDICT + filter.verdicts.len()].copy_from_slice(&filter.verdicts);
    out
}

fn put_table(table: &Table, out: &mut [u8], next: usize, label: usize) {
    for (state, row) in table.next.iter().enumerate() {
        for (column, to) in row.iter().enumerate() {
            let at = next + (state * COLUMNS + column) * 2;
            out[at..at + 2].copy_from_slice(&to.to_le_bytes());
        }
    }
    out[label..label + table.label.len()].copy_from_slice(&table.label);
}

/// A process's name as the kernel keeps it: cut, with NULs behind.
pub(crate) fn name(text: &[u8]) -> [u8; NAME_BYTES] {
    let mut out = [0; NAME_BYTES];
    for (byte, from) in out[..NAME_BYTES - 1].iter_mut().zip(text) {
        *byte = *from;
    }
    out
}
