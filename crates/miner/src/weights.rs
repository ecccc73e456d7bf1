//! The weights of the model, written by `tools/train-miner`. Do not edit by hand.

/// Mean of each feature over the training runs.
pub const MEANS: [f64; 3] = [0.685783, 0.895277, 3.258767];
/// Standard deviation of each feature over the training runs.
pub const SCALES: [f64; 3] = [0.462194, 0.224890, 3.646586];
/// Intercept, then the weight of each standardised feature.
pub const WEIGHTS: [f64; 4] = [-2.380492, 1.212863, 1.043349, -2.949560];
/// Probability from which a window counts as mining.
pub const THRESHOLD: f64 = 0.5;
