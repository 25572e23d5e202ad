//! The matrix product, one thread, sums in an order that only the sizes decide.

use gemm::Parallelism;

/// `rows × columns` products of `rows` vectors with `columns` vectors, all of length `depth`:
/// `out[r·columns + c] = Σ_k left[r·depth + k] · right[c·depth + k]`.
#[expect(unsafe_code, reason = "the matrix product of the gemm crate takes raw pointers")]
pub(crate) fn products(out: &mut [f32], left: &[f32], right: &[f32], depth: usize) {
    if depth == 0 {
        out.fill(0.0);
        return;
    }
    let (rows, columns) = (left.len() / depth, right.len() / depth);
    assert_eq!(left.len(), rows * depth, "the left vectors are whole");
    assert_eq!(right.len(), columns * depth, "the right vectors are whole");
    assert_eq!(out.len(), rows * columns, "out has one element a pair");
    let stride = |n: usize| isize::try_from(n).expect("a slice is shorter than isize::MAX");
    // SAFETY: `left` has rows·depth elements, `right` columns·depth and `out` rows·columns (asserted
    // above), strides stay inside them, and `out` is borrowed exclusively.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            depth,
            out.as_mut_ptr(),
            1,
            stride(columns),
            false,
            left.as_ptr(),
            1,
            stride(depth),
            right.as_ptr(),
            stride(depth),
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_equal_plain_loops_on_sizes_that_fit_no_vector() {
        for (rows, columns, depth) in [(1, 1, 1), (3, 5, 7), (17, 9, 27), (33, 1, 2), (2, 3, 0)] {
            // Small integers: every sum is exact in f32, so equality has no tolerance.
            let left: Vec<f32> = (0..rows * depth).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
            let right: Vec<f32> = (0..columns * depth).map(|i| (i * 5 % 13) as f32 - 6.0).collect();
            let mut out = vec![f32::NAN; rows * columns];
            products(&mut out, &left, &right, depth);
            for r in 0..rows {
                for c in 0..columns {
                    let sum: f32 =
                        (0..depth).map(|k| left[r * depth + k] * right[c * depth + k]).sum();
                    assert_eq!(out[r * columns + c].to_bits(), (sum + 0.0).to_bits());
                }
            }
        }
    }
}
