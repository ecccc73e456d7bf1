//! The weights of the model, written by `tools/train-miner`. Do not edit by hand.

/// Mean of each feature over the training runs.
pub const MEANS: [f64; 6] = [0.0; 6];
/// Standard deviation of each feature over the training runs.
pub const SCALES: [f64; 6] = [1.0; 6];
/// Intercept, then the weight of each standardised feature.
pub const WEIGHTS: [f64; 7] = [0.0; 7];
/// Probability from which a window counts as mining.
pub const THRESHOLD: f64 = 0.5;
