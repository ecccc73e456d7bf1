//! The weights of the model, written by `tools/train-miner`. Do not edit by hand.

/// Mean of each feature over the training runs.
pub const MEANS: [f64; 3] = [1.988600, 3.329164, 2.524828];
/// Standard deviation of each feature over the training runs.
pub const SCALES: [f64; 3] = [1.932743, 3.653448, 2.877887];
/// Intercept, then the weight of each standardised feature.
pub const WEIGHTS: [f64; 4] = [-0.845917, -0.921528, -1.638481, -0.328173];
/// Probability from which a window counts as mining.
pub const THRESHOLD: f64 = 0.5;
