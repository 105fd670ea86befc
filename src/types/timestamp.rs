//! Points in time, exact to the nanosecond.

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

const NANOS_PER_SEC: i128 = 1_000_000_000;

/// A point in time as a file system keeps it: seconds since 1970-01-01 00:00:00 UTC, negative
/// before, and nanoseconds.
///
/// Exact, unlike floating point seconds. It holds what the kernel can hold, 292 billion years both
/// ways; what is beyond that is clipped.
///
/// ```
/// use libfuse3::Timestamp;
///
/// let before_1970 = Timestamp::from_nanos(-1);
/// assert_eq!((before_1970.secs(), before_1970.subsec_nanos()), (-1, 999_999_999));
/// assert_eq!(Timestamp::new(-1, 999_999_999), before_1970);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp {
    // In this order, so that comparing compares times.
    secs: i64,
    /// Below one second.
    nanos: u32,
}

impl Timestamp {
    /// 1970-01-01 00:00:00 UTC.
    pub const EPOCH: Self = Self { secs: 0, nanos: 0 };
    /// The earliest time.
    pub const MIN: Self = Self {
        secs: i64::MIN,
        nanos: 0,
    };
    /// The latest time.
    pub const MAX: Self = Self {
        secs: i64::MAX,
        nanos: 999_999_999,
    };

    /// `secs` seconds and `nanos` nanoseconds after the epoch, as in C's `struct timespec`.
    #[must_use]
    pub const fn new(secs: i64, nanos: i64) -> Self {
        if nanos >= 0 && nanos < NANOS_PER_SEC as i64 {
            Self {
                secs,
                nanos: nanos as u32,
            }
        } else {
            Self::from_nanos(secs as i128 * NANOS_PER_SEC + nanos as i128)
        }
    }

    /// `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i128) -> Self {
        let secs = nanos.div_euclid(NANOS_PER_SEC);
        if secs > i64::MAX as i128 {
            Self::MAX
        } else if secs < i64::MIN as i128 {
            Self::MIN
        } else {
            Self {
                secs: secs as i64,
                nanos: nanos.rem_euclid(NANOS_PER_SEC) as u32,
            }
        }
    }

    /// The current time of the system.
    #[must_use]
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// Nanoseconds after the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i128 {
        self.secs as i128 * NANOS_PER_SEC + self.nanos as i128
    }

    /// Whole seconds after the epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.secs
    }

    /// Nanoseconds after [`secs`](Self::secs), 0 to 999,999,999.
    #[must_use]
    pub const fn subsec_nanos(self) -> u32 {
        self.nanos
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self::from_nanos(after.as_nanos().cast_signed()),
            Err(before) => Self::from_nanos(-before.duration().as_nanos().cast_signed()),
        }
    }
}

impl From<Timestamp> for SystemTime {
    /// Times that the system's clock type cannot hold become the epoch.
    fn from(time: Timestamp) -> Self {
        let secs = Duration::from_secs(time.secs.unsigned_abs());
        let nanos = Duration::new(0, time.nanos);
        let whole = if time.secs < 0 {
            UNIX_EPOCH.checked_sub(secs)
        } else {
            UNIX_EPOCH.checked_add(secs)
        };
        whole
            .and_then(|whole| whole.checked_add(nanos))
            .unwrap_or(UNIX_EPOCH)
    }
}

/// A time that `setattr` shall set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeOrNow {
    /// This very time.
    Time(Timestamp),
    /// The current time (`UTIME_NOW`, or a NULL pointer given to `utimes`).
    Now,
}

impl TimeOrNow {
    /// The time to store: the given one, or the current one.
    #[must_use]
    pub fn resolve(self) -> Timestamp {
        match self {
            Self::Time(time) => time,
            Self::Now => Timestamp::now(),
        }
    }
}

impl From<Timestamp> for TimeOrNow {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_times_are_rounded_down() {
        let time = Timestamp::from_nanos(-1_500_000_000);
        assert_eq!((time.secs(), time.subsec_nanos()), (-2, 500_000_000));
        assert_eq!(Timestamp::from(SystemTime::from(time)), time);
    }

    #[test]
    fn times_outside_of_64_bit_seconds_are_clipped() {
        assert_eq!(Timestamp::from_nanos(i128::MAX).secs(), i64::MAX);
        assert_eq!(Timestamp::from_nanos(i128::MIN).secs(), i64::MIN);
    }
}
