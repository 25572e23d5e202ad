//! The matrix product, one thread, sums in an order that only the sizes decide.

use gemm::Parallelism;

use super::Into;

/// A matrix whose rows or columns lie one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Rows one after the other.
    pub(crate) fn new(values: &'a [f32], columns: usize) -> Self {
        let rows = values.len() / columns;
        assert_eq!(values.len(), rows * columns, "a matrix has whole rows");
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// Rows as columns.
    pub(crate) fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// `out = left · right`, or that added to `out`; `out` has its rows one after the other.
#[expect(unsafe_code, reason = "the matrix product of the gemm crate takes raw pointers")]
pub(crate) fn multiply(out: &mut [f32], left: Matrix<'_>, right: Matrix<'_>, into: Into) {
    assert_eq!(left.columns, right.rows, "the inner sizes agree");
    assert_eq!(out.len(), left.rows * right.columns, "out has one element a pair");
    let stride = |n: usize| isize::try_from(n).expect("a slice is shorter than isize::MAX");
    // SAFETY: a `Matrix` has exactly rows·columns elements and strides that stay inside them, `out`
    // has rows·columns elements (asserted above) and is borrowed exclusively.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            out.as_mut_ptr(),
            1,
            stride(right.columns),
            into == Into::Add,
            left.values.as_ptr(),
            stride(left.column_stride),
            stride(left.row_stride),
            right.values.as_ptr(),
            stride(right.column_stride),
            stride(right.row_stride),
            if into == Into::Add { 1.0 } else { 0.0 },
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// `rows × columns` products of `rows` vectors with `columns` vectors, all of length `depth`:
/// `out[r·columns + c] = Σ_k left[r·depth + k] · right[c·depth + k]`.
pub(crate) fn products(out: &mut [f32], left: &[f32], right: &[f32], depth: usize) {
    if depth == 0 {
        out.fill(0.0);
        return;
    }
    let right = Matrix::new(right, depth).transposed();
    multiply(out, Matrix::new(left, depth), right, Into::Overwrite);
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "small integers are exact")]
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

    #[test]
    fn a_transposed_factor_and_a_sum_by_hand() {
        // [1 2; 3 4]ᵀ · [5; 6] = [23; 34], added to [100; 200].
        let mut out = [100.0, 200.0];
        let left = Matrix::new(&[1.0, 2.0, 3.0, 4.0], 2).transposed();
        multiply(&mut out, left, Matrix::new(&[5.0, 6.0], 1), Into::Add);
        assert_eq!(out, [123.0, 234.0]);
    }
}
