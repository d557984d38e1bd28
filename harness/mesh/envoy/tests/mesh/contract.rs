//! The contract of the port, on real proxies: every case on the same ones, one after another, as scenarios follow one another.

use crate::town::{Town, id, soon};
use nix::sys::signal::Signal;
use squall_mesh::{
    Bindings,
    testing::{Call, Ground, Seen, Trouble, cases, check, check_trouble},
};
use squall_mesh_envoy::{Envoy, now};
use squall_model::{Filter, InstanceId, Stamp, Topology};
use std::time::Duration;

/// How long a proxy is waited for that is known not to answer.
const SHORT: Duration = Duration::from_millis(300);

struct EnvoyGround {
    town: Town,
    cases: u32,
    calls: u32,
}

impl EnvoyGround {
    async fn new() -> Option<EnvoyGround> {
        let town = Town::new(Topology::default(), Vec::new(), Vec::new()).await?;
        Some(EnvoyGround { town, cases: 0, calls: 0 })
    }

    /// The same proxies for another case.
    fn turn_the_page(&mut self) {
        self.cases += 1;
        self.town.at.tag = format!("c{}", self.cases);
        self.town.workloads.values().for_each(|workload| workload.answer(200, Duration::ZERO));
    }
}

impl Ground for EnvoyGround {
    type Mesh = Envoy;

    fn mesh(&self) -> &Envoy {
        &self.town.mesh
    }

    fn soon(&self) -> Stamp {
        soon()
    }

    fn shortly(&self) -> Stamp {
        now() + SHORT
    }

    async fn place(&mut self, topology: &Topology) -> Bindings {
        self.town.plan.topology = topology.clone();
        let wanted: Vec<InstanceId> = topology.instances().map(|(id, ..)| id).collect();
        let missing: Vec<InstanceId> =
            wanted.iter().filter(|id| !self.town.at.seats.contains_key(id)).cloned().collect();
        self.town.boot(&missing).await;
        let mut at = self.town.at.clone();
        at.seats.retain(|id, _| wanted.contains(id));
        at
    }

    fn answer(&mut self, instance: &InstanceId, status: u16, after: Duration) {
        self.town.workloads[instance].answer(status, after);
    }

    async fn call(&mut self, call: &Call) -> Seen {
        self.calls += 1;
        let name = format!("contract.{}", self.calls);
        let Filter { path, host, query, method, header, user } = &call.with;
        let mut headers: Vec<(&str, &str)> =
            header.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        headers.extend(user.as_deref().map(|user| ("x-squall-user", user)));
        let path = path.as_deref().unwrap_or("/");
        let path = query.as_ref().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let host = host.as_deref().unwrap_or(call.to.as_str());
        let method = method.as_deref().unwrap_or("GET");
        let mut client = self.town.client_of(&call.from).await;
        let sent = now();
        let (status, _) = client.send(method, host, &path, &name, &headers).await;
        let took = now().since(sent);
        let mut tries = Vec::new();
        for (instance, workload) in &self.town.workloads {
            let served = workload.served().into_iter().filter(|served| served.id == name);
            tries.extend(served.map(|served| (served.attempt, instance.clone())));
        }
        tries.sort();
        Seen { status, tries: tries.into_iter().map(|(_, instance)| instance).collect(), took }
    }

    async fn bring(&mut self, instance: &InstanceId, trouble: Trouble) -> bool {
        match trouble {
            Trouble::Paused => self.town.signal(instance, Signal::SIGSTOP),
            Trouble::Dead => self.town.kill(instance).await,
            // No real proxy does that of its own accord: `change` sends it something that it must refuse.
            Trouble::Refusing | Trouble::Lying => return false,
        }
        true
    }

    async fn relieve(&mut self, instance: &InstanceId) {
        self.town.signal(instance, Signal::SIGCONT);
    }
}

#[tokio::test]
async fn every_case_of_the_contract_holds() {
    let Some(mut ground) = EnvoyGround::new().await else { return };
    let mut broken = Vec::new();
    for case in cases() {
        ground.turn_the_page();
        if let Err(why) = check(&mut ground, &case).await {
            broken.push(format!("{}: {why}", case.name));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[tokio::test]
async fn a_proxy_in_trouble_is_named_and_what_it_missed_comes_to_it_later() {
    for trouble in [Trouble::Paused, Trouble::Dead] {
        for victim in [id("web", 1), id("reviews", 2)] {
            let Some(mut ground) = EnvoyGround::new().await else { return };
            ground.turn_the_page();
            assert_eq!(check_trouble(&mut ground, &victim, trouble).await, Ok(true), "{victim} {trouble:?}");
        }
    }
}
