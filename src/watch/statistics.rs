//! The middle of some numbers, and how far they lie apart, whatever a few strange ones say.

/// What makes the median deviation of a normal distribution its standard deviation.
const NORMAL: f64 = 1.4826;

/// The number in the middle.
pub(super) fn median(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.len().checked_sub(1)? / 2, sorted.len() / 2);
    Some((sorted.get(low)? + sorted.get(high)?) / 2.0)
}

/// The median deviation from the median, on the scale of a standard deviation.
pub(super) fn spread(numbers: &[f64]) -> Option<f64> {
    let middle = median(numbers)?;
    let apart: Vec<f64> = numbers.iter().map(|n| (n - middle).abs()).collect();
    Some(NORMAL * median(&apart)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_strange_number_moves_neither() {
        assert_eq!((median(&[]), spread(&[])), (None, None));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(spread(&[1.0, 2.0, 3.0, 4.0, 1e9]), Some(NORMAL));
        assert_eq!(spread(&[7.0]), Some(0.0));
    }
}
