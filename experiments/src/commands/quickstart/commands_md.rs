//! The list of a road's commands, to be read and repeated.

use std::fmt::Write as _;

use super::road::Road;
use super::stages::Stage;

pub(super) fn text(road: &Road, stages: &[Stage]) -> String {
    let mut text = format!(
        "# The road of `{}`\n\nEach stage and the command that repeats it. Run them in this folder, in this \
         order; what a command writes replaces what was there.\n",
        road.name
    );
    for stage in stages {
        write!(text, "\n{}:\n\n```sh\n{}\n```\n", stage.title, stage.line())
            .expect("a string takes all");
    }
    text
}
