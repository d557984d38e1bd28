//! The contract is passed by the fake, and by no fake that is wrong in any way.

use super::{Case, Defect, Fake, Trouble, cases, check, check_trouble};
use squall_model::InstanceId;
use std::collections::BTreeSet;

fn victims() -> [InstanceId; 2] {
    [("web", 1), ("reviews", 2)].map(|(service, number)| InstanceId { service: service.into(), number })
}

/// Everything of the contract that a mesh of this kind does not keep.
async fn broken(make: impl Fn() -> Fake) -> Vec<String> {
    let mut broken = Vec::new();
    for case in cases() {
        if let Err(why) = check(&mut make(), &case).await {
            broken.push(format!("{}: {why}", case.name));
        }
    }
    for trouble in Trouble::ALL {
        for victim in victims() {
            match check_trouble(&mut make(), &victim, trouble).await {
                Ok(true) => {}
                Ok(false) => broken.push(format!("the fake cannot bring {victim} into {trouble:?}")),
                Err(why) => broken.push(format!("{victim} {trouble:?}: {why}")),
            }
        }
    }
    broken
}

#[tokio::test]
async fn the_fake_keeps_the_contract() {
    assert_eq!(broken(Fake::default).await, Vec::<String>::new());
}

#[tokio::test]
async fn no_mesh_with_a_defect_does() {
    let mut told = String::new();
    for defect in Defect::ALL {
        let broken = broken(|| Fake::with(*defect)).await;
        assert!(!broken.is_empty(), "{defect:?} is noticed by no case");
        told += &format!("{defect:?}\n  {}\n", broken.join("\n  "));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn every_case_has_a_name_of_its_own() {
    let names: BTreeSet<&str> = cases().iter().map(|case: &Case| case.name).collect();
    assert_eq!(names.len(), cases().len());
}
