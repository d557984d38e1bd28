use super::*;
use squall_model::{ClaimId, Measured};

const VIOLATED: Verdict = Verdict::Violated;
const HOLDS: Verdict = Verdict::Holds;

fn open() -> Verdict {
    Verdict::Inconclusive(Why::Empty)
}

fn error() -> Verdict {
    Verdict::Error("no proxy".into())
}

fn run(verdicts: &[Verdict]) -> ControlRun {
    let finding = |(verdict, id): (&Verdict, u32)| Finding {
        claim: ClaimId(id),
        verdict: verdict.clone(),
        measured: Measured::Nothing,
        exemplars: Vec::new(),
        explanation: Default::default(),
    };
    let findings: Vec<Finding> = verdicts.iter().zip(0..).map(finding).collect();
    ControlRun { verdict: scenario(&findings), findings }
}

#[test]
fn red_is_one_violated_and_none_in_error() {
    let of = |runs: &[&[Verdict]]| control_result(&runs.iter().map(|r| run(r)).collect::<Vec<_>>());
    assert_eq!(of(&[&[HOLDS, VIOLATED]]), ControlResult::Red);
    assert_eq!(of(&[&[open(), VIOLATED]]), ControlResult::Red);
    assert_eq!(of(&[&[HOLDS, HOLDS]]), ControlResult::Vacuous);
    assert_eq!(of(&[&[HOLDS, open()]]), ControlResult::Undecided, "a collapsing control often trips a gate");
    assert_eq!(of(&[&[VIOLATED, error()]]), ControlResult::Error("no proxy".into()));
    assert_eq!(of(&[&[HOLDS, Verdict::Unsupported("tcp".into())]]), ControlResult::Error("tcp".into()));
    assert_eq!(of(&[&[]]), ControlResult::Undecided);
    assert_eq!(of(&[]), ControlResult::Vacuous, "nothing could be taken away");
    let refused = ControlRun { verdict: error(), findings: Vec::new() };
    assert_eq!(control_result(&[refused]), ControlResult::Error("no proxy".into()));
}

#[test]
fn one_red_run_of_several_is_enough() {
    let of = |runs: &[&[Verdict]]| control_result(&runs.iter().map(|r| run(r)).collect::<Vec<_>>());
    assert_eq!(of(&[&[HOLDS], &[VIOLATED]]), ControlResult::Red);
    assert_eq!(of(&[&[error()], &[VIOLATED]]), ControlResult::Red);
    assert_eq!(of(&[&[HOLDS], &[open()]]), ControlResult::Undecided);
    assert_eq!(of(&[&[HOLDS], &[error()]]), ControlResult::Error("no proxy".into()));
    assert_eq!(of(&[&[HOLDS], &[HOLDS]]), ControlResult::Vacuous);
}

#[test]
fn a_scenario_is_as_good_as_its_worst_line() {
    let of = |verdicts: &[Verdict]| scenario(&run(verdicts).findings);
    assert_eq!(of(&[HOLDS, HOLDS]), HOLDS);
    assert_eq!(of(&[HOLDS, open()]), open());
    assert_eq!(of(&[error(), VIOLATED, open()]), VIOLATED, "a red never hides behind an error");
    assert_eq!(of(&[]), open(), "a run that was asked nothing shows nothing");
}
