//! A fault, counted, as people read it: what it touched, the bounds of that, what was meant, and where it was otherwise.

use crate::words::{self, percent};
use squall_model::{Discord, Dose, DoseCount, Fraction, Meant, Spared, Unit};
use std::fmt::Write;

/// `touched 26% of 612 (between 21% and 31% at 1e-5), meant 30%`, and below it where it was partial, or leaked.
pub(crate) fn says(count: &DoseCount) -> String {
    let mut text = match &count.dose {
        Dose::Absent if count.of == 0 => return format!("it touched nothing: {}", why_nothing(count)),
        Dose::Confirmed => String::new(),
        other => format!("{other}: "),
    };
    text.push_str(&touched(count));
    let spared = match count.spared {
        Some(Spared::NoneDrawn { unit, chance }) => Some(none_drawn(count, unit, chance)),
        Some(Spared::PortMissed { unasked, unheeded }) => Some(port_missed(unasked, unheeded)),
        _ => None,
    };
    let partial = count.is_partial().then(|| Discord::FaultPartial(count.parts.clone()).to_string());
    let leaked = (!count.leaks.is_empty()).then(|| Discord::FaultLeaked(count.leaks.clone()).to_string());
    for line in [spared, partial, leaked].into_iter().flatten() {
        let _ = write!(text, "\n      {line}");
    }
    text
}

/// What was missing, and how to have it.
fn why_nothing(count: &DoseCount) -> String {
    let connections = |open: u64| words::count(open, "connection");
    match count.spared {
        Some(Spared::NoNewConnection { open }) => format!(
            "no new connection was made meanwhile, and those that are open live on ({} carried the tries)\n      \
             to have new ones, restart a proxy meanwhile: `the proxy of … is restarted at …`",
            connections(open)
        ),
        Some(Spared::NoneWasOpen) => "no connection was open when it began, and it leaves new ones alone\n      \
                                      let it begin later, when there have been calls"
            .to_owned(),
        Some(Spared::NoneClosed { open }) => format!(
            "no connection was closed meanwhile ({} stayed open)\n      \
             to have some closed, restart a proxy meanwhile: `the proxy of … is restarted at …`",
            connections(open)
        ),
        Some(Spared::NoneDrawn { .. } | Spared::PortMissed { .. }) | None => "no traffic came its way".to_owned(),
    }
}

/// `each of 3 connections was drawn once: of so few, a share of 20% takes none in about 34 of 100 runs; …`
fn none_drawn(count: &DoseCount, unit: Unit, chance: Fraction) -> String {
    let share = match count.meant {
        Some(Meant::Share { of, .. }) => format!("a share of {of}"),
        _ => "such a share".to_owned(),
    };
    let one = words::units(unit);
    let how_often = match chance.as_f64() {
        often if often >= 0.995 => "nearly always".to_owned(),
        often if often >= 0.01 => format!("in about {:.0} of 100 runs", often * 100.0),
        seldom => format!("in about 1 of {} runs", words::thousands((1.0 / seldom.max(1e-6)).round() as u64)),
    };
    format!(
        "each of these {one} is drawn once, and of {} {share} takes none {how_often}: it takes more {one}, or a larger share",
        count.of
    )
}

/// `proxies went on without the fault port: …`.
fn port_missed(unasked: u64, unheeded: u64) -> String {
    let tries = |n: u64, why: &str| (n > 0).then(|| format!("{} {why}", words::count(n, "try")));
    let all = [tries(unheeded, "did not wait for its answer"), tries(unasked, "did not ask it")];
    let all: Vec<String> = all.into_iter().flatten().collect();
    format!("proxies go on without the fault port where it is late: {}", all.join(", "))
}

fn touched(count: &DoseCount) -> String {
    let share = percent(count.touched as f64 / count.of.max(1) as f64);
    match count.meant {
        Some(Meant::Share { of, low, high, error }) => {
            let mut text = format!("touched {share} of {}", count.of);
            let _ = write!(text, " (between {} and {} at {}), meant {of}", whole(low), whole(high), rate(error));
            text
        }
        Some(Meant::Each) => format!("touched {} of {}, meant all of them", count.touched, count.of),
        Some(Meant::Some) => format!("touched {} of {}, meant at least one", count.touched, count.of),
        // A recording that does not say what was meant.
        None => format!("touched {} of {} ({share})", count.touched, count.of),
    }
}

/// A bound needs no more than two figures.
fn whole(share: Fraction) -> String {
    let percent = share.as_f64() * 100.0;
    let digits = if percent < 10.0 && percent > 0.0 { 1 } else { 0 };
    let text = format!("{percent:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}%")
}

