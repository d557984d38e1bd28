//! Dates that people read: the only use of a wall clock here.

use jiff::{Timestamp, Zoned, civil::Date};

/// Now, in RFC 3339.
pub fn now() -> String {
    Timestamp::now().to_string()
}

/// A moment so long after 1970 began, in RFC 3339.
pub fn at(since_1970: std::time::Duration) -> String {
    let nanos = i128::try_from(since_1970.as_nanos()).unwrap_or(i128::MAX);
    // Beyond the calendar there is no such moment, and none comes about here.
    Timestamp::from_nanosecond(nanos).unwrap_or_default().to_string()
}

/// Now, as the time since 1970.
pub fn since_1970() -> std::time::Duration {
    // Before 1970 there is nothing to say.
    Timestamp::now().duration_since(Timestamp::UNIX_EPOCH).unsigned_abs()
}

/// Now, as the beginning of a run's name: names sort by date.
pub fn stamp() -> String {
    Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string()
}

/// Today, where this machine is.
pub fn today() -> Date {
    Zoned::now().date()
}
