//! The vocabulary of Vedette.
