//! Rate limits: token buckets by key, in bounded memory.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// Keys remembered at most; when there are more, full buckets are forgotten first, since a new one is full as well.
const MAX_KEYS: usize = 16 * 1024;

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// Requests that may come at once.
    pub(crate) burst: f64,
    /// Requests a second in the long run.
    pub(crate) per_second: f64,
}

#[derive(Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

/// Buckets of one kind.
#[derive(Debug)]
pub(crate) struct Buckets {
    rate: Rate,
    buckets: Mutex<HashMap<String, Bucket>>,
}

impl Buckets {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: Mutex::default(),
        }
    }

    /// Takes one from the bucket of `key`; when it is empty, answers with the seconds until one more is there.
    pub(crate) fn take(&self, key: &str, now: Instant) -> Result<(), u64> {
        let Ok(mut buckets) = self.buckets.lock() else {
            return Ok(());
        };
        if buckets.len() >= MAX_KEYS && !buckets.contains_key(key) {
            let rate = self.rate;
            buckets.retain(|_, bucket| filled(bucket, rate, now) < rate.burst);
            if buckets.len() >= MAX_KEYS {
                // Everybody is over the limit: newcomers wait as well, rather than memory growing.
                return Err(1);
            }
        }
        let bucket = buckets.entry(key.to_owned()).or_insert(Bucket {
            left: self.rate.burst,
            at: now,
        });
        bucket.left = filled(bucket, self.rate, now);
        bucket.at = now;
        if bucket.left < 1.0 {
            let wait = (1.0 - bucket.left) / self.rate.per_second;
            return Err(wait.ceil().max(1.0) as u64);
        }
        bucket.left -= 1.0;
        Ok(())
    }

    /// Fills the bucket of `key` again, after a success that shows its owner is who it should be.
    pub(crate) fn forgive(&self, key: &str) {
        if let Ok(mut buckets) = self.buckets.lock() {
            buckets.remove(key);
        }
    }
}

fn filled(bucket: &Bucket, rate: Rate, now: Instant) -> f64 {
    let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
    (bucket.left + passed * rate.per_second).min(rate.burst)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_bucket_empties_fills_again_and_is_forgiven() {
        let buckets = Buckets::new(Rate {
            burst: 2.0,
            per_second: 0.5,
        });
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(buckets.take("a", start), Ok(()));
        assert_eq!(buckets.take("a", start), Ok(()));
        assert_eq!(buckets.take("a", start), Err(2));
        assert_eq!(buckets.take("b", start), Ok(()));
        assert_eq!(buckets.take("a", after(2)), Ok(()));
        assert_eq!(buckets.take("a", after(2)), Err(2));
        buckets.forgive("a");
        assert_eq!(buckets.take("a", after(2)), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let buckets = Buckets::new(Rate {
            burst: 1.0,
            per_second: 1.0,
        });
        let start = Instant::now();
        for i in 0..MAX_KEYS {
            assert_eq!(buckets.take(&i.to_string(), start), Ok(()));
        }
        assert_eq!(buckets.take("one more", start), Err(1));
        assert_eq!(
            buckets.take("one more", start + Duration::from_secs(1)),
            Ok(())
        );
        assert_eq!(buckets.buckets.lock().unwrap().len(), 1);
    }
}
