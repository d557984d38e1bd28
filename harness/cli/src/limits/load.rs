//! How much a load run on a cluster sends, by all of its agents together.

use super::{ELSEWHERE, Limits};
use crate::outcome::Failure;
use squall_model::duration;
use std::{fmt::Display, time::Duration};

impl Limits {
    /// Refuses a load run that goes beyond them: so many calls in its fullest second, which is not known where the answers decide it, by so
    /// many users who wait for their answers, for so long.
    ///
    /// # Errors
    /// Exit 2, with the line that refuses it.
    pub fn refuse_load(&self, peak: Option<f64>, users: Option<u32>, length: Duration) -> Result<(), Failure> {
        let beyond = |what: String, limit: &dyn Display| {
            Err(Failure::usage(format!("{what}, and on a cluster that is beyond {limit}")).help(ELSEWHERE))
        };
        if let Some(limit) = &self.rate {
            match peak {
                Some(peak) if peak <= f64::from(limit.value) => {}
                Some(peak) => return beyond(format!("{peak:.0} calls are sent per second"), limit),
                None => return beyond("how many calls are sent per second is up to the answers".into(), limit),
            }
        }
        match (&self.users, users) {
            (Some(limit), Some(users)) if users > limit.value => return beyond(format!("{users} users call"), limit),
            _ => {}
        }
        match &self.duration {
            Some(limit) if length > limit.value => beyond(format!("calls are sent for {}", duration(length)), limit),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::limits;
    use std::time::Duration;

    #[test]
    fn a_load_run_is_limited_as_a_traffic_line_is() {
        let limits = limits("rate = 100\nusers = 5\nduration = \"1 min\"");
        let second = Duration::from_secs(1);
        let told = |peak, users, length| limits.refuse_load(peak, users, length).err().map(|why| why.to_string());
        assert_eq!(told(Some(100.0), Some(5), 60 * second), None);
        let all = [
            told(Some(101.0), None, second),
            told(None, Some(5), second),
            told(Some(1.0), Some(6), second),
            told(Some(1.0), None, 61 * second),
        ];
        let all: Vec<String> = all.into_iter().flatten().map(|why| why.lines().next().unwrap().to_owned()).collect();
        insta::assert_snapshot!(all.join("\n"), @r#"
        101 calls are sent per second, and on a cluster that is beyond `rate = 100` (squall.toml:3)
        how many calls are sent per second is up to the answers, and on a cluster that is beyond `rate = 100` (squall.toml:3)
        6 users call, and on a cluster that is beyond `users = 5` (squall.toml:4)
        calls are sent for 61 s, and on a cluster that is beyond `duration = "1 min"` (squall.toml:5)
        "#);
        assert!(super::Limits::default().refuse_load(None, Some(1_000), 3_600 * second).is_ok());
    }
}
