//! A policy that is weaker than its promise goes red, with the line and both numbers in the block of that line.
//! `SQUALL_WEAKENED=failover` tries those features alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot unwrap should fail, and says what it saw"
)]

mod cases;
#[path = "../support/mod.rs"]
mod support;

use std::{fs, time::Instant};
use support::{PATIENCE, Ran, Squall, envoy_to_be_had, root};

/// A feature with one of its policies weakened.
struct Weakened {
    feature: &'static str,
    scenario: &'static str,
    from: &'static str,
    to: &'static str,
    /// The line that goes red, as written, and what is measured for it.
    red: &'static str,
    measured: Measured,
}

/// What is measured for a line.
enum Measured {
    /// These words, where `…` stands for what chance and the clock decide.
    Reads(&'static str),
    /// A number, and no smaller one: far beyond what was promised.
    AtLeast(f64),
    /// A share in percent, and no higher one: far below what was promised.
    Share { at_most: f64 },
}

impl std::fmt::Display for Weakened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with `{}`: `{}`", self.scenario, self.to, self.red)
    }
}

impl Measured {
    fn is(&self, row: &str) -> bool {
        match self {
            Measured::Reads(words) => reads(row, words),
            Measured::AtLeast(least) => row.parse().is_ok_and(|number: f64| number >= *least),
            Measured::Share { at_most } => {
                let share = row.split_once("% (").and_then(|(share, _)| share.parse().ok());
                share.is_some_and(|share: f64| share <= *at_most)
            }
        }
    }
}

/// Whether a row is these words, with something in place of each `…`.
fn reads(row: &str, words: &str) -> bool {
    let Some((first, rest)) = words.split_once('…') else { return row == words };
    let Some(row) = row.strip_prefix(first) else { return false };
    row.char_indices().skip(1).any(|(at, _)| reads(&row[at..], rest)) || (rest.is_empty() && !row.is_empty())
}

/// What the program says of the line at this place: from its mark to the next.
fn block(out: &str, place: &str) -> Option<String> {
    let is_mark = |line: &str| line.trim_start().starts_with(['✓', '✗', '?', '–', '!']);
    let mut lines = out.lines().skip_while(|line| !(is_mark(line) && line.contains(place)));
    let first = lines.next()?;
    let rest = lines.take_while(|line| !line.is_empty() && !is_mark(line));
    Some(std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n"))
}

/// What a block's row with this label says.
fn row<'a>(block: &'a str, label: &str) -> Option<&'a str> {
    block.lines().find_map(|line| line.trim_start().strip_prefix(label)).map(str::trim)
}

#[test]
fn only_the_rows_of_its_own_line_are_looked_at() {
    let out = "    ✗ a.feature:7:5\n      promised  x\n      measured  52 of 52 break it\n      so        violated\n    \
               ✓ a.feature:8:5\n      measured  all of 9 agree\n";
    let rows = |place| {
        let block = block(out, place).unwrap();
        ["promised", "measured", "so"].map(|label| row(&block, label).map(str::to_owned).unwrap_or_default())
    };
    assert_eq!(rows("a.feature:7:"), ["x", "52 of 52 break it", "violated"]);
    assert_eq!(rows("a.feature:8:"), ["", "all of 9 agree", ""]);
    assert_eq!(block(out, "a.feature:9:"), None);
}

#[test]
fn what_is_measured_is_told_from_anything_else() {
    let is = |measured: &Measured, rows: &[&str]| rows.iter().map(|row| measured.is(row)).collect::<Vec<_>>();
    let rows = ["52 of 600 break it", "52 of 60 break it", "all of 600 agree", "60", "", "… of 600 break it!"];
    assert_eq!(is(&Measured::Reads("… of 600 break it"), &rows), [true, false, false, false, false, false]);
    assert_eq!(is(&Measured::Reads("6…"), &["60", "6", "16", ""]), [true, false, false, false]);
    assert_eq!(is(&Measured::Reads("0"), &["0", "10", ""]), [true, false, false]);
    let shares =
        ["0% (0 of 80); the truth is at most 20%", "3.8% (3 of 80); the truth …", "40% (4 of 10); …", "3 of 80"];
    assert_eq!(is(&Measured::Share { at_most: 10.0 }, &shares), [true, true, false, false]);
    assert_eq!(is(&Measured::AtLeast(1.8), &["2.063", "1.8", "1.35", "it never happened"]), [true, true, false, false]);
}

#[test]
fn every_weakened_policy_goes_red_with_its_line_and_both_numbers() {
    let Some(_turn) = envoy_to_be_had() else { return };
    let only = std::env::var("SQUALL_WEAKENED").unwrap_or_default();
    let mut left: Vec<_> = cases::ALL.iter().filter(|weak| weak.feature.contains(&only)).collect();
    let mut missed = Vec::new();
    let mut patience = None;
    while !left.is_empty() {
        let in_time = patience.is_none_or(|until| Instant::now() < until);
        let mut later = Vec::new();
        for weak in left {
            match goes_red(weak) {
                Ok(()) => {}
                Err(ran) if in_time && ran.machine_was_in_trouble() => later.push(weak),
                Err(ran) => missed.push((weak, ran)),
            }
        }
        // A machine that is in trouble for some seconds may be well again when all others have had their turn.
        patience = patience.or_else(|| Some(Instant::now() + PATIENCE * 2));
        left = later;
    }
    let told: Vec<String> = missed.iter().map(|(weak, ran)| format!("{weak}\n{}", ran.all())).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// Weakens the policy and runs its scenario; what was said, if it is not that this line is violated, by this much.
fn goes_red(weak: &Weakened) -> Result<(), Ran> {
    let text = fs::read_to_string(root().join("features").join(weak.feature)).unwrap();
    let begin = text.find(&format!("Scenario: {}", weak.scenario)).unwrap_or_else(|| panic!("{}", weak.scenario));
    let (before, rest) = text.split_at(begin);
    assert!(rest.contains(weak.from), "{} no longer says `{}`", weak.feature, weak.from);
    let text = format!("{before}{}", rest.replacen(weak.from, weak.to, 1));
    let squall = Squall::new();
    let path = squall.feature("weak.feature", &text);
    let line = |words: &str| {
        let lines = text.lines().enumerate().skip(before.lines().count() - 1);
        lines.clone().find(|(_, line)| line.contains(words)).unwrap_or_else(|| panic!("{words}")).0 + 1
    };
    let scenario = line(weak.scenario);
    let ran = squall.run(&["run", "--no-controls", &format!("{path}:{scenario}")]);
    let place = format!("weak.feature:{}:", line(weak.red));
    let block = block(&ran.out, &place).unwrap_or_default();
    let says_so = row(&block, "promised").is_some_and(|row| row.contains(weak.red))
        && row(&block, "measured").is_some_and(|row| weak.measured.is(row))
        && row(&block, "so") == Some("violated");
    if !(ran.status == Some(1) && says_so) {
        return Err(ran);
    }
    eprintln!("{}, line {}: {block}\n", weak.scenario, line(weak.red));
    Ok(())
}
