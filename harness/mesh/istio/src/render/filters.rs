//! What Istio has no objects for, as patches of what it renders (networking/v1alpha3/envoy_filter.proto): logs in our form, fault
//! filters that stand at 0 % from the beginning, and the probes.
//!
//! A listener that changes drains its connections, so what is in one stays as it is for a whole scenario: the filters are the
//! same in every proxy, faults are steered by the runtime, and what changes is in routes and clusters.

use super::{
    Edge, INSTANCE, Site,
    objects::{Object, seconds},
    workloads::selector,
};
use serde_json::{Value, json};
use squall_mesh_proxy::{
    logs,
    render::{self as table, Action, Condition, FaultSlot, Matched, PROBE, RouteTable, SLOTS, SlotTouch, slot_name},
};
use squall_model::{AnswerCode, InstanceId, Side};
use std::path::Path;

const MANAGER: &str = "envoy.filters.network.http_connection_manager";
const ROUTER: &str = "envoy.filters.http.router";

fn type_url(name: &str) -> String {
    format!("type.googleapis.com/{name}")
}

fn context(side: Side) -> &'static str {
    match side {
        Side::Outbound => "SIDECAR_OUTBOUND",
        Side::Inbound => "SIDECAR_INBOUND",
    }
}

/// Logs, fault filters and neutral settings, the same in every proxy.
pub(super) fn of_every_proxy(site: &Site) -> Object {
    let sides = [Side::Outbound, Side::Inbound];
    let mut patches: Vec<Value> = sides.into_iter().map(|side| manager(side, site)).collect();
    patches.push(tries(site));
    patches.extend(sides.into_iter().flat_map(|side| (0..SLOTS).map(move |slot| fault_filter(side, slot))));
    patches.push(clusters());
    patches.push(rest());
    patches.push(no_retries_of_tries());
    Object::new("EnvoyFilter", "every-proxy", json!({"configPatches": patches}))
}

/// The connection manager of one side.
fn manager(side: Side, site: &Site) -> Value {
    let (prefix, file) = match side {
        Side::Outbound => ("out", logs::outbound(&site.logs)),
        Side::Inbound => ("in", logs::inbound(&site.logs)),
    };
    let config = json!({
        "@type": type_url("envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": prefix,
        "access_log": [log(&file, logs::format(side))],
        "preserve_external_request_id": true,
        "stream_idle_timeout": "0s",
        "request_timeout": "0s",
        "skip_xff_append": true,
    });
    json!({
        "applyTo": "NETWORK_FILTER",
        "match": {"context": context(side), "listener": {"filterChain": {"filter": {"name": MANAGER}}}},
        "patch": {"operation": "MERGE", "value": {"name": MANAGER, "typed_config": config}},
    })
}

/// A line for each try, in the file of the calls.
fn tries(site: &Site) -> Value {
    let config = json!({
        "@type": type_url("envoy.extensions.filters.http.router.v3.Router"),
        "upstream_log": [log(&logs::outbound(&site.logs), logs::TRY)],
    });
    json!({
        "applyTo": "HTTP_FILTER",
        "match": before_router(Side::Outbound),
        "patch": {"operation": "MERGE", "value": {"name": ROUTER, "typed_config": config}},
    })
}

fn log(file: &Path, fields: &[(&str, &str)]) -> Value {
    let fields: serde_json::Map<String, Value> =
        fields.iter().map(|(name, format)| ((*name).to_owned(), json!(format))).collect();
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": type_url("envoy.extensions.access_loggers.file.v3.FileAccessLog"),
            "path": file.display().to_string(),
            "log_format": {"json_format": fields},
        },
    })
}

fn before_router(side: Side) -> Value {
    let filter = json!({"name": MANAGER, "subFilter": {"name": ROUTER}});
    json!({"context": context(side), "listener": {"filterChain": {"filter": filter}}})
}

const FAULT: &str = "envoy.extensions.filters.http.fault.v3.HTTPFault";

