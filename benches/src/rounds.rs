//! Interleaved rounds: each contender is measured once per round, in shuffled order, so that other
//! load on the machine affects all contenders alike.

use std::time::Duration;

/// The times of one contender, one per round.
#[derive(Debug, Clone)]
pub struct Samples(Vec<Duration>);

impl Samples {
    /// Returns the median time.
    ///
    /// # Panics
    ///
    /// If there are no samples.
    #[must_use]
    pub fn median(&self) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[sorted.len() / 2]
    }

    /// Returns the time that 99 of 100 samples do not exceed.
    ///
    /// # Panics
    ///
    /// If there are no samples.
    #[must_use]
    pub fn percentile_99(&self) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[sorted.len() * 99 / 100]
    }

    /// Returns the ratio to the base: the median of the per-round ratios.
    ///
    /// # Panics
    ///
    /// If there are no samples.
    #[must_use]
    pub fn ratio(&self, base: &Self) -> f64 {
        let mut ratios: Vec<f64> = self
            .0
            .iter()
            .zip(&base.0)
            .map(|(ours, base)| ours.as_secs_f64() / base.as_secs_f64())
            .collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    }
}

/// Calls `measure` once per round with each index below `contenders`, and returns the samples by
/// index.
pub fn in_turns(
    contenders: usize,
    rounds: usize,
    mut measure: impl FnMut(usize) -> Duration,
) -> Vec<Samples> {
    let mut samples = vec![Samples(Vec::with_capacity(rounds)); contenders];
    let mut order: Vec<usize> = (0..contenders).collect();
    let mut random = 1;
    for _ in 0..rounds {
        shuffle(&mut order, &mut random);
        for &contender in &order {
            samples[contender].0.push(measure(contender));
        }
    }
    samples
}

/// Shuffles the order, so that no contender always runs after the one that leaves cold caches.
///
/// Uses the upper bits of Knuth's generator, with a fixed seed: every run has the same orders.
fn shuffle(order: &mut [usize], random: &mut u64) {
    for last in (1..order.len()).rev() {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        order.swap(last, (*random >> 33) as usize % (last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_contender_is_measured_once_per_round() {
        let mut turns = Vec::new();
        let samples = in_turns(3, 8, |contender| {
            turns.push(contender);
            Duration::from_micros(10 * (contender as u64 + 1) + turns.len() as u64)
        });
        for round in turns.chunks(3) {
            let mut round = round.to_vec();
            round.sort_unstable();
            assert_eq!(round, [0, 1, 2]);
        }
        assert!(turns.chunks(3).any(|round| round != &turns[..3]));
        assert_eq!(samples.len(), 3);
    }

    #[test]
    fn ratio_compares_samples_of_one_round() {
        let base = Samples([10, 100, 20].map(Duration::from_micros).into());
        let twice = Samples([20, 200, 90].map(Duration::from_micros).into());
        assert_eq!(twice.ratio(&base), 2.0);
        assert_eq!(twice.median(), Duration::from_micros(90));
    }
}
