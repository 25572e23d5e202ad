//! Tests across the crates.

#[cfg(test)]
mod equivalence;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod generator;
#[cfg(test)]
mod random;