fn fault_filter(side: Side, slot: usize) -> Value {
    insert(side, &json!({"name": slot_name(slot), "typed_config": {"@type": type_url(FAULT)}}))
}

/// A filter of HTTP before the router; of several the first stands first.
pub(crate) fn insert(side: Side, filter: &Value) -> Value {
    json!({
        "applyTo": "HTTP_FILTER",
        "match": before_router(side),
        "patch": {"operation": "INSERT_BEFORE", "value": filter},
    })
}

/// Changes of hosts are taken over at once: by default those within a second come together, and the second ejection of that
/// second comes late. No DestinationRule can say so.
fn clusters() -> Value {
    json!({
        "applyTo": "CLUSTER",
        "match": {"context": "SIDECAR_OUTBOUND"},
        "patch": {"operation": "MERGE", "value": {"common_lb_config": {"update_merge_window": "0.001s"}}},
    })
}

/// How much of the time limit of its caller is left is no business of a workload's, unless a line says that it is.
fn rest() -> Value {
    json!({
        "applyTo": "VIRTUAL_HOST",
        "match": inbound_host(),
        "patch": {"operation": "MERGE", "value": {"request_headers_to_remove": [table::REST]}},
    })
}

/// Istio has a callee's proxy try its own workload again where the connection fails. A policy that names statuses, and no status, never
/// retries; a number of none would be taken for unsaid.
fn no_retries_of_tries() -> Value {
    json!({
        "applyTo": "HTTP_ROUTE",
        "match": inbound_host(),
        "patch": {"operation": "MERGE", "value": {"route": {"retry_policy": {"retry_on": "retriable-status-codes"}}}},
    })
}

/// The virtual host by which tries go to the workload.
fn inbound_host() -> Value {
    let name = format!("inbound|http|{}", crate::INBOUND);
    json!({"context": "SIDECAR_INBOUND", "routeConfiguration": {"vhost": {"name": name}}})
}

/// What calls of this edge have of ours: faults, and hosts by which the service is called beside its own name. Nothing where there is
/// neither.
pub(super) fn of_calls(edge: &Edge<'_>) -> Option<Object> {
    let host = edge.proxy.outbound.hosts.iter().find(|host| host.name == edge.to.as_str())?;
    let name = edge.address().virtual_host();
    let mut value = json!({});
    if !host.faults.is_empty() {
        value["typed_per_filter_config"] = slots(&host.faults);
    }
    // By a port that is not the protocol's own a service has its name only where the port is named, too; one of another namespace
    // has it not at all.
    let is_ours = edge.deployed.is_none() && edge.site.is_own_port();
    let is_known = |domain: &str| is_ours && is_own_name(domain, edge.to.as_str());
    let own: Vec<&String> = host.domains.iter().filter(|domain| !is_known(domain)).collect();
    if !own.is_empty() {
        value["domains"] = json!(own);
    }
    let filter = |value| {
        let patch = json!({
            "applyTo": "VIRTUAL_HOST",
            "match": {"context": "SIDECAR_OUTBOUND", "routeConfiguration": {"vhost": {"name": name}}},
            "patch": {"operation": "MERGE", "value": value},
        });
        let spec = json!({"workloadSelector": selector("app", edge.caller.name.as_str()), "configPatches": [patch]});
        Object::new("EnvoyFilter", format!("calls.{}.to.{}", edge.caller.name, edge.to), spec)
    };
    (value != json!({})).then(|| filter(value))
}

/// Istio knows a service by its own name without being told.
fn is_own_name(domain: &str, service: &str) -> bool {
    domain == service || domain.strip_suffix(":*") == Some(service)
}

/// The faults on tries that reach this instance, where there are any.
pub(super) fn faults_of_tries(id: &InstanceId, inbound: &RouteTable) -> Option<Object> {
    let host = inbound.hosts.iter().find(|host| !host.faults.is_empty())?;
    let patch = json!({
        "applyTo": "VIRTUAL_HOST",
        "match": inbound_host(),
        "patch": {"operation": "MERGE", "value": {"typed_per_filter_config": slots(&host.faults)}},
    });
    let spec = json!({"workloadSelector": selector(INSTANCE, &id.to_string()), "configPatches": [patch]});
    Some(Object::new("EnvoyFilter", format!("tries.{id}"), spec))
}

