//! A part of the day: `08:00-18:00`, or over midnight `22:00-06:00`.

use jiff::civil::Time;
use serde::{Deserialize, Serialize};

/// From the first minute up to the last, which is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    from: Time,
    to: Time,
}

impl Hours {
    /// Whether it is one of them.
    pub fn has(self, time: Time) -> bool {
        match self.from <= self.to {
            true => self.from <= time && time < self.to,
            false => self.from <= time || time < self.to,
        }
    }
}

impl TryFrom<String> for Hours {
    type Error = String;

    fn try_from(text: String) -> Result<Hours, String> {
        let time = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
        let hours = text.split_once('-').and_then(|(from, to)| Some(Hours { from: time(from)?, to: time(to)? }));
        hours.ok_or_else(|| format!("`{text}` is no part of a day: `08:00-18:00`"))
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> String {
        format!("{}-{}", hours.from.strftime("%H:%M"), hours.to.strftime("%H:%M"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Hours {
        Hours::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_part_of_the_day_may_go_over_midnight() {
        let time = |hour, minute| Time::constant(hour, minute, 0, 0);
        let (day, night) = (hours("08:00-18:00"), hours("22:30 - 06:00"));
        assert!(day.has(time(8, 0)) && day.has(time(17, 59)) && !day.has(time(18, 0)) && !day.has(time(7, 59)));
        assert!(night.has(time(22, 30)) && night.has(time(0, 0)) && night.has(time(5, 59)));
        assert!(!night.has(time(6, 0)) && !night.has(time(22, 29)));
        assert_eq!(String::from(night), "22:30-06:00");
    }

    #[test]
    fn what_is_no_part_of_a_day_is_refused() {
        for text in ["", "8", "08:00", "08:00-25:00", "eight-nine"] {
            assert!(Hours::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
