//! `recover` on a cluster: what runs left whose starter is gone.

use super::{failure, life, manifest::GONE};
use crate::{
    outcome::{Exit, Failure},
    settings::Settings,
    term::Out,
};
use squall_place::kubernetes::{Cluster, ClusterError};
use std::{path::Path, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How often signs of life are looked for.
const LOOK: Duration = Duration::from_millis(500);

/// Removes the namespaces of runs that nobody waits for any more, and says what it found.
pub fn leftovers(context: Option<&str>, out: Out) -> Result<Exit, Failure> {
    let settings = Settings::read(Path::new("."))?;
    let context = settings.kubernetes.context(context);
    super::seat::block_on(async {
        let cluster = Cluster::connect(context).await.map_err(|e| failure(&e))?;
        let all = cluster.namespaces_of_runs().await.map_err(|e| failure(&e))?;
        if all.is_empty() {
            out.print("nothing is left on the cluster\n");
        }
        let mut unremoved = None;
        for name in all {
            out.note(&format!(
                "{name} on {}: looking {} s for signs of life",
                cluster.server(),
                life::SILENT.as_secs()
            ));
            match remove_if_dead(&cluster, &name).await {
                Ok(true) => out.print(&format!("removed namespace {name}, with all that a run had left in it\n")),
                Ok(false) => out.print(&format!("{name}: its run is alive, and is left alone\n")),
                Err(error) => {
                    out.print(&format!("{name}: {error}\n"));
                    unremoved = Some(error);
                }
            }
        }
        match unremoved {
            None => Ok(Exit::Holds),
            Some(error) => Err(failure(&error)),
        }
    })?
}

/// What cannot be looked at is not judged.
async fn remove_if_dead(cluster: &Cluster, name: &str) -> Result<bool, ClusterError> {
    let mut watched = Watched::from(Instant::now(), life::sign(cluster, name).await?);
    loop {
        sleep_until(Instant::now() + LOOK).await;
        match watched.look(Instant::now(), life::sign(cluster, name).await?) {
            Some(true) => return Ok(false),
            Some(false) => break,
            None => {}
        }
    }
    cluster.remove_namespace(name, GONE).await.map(|()| true)
}

/// Whether the one who started a run gives signs of life: they change in time, and go on to. One may have been under way when whoever gave it
/// died, and comes after the first look.
struct Watched {
    last: Option<String>,
    has_changed: bool,
    until: Instant,
}

impl Watched {
    fn from(now: Instant, last: Option<String>) -> Watched {
        Watched { last, has_changed: false, until: now + life::SILENT }
    }

    /// The sign is this now: whether there is somebody; `None`: it is too soon to say.
    fn look(&mut self, now: Instant, sign: Option<String>) -> Option<bool> {
        if sign == self.last {
            return (now >= self.until).then_some(false);
        }
        if self.has_changed {
            return Some(true);
        }
        *self = Watched { has_changed: true, ..Watched::from(now, sign) };
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether one is taken for alive whose last sign so many seconds after the first look is this.
    fn is_alive_with(sign: impl Fn(u64) -> Option<u64>) -> bool {
        let begin = Instant::now();
        let at = |second| (begin + Duration::from_secs(second), sign(second).map(|number| number.to_string()));
        let mut watched = Watched::from(begin, at(0).1);
        (1..).map(at).find_map(|(now, sign)| watched.look(now, sign)).unwrap()
    }

    #[test]
    fn whoever_gives_signs_is_alive_and_whoever_gave_one_is_not() {
        assert!(is_alive_with(|second| Some(second / 3)));
        assert!(!is_alive_with(|_| Some(7)));
        assert!(!is_alive_with(|_| None), "one who has not given any");
        assert!(!is_alive_with(|second| Some(second.min(1))), "one that was under way");
        let late = life::SILENT.as_secs() - 1;
        let pauses = |second: u64| Some(if second < late { 0 } else { 1 + (second - late) / 3 });
        assert!(is_alive_with(pauses), "one who was held up for nearly as long as is waited");
    }
}
