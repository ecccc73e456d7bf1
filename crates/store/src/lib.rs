//! Findings, activity and state on disk.