/// `1e-5`.
fn rate(error: Fraction) -> String {
    format!("{:e}", error.as_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_model::{DoseLeak, DosePart, Edge, FaultId, InstanceId};

    fn drawn(dose: Dose, touched: u64, of: u64) -> DoseCount {
        let share = |ppm| Fraction::from_ppm(ppm).unwrap();
        let meant = Meant::Share { of: share(300_000), low: share(211_449), high: share(308_449), error: share(10) };
        DoseCount::new(FaultId(0), dose, touched, of).meaning(meant)
    }

    #[test]
    fn a_dose_reads_with_its_bounds_and_with_what_was_meant() {
        let at = |number| InstanceId { service: "reviews".into(), number };
        let part = |number, dose, touched| DosePart { at: at(number), dose, touched, of: 204 };
        let parts = vec![part(1, Dose::Confirmed, 60), part(2, Dose::Absent, 0)];
        let edge = Edge { from: "web".into(), to: "ratings".into() };
        let leaks = vec![DoseLeak { edge: edge.clone(), at: at(1), touched: 3 }];
        let nothing = |why| DoseCount { spared: Some(why), ..DoseCount::new(FaultId(0), Dose::Absent, 0, 0) };
        let none_drawn = |of, ppm| {
            let chance = Fraction::from_ppm(ppm).unwrap();
            DoseCount {
                spared: Some(Spared::NoneDrawn { unit: Unit::Connection, chance }),
                ..drawn(Dose::Absent, 0, of)
            }
        };
        let missed = |unasked, unheeded| DoseCount {
            spared: Some(Spared::PortMissed { unasked, unheeded }),
            ..drawn(Dose::Weaker, 159, 754)
        };
        let old = r#"{"fault":0,"dose":"weaker","touched":3,"of":10}"#;
        let all = [
            drawn(Dose::Confirmed, 159, 612),
            DoseCount { parts, ..drawn(Dose::Weaker, 60, 408) },
            DoseCount { leaks, ..drawn(Dose::Leaked(edge), 60, 204) },
            DoseCount::new(FaultId(0), Dose::Absent, 0, 0),
            DoseCount::new(FaultId(0), Dose::Weaker, 1, 2).meaning(Meant::Each),
            missed(20, 41),
            missed(0, 1),
            DoseCount::new(FaultId(0), Dose::Confirmed, 7, 9).meaning(Meant::Some),
            serde_json::from_str(old).unwrap(),
            nothing(Spared::NoNewConnection { open: 3 }),
            nothing(Spared::NoneWasOpen),
            nothing(Spared::NoneClosed { open: 1 }),
            none_drawn(3, 343_000),
            none_drawn(12, 13_841),
            none_drawn(20, 798),
        ];
        insta::assert_snapshot!(all.map(|count| says(&count)).join("\n"), @"
        touched 26% of 612 (between 21% and 31% at 1e-5), meant 30%
        the fault touched less than was asked: touched 14.7% of 408 (between 21% and 31% at 1e-5), meant 30%
              fault partial: absent at reviews-2 (0 of 204), as meant at reviews-1 (60 of 204)
        the fault leaked to web → ratings: touched 29.4% of 204 (between 21% and 31% at 1e-5), meant 30%
              fault leaked: it touched 3 on web → ratings at reviews-1
        it touched nothing: no traffic came its way
        the fault touched less than was asked: touched 1 of 2, meant all of them
        the fault touched less than was asked: touched 21.1% of 754 (between 21% and 31% at 1e-5), meant 30%
              proxies go on without the fault port where it is late: 41 tries did not wait for its answer, 20 tries did not ask it
        the fault touched less than was asked: touched 21.1% of 754 (between 21% and 31% at 1e-5), meant 30%
              proxies go on without the fault port where it is late: 1 try did not wait for its answer
        touched 7 of 9, meant at least one
        the fault touched less than was asked: touched 3 of 10 (30%)
        it touched nothing: no new connection was made meanwhile, and those that are open live on (3 connections carried the tries)
              to have new ones, restart a proxy meanwhile: `the proxy of … is restarted at …`
        it touched nothing: no connection was open when it began, and it leaves new ones alone
              let it begin later, when there have been calls
        it touched nothing: no connection was closed meanwhile (1 connection stayed open)
              to have some closed, restart a proxy meanwhile: `the proxy of … is restarted at …`
        the fault touched nothing: touched 0% of 3 (between 21% and 31% at 1e-5), meant 30%
              each of these connections is drawn once, and of 3 a share of 30% takes none in about 34 of 100 runs: it takes more connections, or a larger share
        the fault touched nothing: touched 0% of 12 (between 21% and 31% at 1e-5), meant 30%
              each of these connections is drawn once, and of 12 a share of 30% takes none in about 1 of 100 runs: it takes more connections, or a larger share
        the fault touched nothing: touched 0% of 20 (between 21% and 31% at 1e-5), meant 30%
              each of these connections is drawn once, and of 20 a share of 30% takes none in about 1 of 1,253 runs: it takes more connections, or a larger share
        ");
    }
}
