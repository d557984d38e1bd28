//! How much a load run on a cluster sends, by all of its agents together.

use super::{ELSEWHERE, Limits, theirs::SAFE};
use crate::outcome::Failure;
use squall_model::duration;
use std::{collections::BTreeSet, fmt::Display, net::IpAddr, time::Duration};

impl Limits {
    /// Refuses a load run that goes beyond them: so many calls in its fullest second, which is not known where the answers decide it, by so
    /// many users who wait for their answers, for so long.
    ///
    /// # Errors
    /// Exit 2, with the line that refuses it.
    pub fn refuse_load(&self, peak: Option<f64>, users: Option<u32>, length: Duration) -> Result<(), Failure> {
        if let Some(limit) = &self.rate {
            match peak {
                Some(peak) if peak <= f64::from(limit.value) => {}
                Some(peak) => return beyond(&format!("{peak:.0} calls are sent per second"), limit),
                None => return beyond("how many calls are sent per second is up to the answers", limit),
            }
        }
        match (&self.users, users) {
            (Some(limit), Some(users)) if users > limit.value => return beyond(&format!("{users} users call"), limit),
            _ => {}
        }
        match &self.duration {
            Some(limit) if length > limit.value => beyond(&format!("calls are sent for {}", duration(length)), limit),
            _ => Ok(()),
        }
    }

    /// Refuses one that goes where applications may not be joined, or by methods that nobody has permitted. Where that is not limited whoever
    /// typed the command line has spelled it out. A `host` is a name of the cluster, `reviews.shop`, with or without its port and what comes after
    /// the namespace.
    ///
    /// # Errors
    /// Exit 2, with the line that refuses it.
    pub fn refuse_target(&self, host: &str, methods: &BTreeSet<String>) -> Result<(), Failure> {
        if let Some(limit) = &self.applications {
            let Some(namespace) = namespace(host) else {
                return beyond(&format!("in which namespace `{host}` is nobody can tell"), limit);
            };
            if !limit.value.iter().any(|one| one == namespace) {
                return beyond(&format!("`{host}` is in namespace {namespace}"), limit);
            }
        }
        let Some(limit) = &self.methods else { return Ok(()) };
        let is_permitted =
            |method: &String| SAFE.contains(&method.as_str()) || limit.value.iter().any(|one| one == method);
        match methods.iter().find(|method| !is_permitted(method)) {
            Some(method) => beyond(&format!("{method} may change what somebody else deployed"), limit),
            None if methods.is_empty() => beyond("bytes may change what somebody else deployed", limit),
            None => Ok(()),
        }
    }
}

fn beyond(what: &str, limit: &dyn Display) -> Result<(), Failure> {
    Err(Failure::usage(format!("{what}, and on a cluster that is beyond {limit}")).help(ELSEWHERE))
}

/// The namespace of a name of the cluster (Kubernetes: DNS for Services and Pods), where it says one: `SERVICE.NAMESPACE`, `….svc` or
/// `….svc.cluster.local`. Of other names of three words and more nobody can tell whether they are the cluster's own.
fn namespace(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if host.starts_with('[') || name.parse::<IpAddr>().is_ok() {
        return None;
    }
    match name.split('.').collect::<Vec<_>>()[..] {
        [_, namespace]
        | [_, namespace, "svc"]
        | [_, namespace, "svc", "cluster", "local"]
        | [_, namespace, "svc", "cluster", "local", ""]
            if !namespace.is_empty() =>
        {
            Some(namespace)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::limits;
    use std::time::Duration;

    #[test]
    fn a_load_run_is_limited_as_a_traffic_line_is() {
        let limits = limits("rate = 100\nusers = 5\nduration = \"1 min\"");
        let second = Duration::from_secs(1);
        let told = |peak, users, length| limits.refuse_load(peak, users, length).err().map(|why| why.to_string());
        assert_eq!(told(Some(100.0), Some(5), 60 * second), None);
        let all = [
            told(Some(101.0), None, second),
            told(None, Some(5), second),
            told(Some(1.0), Some(6), second),
            told(Some(1.0), None, 61 * second),
        ];
        let all: Vec<String> = all.into_iter().flatten().map(|why| why.lines().next().unwrap().to_owned()).collect();
        insta::assert_snapshot!(all.join("\n"), @r#"
        101 calls are sent per second, and on a cluster that is beyond `rate = 100` (squall.toml:3)
        how many calls are sent per second is up to the answers, and on a cluster that is beyond `rate = 100` (squall.toml:3)
        6 users call, and on a cluster that is beyond `users = 5` (squall.toml:4)
        calls are sent for 61 s, and on a cluster that is beyond `duration = "1 min"` (squall.toml:5)
        "#);
        assert!(super::Limits::default().refuse_load(None, Some(1_000), 3_600 * second).is_ok());
    }

    #[test]
    fn a_load_run_goes_where_and_how_applications_may_be_called() {
        let limits = limits("applications = [\"shop\"]\nmethods = [\"POST\"]");
        let told = |host: &str, methods: &[&str]| {
            let methods = methods.iter().map(|method| (*method).to_owned()).collect();
            limits.refuse_target(host, &methods).err().map(|why| why.to_string())
        };
        for host in ["reviews.shop", "reviews.shop:9080", "reviews.shop.svc", "reviews.shop.svc.cluster.local.:80"] {
            assert_eq!(told(host, &["GET", "HEAD", "POST"]), None, "{host}");
        }
        let all = [
            told("reviews.bank", &["GET"]),
            told("reviews", &["GET"]),
            told("10.0.0.7:80", &["GET"]),
            told("[fd00::7]:80", &["GET"]),
            told("reviews.shop.svc.example.com", &["GET"]),
            told("reviews.shop.", &["GET"]),
            told("reviews.shop", &["GET", "DELETE"]),
            told("reviews.shop", &[]),
        ];
        let all: Vec<String> = all.into_iter().map(|why| why.unwrap().lines().next().unwrap().to_owned()).collect();
        insta::assert_snapshot!(all.join("\n"), @r#"
        `reviews.bank` is in namespace bank, and on a cluster that is beyond `applications = ["shop"]` (squall.toml:3)
        in which namespace `reviews` is nobody can tell, and on a cluster that is beyond `applications = ["shop"]` (squall.toml:3)
        in which namespace `10.0.0.7:80` is nobody can tell, and on a cluster that is beyond `applications = ["shop"]` (squall.toml:3)
        in which namespace `[fd00::7]:80` is nobody can tell, and on a cluster that is beyond `applications = ["shop"]` (squall.toml:3)
        in which namespace `reviews.shop.svc.example.com` is nobody can tell, and on a cluster that is beyond `applications = ["shop"]` (squall.toml:3)
        in which namespace `reviews.shop.` is nobody can tell, and on a cluster that is beyond `applications = ["shop"]` (squall.toml:3)
        DELETE may change what somebody else deployed, and on a cluster that is beyond `methods = ["POST"]` (squall.toml:4)
        bytes may change what somebody else deployed, and on a cluster that is beyond `methods = ["POST"]` (squall.toml:4)
        "#);
        assert!(super::Limits::default().refuse_target("10.0.0.7", &["DELETE".to_owned()].into()).is_ok());
    }
}
