//! What is a number that was measured several times?

/// The middle one; of an even number the mean of the two; none of nothing is no number.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = |at: usize| values.get(at).copied().unwrap_or(f64::NAN);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    f64::midpoint(middle(low), middle(high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_any_order_is_taken_and_one_that_is_far_off_moves_nothing() {
        for (values, middle) in [
            (vec![5.0], 5.0),
            (vec![3.0, 1.0], 2.0),
            (vec![9.0, 1.0, 2.0], 2.0),
            (vec![1.0, 2.0, 1e9], 2.0),
            (vec![4.0, 1.0, 3.0, 2.0], 2.5),
        ] {
            assert_eq!(median(values.clone()).to_bits(), f64::to_bits(middle), "{values:?}");
        }
        assert!(median(Vec::new()).is_nan());
    }
}
