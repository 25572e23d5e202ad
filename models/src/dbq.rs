//! The DBQ quantizer: a weight as a sum of scaled ternary branches.
//!
//! # Definitions
//!
//! With B *branch scales* `α_j ≥ 0` a weight becomes one of the N = 3^B *levels* `Σ_j α_j·c_j`,
//! where c ∈ {−1, 0, 1}^B is its *code*; the `c_j` of all weights of a layer are *plane* j. Sorted,
//! the levels are `q_1 ≤ … ≤ q_N`, and between neighbours lie the *thresholds*
//! `t_i = (q_i + q_{i+1})/2`.
//!
//! - [`Levels`] is the hard quantizer, `Q(w) = q_1 + Σ_i (q_{i+1} − q_i)·u(w − t_i)` with the unit
//!   step u: the nearest level. A weight on a threshold takes the level of smaller magnitude, so
//!   that Q(−w) = −Q(w), codes too. Where codes share a level, the one with fewer non-zero trits
//!   stands for it, then the one whose non-zero trits lie on lower branches.
//! - [`Soft`] is the soft quantizer, with the sigmoid σ in place of u, through which gradients
//!   reach the weights and the scales.
//! - [`fit`] finds scales by least squares: the start of a training, or post-training quantization.
//!
//! # Gradients of the soft quantizer
//!
//! Let `k = T/s`, with the temperature T and a fixed weight scale s, let `σ_i = σ(k·(w − t_i))`,
//! `Δ_i = q_{i+1} − q_i`, and `c_{i,j}` the trit of level i in branch j. Then
//!
//! ```text
//! f(w)    = q_1 + Σ_i Δ_i·σ_i
//! ∂f/∂w   = Σ_i Δ_i·k·σ_i·(1 − σ_i)
//! ```
//!
//! A scale moves levels, `∂q_i/∂α_j = c_{i,j}`, and thresholds, `∂t_i/∂α_j = (c_{i,j} + c_{i+1,j})/2`;
//! a threshold that moves up by δ acts like a weight that moves down by δ:
//!
//! ```text
//! ∂f/∂α_j = c_{1,j} + Σ_i (c_{i+1,j} − c_{i,j})·σ_i − Σ_i Δ_i·k·σ_i·(1 − σ_i)·(c_{i,j} + c_{i+1,j})/2
//! ```
//!
//! The order of the levels changes where two of them meet, for B = 2 at `α_1 = 2·α_2`. There f is
//! continuous and has a kink: what one code contributed above the common level, another one does
//! after the swap. [`Soft`] sorts codes of equal level by their trits, branch 0 first, which is the
//! order for scales larger by ε, ε², …: its gradient at the kink is the one-sided derivative from
//! there. In particular a scale of 0 gets the derivative towards positive values.

mod fit;
mod levels;
mod soft;

pub use fit::{Fit, fit};
pub use levels::Levels;
pub use soft::{Gradients, Soft};
