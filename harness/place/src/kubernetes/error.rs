//! What a cluster answers when it does not do what it was asked, as people can act on it.

use thiserror::Error;

/// Why something cannot be done on a cluster.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// There is nothing that says where the cluster is.
    #[error("no cluster to be had: {0}")]
    NoConfig(String),
    /// The API server does not answer.
    #[error("the API server cannot be reached: {0}")]
    Unreachable(String),
    /// It does not know who we are.
    #[error("the API server does not accept our credentials ({0}): a token may have expired")]
    Unauthorized(String),
    /// It knows who we are, and that we may not.
    #[error("not permitted: {0}")]
    Forbidden(String),
    /// There are no objects of this kind on the cluster.
    #[error("the cluster knows no {kind} ({api}): the mesh's definitions are not installed")]
    NoSuchKind {
        /// `VirtualService`.
        kind: String,
        /// `networking.istio.io/v1`.
        api: String,
    },
    /// A quota is used up.
    #[error("a quota is exceeded: {0}")]
    Quota(String),
    /// A webhook of the cluster's refuses.
    #[error("a webhook refuses: {0}")]
    Webhook(String),
    /// The namespace is being deleted.
    #[error("the namespace is being deleted: {0}")]
    Terminating(String),
    /// Another refusal, in the API server's own words.
    #[error("{what}: {words}")]
    Refused {
        /// What was asked.
        what: String,
        /// The answer.
        words: String,
    },
    /// A pod that is not as it has to be.
    #[error("pod {pod}: {why}")]
    Pod {
        /// Its name.
        pod: String,
        /// Why.
        why: String,
    },
    /// Something took longer than it may.
    #[error("{what} took longer than {limit:?}")]
    Late {
        /// What.
        what: String,
        /// How long it may take.
        limit: std::time::Duration,
    },
}

impl ClusterError {
    /// Whether it may be otherwise in a moment.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, ClusterError::Unreachable(_))
    }

    /// Whether there is no such object.
    pub(super) fn is_missing(error: &kube::Error) -> bool {
        matches!(error, kube::Error::Api(status) if status.code == 404)
    }

    pub(super) fn of(what: &str, error: kube::Error) -> ClusterError {
        match error {
            kube::Error::Api(status) => ClusterError::answered(what, status.code, &status.message),
            kube::Error::InferConfig(why) => ClusterError::NoConfig(why.to_string()),
            kube::Error::Auth(why) => ClusterError::Unauthorized(why.to_string()),
            other => ClusterError::Unreachable(innermost(&other)),
        }
    }

    fn answered(what: &str, code: u16, message: &str) -> ClusterError {
        let words = message.to_owned();
        match code {
            401 => ClusterError::Unauthorized(words),
            _ if message.contains("is being terminated") => ClusterError::Terminating(words),
            _ if message.contains("exceeded quota") => ClusterError::Quota(words),
            _ if message.contains("admission webhook") || message.contains("failed calling webhook") => {
                ClusterError::Webhook(words)
            }
            403 => ClusterError::Forbidden(words),
            // An object that is not as its kind is: no hiccup, whatever its status.
            500 if message.contains("typed patch object") => ClusterError::Refused { what: what.to_owned(), words },
            // A budget that does not allow it now is its owners' word, and no hiccup.
            429 if message.contains("disruption budget") => ClusterError::Refused { what: what.to_owned(), words },
            429 | 500..=599 => ClusterError::Unreachable(words),
            _ => ClusterError::Refused { what: what.to_owned(), words },
        }
    }
}

/// What lies behind all the wrapping.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart() {
        let of = |code, message: &str| ClusterError::answered("make it", code, message);
        assert!(matches!(of(401, "Unauthorized"), ClusterError::Unauthorized(_)));
        assert!(matches!(of(403, "pods is forbidden: User \"a\" cannot create"), ClusterError::Forbidden(_)));
        let quota = "pods \"p0\" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1";
        assert!(matches!(of(403, quota), ClusterError::Quota(_)));
        let ending = "unable to create new content in namespace squall-1 because it is being terminated";
        assert!(matches!(of(403, ending), ClusterError::Terminating(_)));
        let webhook = "admission webhook \"no.example\" denied the request: not today";
        assert!(matches!(of(400, webhook), ClusterError::Webhook(_)));
        let untyped = "failed to create typed patch object (n/a; v1): .spec.http: field not declared in schema";
        assert!(matches!(of(500, untyped), ClusterError::Refused { .. }));
        let budget = "Cannot evict pod as it would violate the pod's disruption budget.";
        assert!(matches!(of(429, budget), ClusterError::Refused { .. }));
        assert!(of(429, "too many requests").is_passing());
        assert!(of(503, "etcdserver: leader changed").is_passing());
        assert!(matches!(of(422, "is invalid"), ClusterError::Refused { .. }));
    }
}
