//! Which rows a listing showed: one bit a row, no write for what did not change.

/// A set of catalogue row numbers.
#[derive(Debug, Default)]
pub(super) struct Seen(Vec<u64>);

impl Seen {
    /// Puts `row` into the set. Row numbers start at 1; others are ignored.
    pub(super) fn insert(&mut self, row: i64) {
        let Some((word, bit)) = place(row) else {
            return;
        };
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= bit;
        }
    }

    /// Whether `row` is in the set.
    pub(super) fn contains(&self, row: i64) -> bool {
        place(row).is_some_and(|(word, bit)| self.0.get(word).is_some_and(|bits| bits & bit != 0))
    }
}

fn place(row: i64) -> Option<(usize, u64)> {
    let row = usize::try_from(row).ok()?;
    Some((row / 64, 1 << (row % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_any_order() {
        let mut seen = Seen::default();
        let rows = [1, 63, 64, 65, 1_000_000, 2];
        for row in rows {
            assert!(!seen.contains(row));
            seen.insert(row);
        }
        assert!(rows.iter().all(|row| seen.contains(*row)));
        assert!(
            ![0, 3, 62, 999_999, -1, i64::MAX]
                .iter()
                .any(|row| seen.contains(*row))
        );
        assert!(seen.0.len() <= 1_000_000 / 64 + 1);
    }
}
