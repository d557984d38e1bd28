//! Places: who comes first, how calls are shared, and who takes over.

use crate::town::{Client, Town, id, part, to_reviews, topology, until};
use squall_mesh_envoy::now;
use squall_model::{Destination, Fraction, Instance, Place, PolicyKind, Probe, Target, Topology, Which};
use std::{collections::BTreeMap, time::Duration};

/// `reviews` has two instances in the east and one in the west.
fn placed() -> Topology {
    let mut topology = topology(&[None, None, None]);
    for (instance, zone) in topology.services[1].instances.iter_mut().zip(["east", "east", "west"]) {
        instance.place = Some(Place::zone(zone));
    }
    topology
}

fn in_zone(zone: &str) -> Target {
    Target { place: Some(Place::zone(zone)), ..part(Which::Service) }
}

fn checked() -> PolicyKind {
    let every = Duration::from_millis(50);
    PolicyKind::Check { of: "reviews".into(), every, by: Probe::Tcp, out_after: 1, back_after: 1 }
}

async fn shares(client: &mut Client, calls: usize) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for n in 0..calls {
        let (status, body) = client.call(&format!("r1.{n}"), &[]).await;
        *seen.entry(if status == 200 { body } else { status.to_string() }).or_default() += 1;
    }
    seen
}

fn of(shares: &BTreeMap<String, usize>, number: u32) -> usize {
    shares.get(&format!("reviews-{number}")).copied().unwrap_or(0)
}

/// Waits until nobody asks an instance any more.
async fn until_out(town: &Town, number: u32) {
    until("it is out", async || {
        let seen = shares(&mut town.client().await, 12).await;
        of(&seen, number) == 0 && !seen.contains_key("503")
    })
    .await;
}

#[tokio::test]
async fn the_first_place_that_has_somebody_is_called() {
    let prefer = PolicyKind::Prefer { of: to_reviews(), places: vec![Place::zone("east"), Place::zone("west")] };
    let Some(mut town) = Town::new(placed(), vec![prefer, checked()], Vec::new()).await else { return };
    let seen = shares(&mut town.client().await, 20).await;
    assert_eq!((of(&seen, 1), of(&seen, 2)), (10, 10), "{seen:?}");
    // Half of the place is left, and takes 1.4 times as much as that: 70 % of the calls.
    town.kill(&id("reviews", 1)).await;
    until_out(&town, 1).await;
    let seen = shares(&mut town.client().await, 400).await;
    assert_eq!(of(&seen, 2) + of(&seen, 3), 400, "{seen:?}");
    assert!((216..=344).contains(&of(&seen, 2)), "280 are expected, with a deviation of 9.2: {seen:?}");
    town.kill(&id("reviews", 2)).await;
    until_out(&town, 2).await;
    assert_eq!(shares(&mut town.client().await, 20).await, [("reviews-3".to_owned(), 20)].into());
}

#[tokio::test]
async fn a_place_without_anybody_gives_its_share_to_the_others() {
    let leg = |share, zone: &str| Destination { share: Fraction::percent(share), target: in_zone(zone) };
    let split = PolicyKind::Route { of: to_reviews(), to: vec![leg(80, "east"), leg(20, "west")] };
    let Some(mut town) = Town::new(placed(), vec![split, checked()], Vec::new()).await else { return };
    let seen = shares(&mut town.client().await, 100).await;
    // In turn, by weight: no draw.
    assert!((18..=22).contains(&of(&seen, 3)), "{seen:?}");
    assert!((38..=42).contains(&of(&seen, 1)) && (38..=42).contains(&of(&seen, 2)), "{seen:?}");
    town.kill(&id("reviews", 3)).await;
    until_out(&town, 3).await;
    let seen = shares(&mut town.client().await, 20).await;
    assert_eq!(of(&seen, 1) + of(&seen, 2), 20, "{seen:?}");
}

/// Who is new gets little at first: over the whole of its warm-up markedly less than an even share.
#[tokio::test]
async fn a_new_instance_warms_up() {
    let over = Duration::from_secs(2);
    let warm_up = PolicyKind::WarmUp { of: "reviews".into(), over };
    let Some(mut town) = Town::new(topology(&[None]), vec![warm_up], Vec::new()).await else { return };
    let mut client = town.client().await;
    // The first one is warm, too, before another comes.
    let warm = now() + over;
    while now() < warm {
        client.call("r1.warm", &[]).await;
    }
    town.boot(&[id("reviews", 2)]).await;
    town.plan.topology.services[1].instances.push(Instance::default());
    town.configure().await.unwrap();
    let half = now() + over / 2;
    let (mut all, mut new) = (0, 0);
    while now() < half {
        let (_, body) = client.call("r1.new", &[]).await;
        all += 1;
        new += usize::from(body == "reviews-2");
    }
    // A machine that stood still for the whole of that second proves nothing.
    assert!(all < 100 || new * 100 < all * 35, "{new} of {all}");
    until("it has an even share", async || {
        let seen = shares(&mut town.client().await, 40).await;
        of(&seen, 1).abs_diff(of(&seen, 2)) <= 2
    })
    .await;
}
