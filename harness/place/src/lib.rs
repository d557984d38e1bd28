//! Where processes live: the keeper, supervision, pools, and Envoy's provisioning.
