use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashSet};

fn table() -> Table {
    let row = |user: &str, path: &str| vec![user.to_owned(), path.to_owned()];
    Table { columns: vec!["user".into(), "path".into()], rows: vec![row("ann b", "a/b?c=d#e"), row("böb", "x")] }
}

fn rendered(text: &str, context: Context, seq: u64) -> String {
    let mut bytes = Vec::new();
    Pattern::parse(text, &table(), context).unwrap().render(Filling { seed: 7, seq }, &mut bytes);
    String::from_utf8(bytes).unwrap()
}

#[test]
fn places_are_filled_by_the_number_of_the_call() {
    assert_eq!(rendered("/item/{seq}?x=1", Context::Path, 42), "/item/42?x=1");
    assert_eq!(rendered("/u/{user}", Context::Path, 0), "/u/ann%20b");
    assert_eq!(rendered("/u/{user}", Context::Path, 5), "/u/b%C3%B6b", "rows come in turn");
    assert_eq!(rendered("/{path}", Context::Path, 2), "/a%2Fb%3Fc%3Dd%23e");
    assert_eq!(rendered("/{+path}", Context::Path, 2), "/a/b?c=d%23e");
    assert_eq!(rendered("user {user}, {{seq}}", Context::Header, 0), "user ann b, {seq}");
    assert_eq!(rendered(r#"{"user":"{user}","n":{seq},"o":{}}"#, Context::Body, 2), r#"{"user":"ann b","n":2,"o":{}}"#);
    assert_eq!(rendered("{rand 5..5}", Context::Path, 9), "5");
    assert_eq!(rendered("", Context::Body, 9), "");
}

#[test]
fn what_is_no_place() {
    let error = |text: &str, context| Pattern::parse(text, &table(), context).unwrap_err();
    assert_eq!(error("/{seq", Context::Path), PatternError::Brace("/{seq".into()));
    assert_eq!(error("/seq}", Context::Header), PatternError::Brace("/seq}".into()));
    assert!(error("/{name}", Context::Path).to_string().ends_with("the columns user, path"));
    assert_eq!(error("/{rand 9..1}", Context::Path), PatternError::Range("9..1".into()));
    assert_eq!(error("{rand 1-9}", Context::Body), PatternError::Range("1-9".into()), "in a body, too");
    let empty = Table { rows: Vec::new(), ..table() };
    assert_eq!(Pattern::parse("{user}", &empty, Context::Body), Err(PatternError::NoRows("user".into())));
}

#[test]
fn a_uuid_says_that_it_is_random() {
    let uuids: Vec<String> = (0..1_000).map(|seq| rendered("{uuid}", Context::Path, seq)).collect();
    for uuid in &uuids {
        let groups: Vec<&str> = uuid.split('-').collect();
        assert_eq!(groups.iter().map(|g| g.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{uuid}");
        assert!(groups[2].starts_with('4') && groups[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
    }
    assert_eq!(uuids.iter().collect::<HashSet<_>>().len(), 1_000);
}

/// Each of ten numbers is drawn as often as chance has it: Pearson's χ² with 9 degrees of freedom exceeds 45 once in a million.
#[test]
fn numbers_are_drawn_evenly_and_apart_from_each_other() {
    let mut counts: BTreeMap<(String, bool), f64> = BTreeMap::new();
    for seq in 0..20_000 {
        let both = rendered("{rand 1..10} {rand 1..10}", Context::Body, seq);
        let (first, second) = both.split_once(' ').unwrap();
        *counts.entry((first.into(), true)).or_default() += 1.0;
        // Of two places that were filled alike, the second would be the first.
        *counts
            .entry((((first.parse::<u64>().unwrap() + second.parse::<u64>().unwrap()) % 10).to_string(), false))
            .or_default() += 1.0;
    }
    for which in [true, false] {
        let seen: Vec<f64> = counts.iter().filter(|((_, w), _)| *w == which).map(|(_, n)| *n).collect();
        assert_eq!(seen.len(), 10);
        let chi: f64 = seen.iter().map(|n| (n - 2_000.0).powi(2) / 2_000.0).sum();
        assert!(chi < 45.0, "{chi}: {seen:?}");
    }
}

proptest! {
    #[test]
    fn decimals(number: u64) {
        let mut bytes = Vec::new();
        push_decimal(&mut bytes, number);
        prop_assert_eq!(String::from_utf8(bytes).unwrap(), number.to_string());
    }

    /// Whatever stands in a table, a path made of it is one: visible and ASCII.
    #[test]
    fn a_path_stays_one(value in "\\PC*", seed: u64) {
        let table = Table { columns: vec!["c".into()], rows: vec![vec![value]] };
        for text in ["/{c}", "/{+c}"] {
            let mut bytes = Vec::new();
            Pattern::parse(text, &table, Context::Path).unwrap().render(Filling { seed, seq: 0 }, &mut bytes);
            prop_assert!(bytes.iter().all(|b| b.is_ascii_graphic() && *b != b'#'));
        }
    }

    #[test]
    fn a_range_is_kept_to(drawn: u64, from: u64, more: u64) {
        let to = from.saturating_add(more);
        prop_assert!((from..=to).contains(&draw::within(drawn, from, to)));
    }
}
