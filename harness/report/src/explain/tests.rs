use super::*;
use squall_model::{Mechanism, Unit};

fn at_ms(ms: u64) -> Moment {
    Moment { stage: 0, at: ms * 1_000_000 }
}

fn tally(hits: u64, n: u64) -> Tally {
    Tally { hits, n }
}

/// As it stands in a block.
fn shown(explanation: &Explanation) -> String {
    rows(explanation).iter().map(|(label, value)| format!("{label:<9} {value}")).collect::<Vec<_>>().join("\n")
}

#[test]
fn since_which_second() {
    let of = |since| shown(&Explanation { since: Some(since), ..Explanation::default() });
    let stretch = |to, cue| Since::Stretch {
        from: at_ms(1_003),
        to,
        within: tally(84, 100),
        without: tally(0, 500),
        unit: Unit::Call,
        cue,
    };
    let killed = Onset { text: "instance 2 of \"reviews\" is killed".into(), ended: false, after: 3_000_000 };
    let over = Onset { ended: true, ..killed.clone() };
    let all = [
        stretch(None, Some(killed)),
        stretch(Some(at_ms(2_010)), Some(over)),
        Since::Stretch {
            from: Moment { stage: 1, at: 0 },
            to: None,
            within: tally(50, 100),
            without: tally(5, 500),
            unit: Unit::Try,
            cue: None,
        },
        Since::First { first: at_ms(23), last: at_ms(1_983), all: tally(52, 600), unit: Unit::Call },
        Since::First { first: at_ms(0), last: at_ms(1_983), all: tally(600, 600), unit: Unit::Call },
        Since::Scattered { first: at_ms(900), last: at_ms(1_400) },
        Since::Scattered { first: at_ms(900), last: at_ms(900) },
    ];
    insta::assert_snapshot!(all.into_iter().map(of).collect::<Vec<_>>().join("\n"), @r#"
    since     1.003 s to the end, 3.00 ms after “instance 2 of "reviews" is killed”: 84% (84 of 100) of the calls then, none of the 500 others
    since     1.003 s to 2.010 s, 3.00 ms after the end of “instance 2 of "reviews" is killed”: 84% (84 of 100) of the calls then, none of the 500 others
    since     0.000 s of stage 2 to the end: 50% (50 of 100) of the tries then, 1% (5 of 500) of the others
    since     0.023 s to 1.983 s: 8.7% (52 of 600) of the calls, with no change over time that chance does not explain
    since     0.000 s to 1.983 s: all 600 calls
    since     0.900 s to 1.400 s: too few to tell a change from chance
    since     0.900 s, once
    "#);
}

#[test]
fn which_part_of_the_traffic() {
    let of = |by, value: &str, within, without| {
        let split = Split { by, value: value.into(), within, without, unit: Unit::Call };
        shown(&Explanation { split: Some(split), ..Explanation::default() })
    };
    let (some, all, most) =
        ((tally(52, 104), tally(0, 196)), (tally(52, 52), tally(0, 248)), (tally(93, 100), tally(2, 200)));
    let shown = [
        of(Attribute::Instance, "reviews-2", some.0, some.1),
        of(Attribute::Instance, "reviews-2", all.0, all.1),
        of(Attribute::Version, "reviews v2", most.0, most.1),
        of(Attribute::Zone, "zone \"east\"", most.0, most.1),
        of(Attribute::Path, "/checkout", most.0, most.1),
        of(Attribute::Method, "POST", most.0, most.1),
        of(Attribute::Host, "api", most.0, most.1),
        of(Attribute::Header, "x-canary: yes", most.0, most.1),
        of(Attribute::User, "user-2", most.0, most.1),
        of(Attribute::Line, "a.feature:14:5", most.0, most.1),
        of(Attribute::CallerZone, "zone \"west\"", most.0, most.1),
        of(Attribute::Caller, "web-2", most.0, most.1),
        of(Attribute::Edge, "reviews → ratings", most.0, most.1),
        of(Attribute::Attempt, "2", most.0, most.1),
    ];
    insta::assert_snapshot!(shown.join("\n"), @r#"
    where     all 52 are among the 104 calls that went to reviews-2 (50%), none among the 196 others
    where     exactly the 52 calls that went to reviews-2
    where     93% (93 of 100) of the calls that went to reviews v2, 1% (2 of 200) of the others
    where     93% (93 of 100) of the calls that went to zone "east", 1% (2 of 200) of the others
    where     93% (93 of 100) of the calls on path /checkout, 1% (2 of 200) of the others
    where     93% (93 of 100) of the calls with method POST, 1% (2 of 200) of the others
    where     93% (93 of 100) of the calls to host api, 1% (2 of 200) of the others
    where     93% (93 of 100) of the calls with header x-canary: yes, 1% (2 of 200) of the others
    where     93% (93 of 100) of the calls of user user-2, 1% (2 of 200) of the others
    where     93% (93 of 100) of the calls of the traffic line at a.feature:14:5, 1% (2 of 200) of the others
    where     93% (93 of 100) of the calls made in zone "west", 1% (2 of 200) of the others
    where     93% (93 of 100) of the calls made by web-2, 1% (2 of 200) of the others
    where     93% (93 of 100) of the calls over reviews → ratings, 1% (2 of 200) of the others
    where     93% (93 of 100) of the calls that were the 2nd try of their call, 1% (2 of 200) of the others
    "#);
}

#[test]
fn how_long_it_took() {
    let one = |percent, low, seen, high| PercentileOf { percent, low, seen, high };
    let ms = |ms: u64| Reading::At(ms * 1_000_000);
    let times = Times {
        percentiles: vec![
            one(50.0, ms(5), ms(6), ms(7)),
            one(95.0, ms(40), ms(44), Reading::Never),
            one(99.0, ms(44), Reading::Never, Reading::Open),
        ],
        n: 600,
        unanswered: 12,
        error: 1e-3,
    };
    insta::assert_snapshot!(shown(&Explanation { times: Some(times), ..Explanation::default() }), @"times     p50 6.00 ms [5.00 ms – 7.00 ms] · p95 44.0 ms [40.0 ms – never] · p99 never [44.0 ms – ?] (99.9% sure; 12 of 600 never)");
}

#[test]
fn in_the_order_in_which_one_asks() {
    let explanation = Explanation {
        since: Some(Since::Scattered { first: at_ms(1), last: at_ms(2) }),
        split: Some(Split {
            by: Attribute::Instance,
            value: "reviews-2".into(),
            within: tally(1, 2),
            without: tally(0, 2),
            unit: Unit::Call,
        }),
        times: None,
        mechanism: Some(Mechanism { rule: "x".into(), text: "they were shed".into(), covers: tally(1, 1) }),
    };
    let labels: Vec<&str> = rows(&explanation).into_iter().map(|(label, _)| label).collect();
    assert_eq!(labels, ["since", "where", "likely"]);
    assert!(rows(&Explanation::default()).is_empty());
}
