//! Points in time, exact to the nanosecond.

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

const NANOS_PER_SEC: i128 = 1_000_000_000;

/// A point in time as a file system keeps it: nanoseconds since 1970-01-01 00:00:00 UTC, negative
/// before.
///
/// Exact, unlike floating point seconds, and without the range of any one C type: what the kernel's
/// 64 bit seconds cannot hold is clipped when a reply is sent.
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
    nanos: i128,
}

impl Timestamp {
    /// 1970-01-01 00:00:00 UTC.
    pub const EPOCH: Self = Self { nanos: 0 };

    /// `secs` seconds and `nanos` nanoseconds after the epoch, as in C's `struct timespec`.
    #[must_use]
    pub const fn new(secs: i64, nanos: i64) -> Self {
        Self {
            nanos: secs as i128 * NANOS_PER_SEC + nanos as i128,
        }
    }

    /// `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i128) -> Self {
        Self { nanos }
    }

    /// The current time of the system.
    #[must_use]
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// Nanoseconds after the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i128 {
        self.nanos
    }

    /// Whole seconds after the epoch, rounded down, clipped to what 64 bits hold.
    #[must_use]
    pub const fn secs(self) -> i64 {
        let secs = self.nanos.div_euclid(NANOS_PER_SEC);
        if secs > i64::MAX as i128 {
            i64::MAX
        } else if secs < i64::MIN as i128 {
            i64::MIN
        } else {
            secs as i64
        }
    }

    /// Nanoseconds after [`secs`](Self::secs), 0 to 999,999,999.
    #[must_use]
    pub const fn subsec_nanos(self) -> u32 {
        self.nanos.rem_euclid(NANOS_PER_SEC) as u32
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let nanos = |duration: Duration| {
            duration.as_secs() as i128 * NANOS_PER_SEC + i128::from(duration.subsec_nanos())
        };
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self::from_nanos(nanos(after)),
            Err(before) => Self::from_nanos(-nanos(before.duration())),
        }
    }
}

impl From<Timestamp> for SystemTime {
    /// Times that the system's clock type cannot hold become the epoch.
    fn from(time: Timestamp) -> Self {
        let secs = Duration::new(time.secs().unsigned_abs(), 0);
        let nanos = Duration::new(0, time.subsec_nanos());
        let whole = if time.secs() < 0 {
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
    fn times_outside_of_64_bits_are_clipped() {
        assert_eq!(Timestamp::from_nanos(i128::MAX).secs(), i64::MAX);
        assert_eq!(Timestamp::from_nanos(i128::MIN).secs(), i64::MIN);
    }
}
