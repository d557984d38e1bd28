//! The policy that callers' proxies had in force, which may be other than the written one: defaults that nobody wrote, fields that a
//! control plane fills in or drops.

use crate::{list, style::Style};
use squall_model::InForce;
use std::fmt::Write;

/// So many proxies are named that say the same.
const NAMED: usize = 3;

/// A line for each of the first few; nothing where there is none.
pub(crate) fn lines(policies: &[InForce], style: Style) -> String {
    list::lines(policies, line, style)
}

fn line(policy: &InForce) -> String {
    let InForce { by, host, says } = policy;
    let mut whose = by.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if by.len() > NAMED {
        let _ = write!(whose, " and {} more", by.len() - NAMED);
    }
    format!("in force {whose} → {host}: {says}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::InstanceId;

    fn policy(callers: u32) -> InForce {
        let by = (1..=callers).map(|number| InstanceId { service: "web".into(), number }).collect();
        InForce { by, host: "reviews".into(), says: "timeout 1.5 s; no retries".into() }
    }

    #[test]
    fn a_policy_is_a_line() {
        insta::assert_snapshot!(lines(&[policy(1), policy(5)], Style::PLAIN), @"
        · in force web-1 → reviews: timeout 1.5 s; no retries
        · in force web-1, web-2, web-3 and 2 more → reviews: timeout 1.5 s; no retries
        ");
    }

    #[test]
    fn many_are_cut_short() {
        let text = lines(&vec![policy(1); 10], Style::PLAIN);
        assert_eq!(text.lines().count(), 9);
        assert!(text.ends_with("    … and 2 more\n"));
        assert_eq!(lines(&[], Style::PLAIN), "");
    }
}
