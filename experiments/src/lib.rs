//! The command line `tridot`: paths, printing, threads; the work is done by the other crates.

pub mod cli;
mod commands;
mod files;
mod print;
mod threads;
mod tools;
mod zoo;