/// Each fault replaces the empty configuration of its slot, whole.
fn slots(slots: &[FaultSlot]) -> Value {
    slots.iter().enumerate().map(|(n, slot)| (slot_name(n), fault(slot))).collect::<serde_json::Map<_, _>>().into()
}

/// At 0 % until its runtime key says otherwise (extensions/filters/http/fault/v3/fault.proto). Keys that are not ours are named
/// too, lest Envoy fall back to global ones.
fn fault(slot: &FaultSlot) -> Value {
    let headers: Vec<Value> = slot.only.iter().map(header).collect();
    let mut fault = json!({
        "@type": type_url(FAULT),
        "headers": headers,
        "abort_http_status_runtime": "squall.unset",
        "abort_percent_runtime": "squall.unset",
        "delay_percent_runtime": "squall.unset",
        "delay_duration_runtime": "squall.unset",
    });
    match slot.does {
        SlotTouch::Abort(status) => {
            fault["abort"] = match status {
                AnswerCode::Status(status) => json!({"percentage": never(), "http_status": status}),
                AnswerCode::Grpc(status) => json!({"percentage": never(), "grpc_status": status.number()}),
            };
            fault["abort_percent_runtime"] = json!(slot.key);
        }
        SlotTouch::Delay(time) => {
            fault["delay"] = json!({"percentage": never(), "fixed_delay": seconds(time)});
            fault["delay_percent_runtime"] = json!(slot.key);
        }
    }
    fault
}

fn never() -> Value {
    json!({"numerator": 0, "denominator": "MILLION"})
}

/// A condition as a match of a header or pseudo-header.
fn header(condition: &Condition) -> Value {
    let (name, matched) = condition.header();
    match matched {
        Matched::Present => json!({"name": name, "present_match": true}),
        Matched::Exactly(value) => json!({"name": name, "string_match": {"exact": value}}),
        Matched::Regex(regex) => json!({"name": name, "string_match": {"safe_regex": {"regex": regex}}}),
    }
}

/// The probes of every inbound listener, which answer by this name.
pub(super) fn inbound_probes(version: &str) -> Object {
    probes("inbound-probes", Side::Inbound, version)
}

/// What the probes of outbound listeners are called.
pub(super) const OUTBOUND_PROBES: &str = "outbound-probes";

/// The probes of every outbound listener, which answer by this name.
pub(super) fn outbound_probes(version: &str) -> Object {
    probes(OUTBOUND_PROBES, Side::Outbound, version)
}

fn probes(name: &str, side: Side, version: &str) -> Object {
    let host = table::probes();
    let routes: Vec<Value> = host
        .routes
        .iter()
        .map(|route| {
            let path = match (&route.when.path, &route.when.prefix) {
                (Some(path), _) => json!({"path": path}),
                (None, prefix) => json!({"prefix": prefix.as_deref().unwrap_or("/")}),
            };
            let mut matching = path;
            if let Some(key) = &route.when.runtime {
                matching["runtime_fraction"] = json!({"default_value": never(), "runtime_key": key});
            }
            let (status, body) = match &route.then {
                Action::Answer { status, body } => (*status, body.as_str()),
                Action::AnswerVersion | Action::Forward(_) => (200, version),
            };
            let mut answer = json!({"status": status});
            if !body.is_empty() {
                answer["body"] = json!({"inline_string": body});
            }
            json!({"match": matching, "direct_response": answer})
        })
        .collect();
    let value = json!({"name": PROBE, "domains": [PROBE], "routes": routes});
    let patch = json!({
        "applyTo": "VIRTUAL_HOST",
        "match": {"context": context(side)},
        "patch": {"operation": "ADD", "value": value},
    });
    Object::new("EnvoyFilter", name, json!({"configPatches": [patch]}))
}
