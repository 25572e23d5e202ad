//! Everything between a trained float network and an integer one.
//!
//! A network file ([`topology`]) and a checkpoint ([`import`]) make a [`float::FloatNetwork`];
//! [`calibrate`] quantizes it with [`dbq`] (or [`baselines`] to compare it with) and measures ranges on pictures from [`data`];
//! [`train`] trains it, in float or with soft quantizers, and [`checkpoint`] keeps that on file;
//! [`export`] writes the integer [`tridot_sim::network::Network`], and [`unfold`] makes float weights out
//! of one again; [`candle_model`] computes that network a third way, to be compared bit for bit.
//! [`operators`] are those of training, for candle.

pub mod baselines;
pub mod calibrate;
pub mod candle_model;
pub mod checkpoint;
pub mod data;
pub mod dbq;
pub mod error;
pub mod export;
pub mod float;
pub mod import;
mod kernels;
mod layers;
mod moments;
pub mod operators;
mod optim;
mod random;
pub mod scheme;
pub mod topology;
pub mod train;
pub mod unfold;

pub use error::Error;
