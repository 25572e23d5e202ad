//! Which output a window makes of a picture.

use tridot_sim::network::{Pads, Shape, Window};

use crate::Error;

/// Pads as TensorFlow's SAME: ⌈size / stride⌉ outputs, the odd pad at the end.
pub(super) fn same(input: Shape, window: Window) -> Pads {
    let side = |size: usize, kernel: usize, stride: usize| {
        let covered = (size.div_ceil(stride) - 1) * stride + kernel;
        let total = covered.saturating_sub(size);
        (total / 2, total - total / 2)
    };
    let (top, bottom) = side(input.height, window.kernel_height, window.stride_height);
    let (left, right) = side(input.width, window.kernel_width, window.stride_width);
    Pads { top, left, bottom, right }
}

/// Height and width under a window; the channels are the input's.
pub(crate) fn output(
    place: &str,
    input: Shape,
    window: Window,
    pads: Pads,
) -> Result<Shape, Error> {
    let height = side(
        place,
        "height",
        [window.kernel_height, window.stride_height, pads.top, pads.bottom, input.height],
    )?;
    let width = side(
        place,
        "width",
        [window.kernel_width, window.stride_width, pads.left, pads.right, input.width],
    )?;
    Ok(Shape { height, width, ..input })
}

fn side(
    place: &str,
    what: &str,
    [kernel, stride, before, after, size]: [usize; 5],
) -> Result<usize, Error> {
    let check = |what: String, value: usize, least: usize, most: usize| {
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(Error::limit(place, what, format!("between {least} and {most}"), value))
    };
    check(
        format!("each pad in {what}, smaller than the kernel,"),
        before.max(after),
        0,
        kernel - 1,
    )?;
    let padded = before + size + after;
    check(format!("the kernel's {what}, which must fit the padded picture,"), kernel, 1, padded)?;
    Ok((padded - kernel) / stride + 1)
}
