//! What callers' proxies made of instances: who ejected whom, and whether it was called no more.

use crate::{
    list,
    style::Style,
    words::{count, ordinal, time},
};
use squall_model::{Absence, Condition};
use std::fmt::Write;

/// Tries that come later than this after an ejection do not come of Envoy's `common_lb_config.update_merge_window`
/// (config/cluster/v3/cluster.proto): 1 s by default, and the delay of a timer. Nanoseconds.
const MERGED_BY: u64 = 1_100_000_000;

/// A line for each of the first few; nothing where there is none.
pub(crate) fn lines(absences: &[Absence], style: Style) -> String {
    list::lines(absences, line, style)
}

fn line(absence: &Absence) -> String {
    let Absence { by, of, nth, at, lasted, late_tries, .. } = absence;
    let did = match absence.what {
        Condition::Unhealthy => format!("{by} found {of} unhealthy"),
        Condition::Ejected | Condition::Healthy => format!("{by} ejected {of}"),
    };
    let long = lasted.map_or_else(|| "to the end".to_owned(), |lasted| format!("for {}", time(lasted)));
    let mut text = format!("{did} at {} {long} ({})", time(*at), ordinal(*nth));
    if let Some(last) = absence.last_late {
        let _ = write!(text, "; {} still went there, the last {} later", count(*late_tries, "try"), time(last));
        if *late_tries > absence.in_flight && last <= MERGED_BY {
            text.push_str(": host-set changes reach Envoy's workers by update_merge_window");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::InstanceId;

    fn absence(what: Condition, nth: u32) -> Absence {
        let id = |service: &str, number| InstanceId { service: service.into(), number };
        Absence {
            by: id("web", 1),
            of: id("reviews", 2),
            what,
            nth,
            at: 1_420_000_000,
            lasted: Some(2_050_000_000),
            in_flight: 2,
            late_tries: 0,
            last_late: None,
        }
    }

    fn late(tries: u64, last: u64) -> Absence {
        Absence { late_tries: tries, last_late: Some(last * 1_000_000), ..absence(Condition::Ejected, 2) }
    }

    #[test]
    fn an_absence_is_a_line() {
        let open = Absence { lasted: None, ..absence(Condition::Unhealthy, 1) };
        let all = [absence(Condition::Ejected, 1), open, late(97, 980), late(2, 3), late(500, 3_000), late(1, 3)];
        insta::assert_snapshot!(lines(&all, Style::PLAIN), @"
        · web-1 ejected reviews-2 at 1.42 s for 2.05 s (1st)
        · web-1 found reviews-2 unhealthy at 1.42 s to the end (1st)
        · web-1 ejected reviews-2 at 1.42 s for 2.05 s (2nd); 97 tries still went there, the last 980 ms later: host-set changes reach Envoy's workers by update_merge_window
        · web-1 ejected reviews-2 at 1.42 s for 2.05 s (2nd); 2 tries still went there, the last 3.00 ms later
        · web-1 ejected reviews-2 at 1.42 s for 2.05 s (2nd); 500 tries still went there, the last 3.00 s later
        · web-1 ejected reviews-2 at 1.42 s for 2.05 s (2nd); 1 try still went there, the last 3.00 ms later
        ");
    }

    #[test]
    fn many_are_cut_short() {
        let many = vec![absence(Condition::Ejected, 1); 10];
        let text = lines(&many, Style::PLAIN);
        assert_eq!(text.lines().count(), 9);
        assert!(text.ends_with("    … and 2 more\n"));
        assert_eq!(lines(&[], Style::PLAIN), "");
    }
}
