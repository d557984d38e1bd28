//! The two listeners of a proxy (config/listener/v3, HttpConnectionManager): the same for its whole life.

use super::{
    any,
    cluster::{address, by_ads},
    duration, number, texts,
};
use envoy_types::pb::{
    envoy::{
        config::{
            accesslog::v3::{AccessLog, access_log},
            core::v3::{CidrRange, HttpProtocolOptions, SubstitutionFormatString, substitution_format_string::Format},
            listener::v3::{Filter, FilterChain, Listener, filter::ConfigType},
        },
        extensions::{
            access_loggers::file::v3::{FileAccessLog, file_access_log::AccessLogFormat},
            filters::{
                http::{fault::v3::HttpFault, router::v3::Router},
                network::http_connection_manager::v3::{
                    HttpConnectionManager, HttpFilter, Rds,
                    http_connection_manager::{InternalAddressConfig, RouteSpecifier, ServerHeaderTransformation},
                    http_filter::ConfigType as HttpConfigType,
                },
            },
        },
    },
    google::protobuf::BoolValue,
};
use squall_mesh_proxy::{
    logs, outbound_socket,
    render::{SLOTS, slot_name},
};
use squall_model::Side;
use std::{net::SocketAddr, path::Path, time::Duration};

pub(super) fn outbound(folder: &Path) -> Listener {
    let at = squall_mesh::Endpoint::Unix(outbound_socket(folder));
    // Upstream log and access log share a file: only within one file is the order of lines the order of events.
    let path = logs::outbound(folder);
    let router = Router { upstream_log: vec![log(&path, logs::TRY)], ..Router::default() };
    listener("outbound", &at, manager("outbound", "out", &router, log(&path, logs::format(Side::Outbound))))
}

pub(super) fn inbound(folder: &Path) -> Listener {
    // Port 0: the kernel chooses, the proxy tells, and it keeps the port for its whole life.
    let at = squall_mesh::Endpoint::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)));
    let log = log(&logs::inbound(folder), logs::format(Side::Inbound));
    let manager = HttpConnectionManager {
        // Those who come over loopback are callers' proxies: what they say of their own (how much time is left) is believed,
        // and not taken away as from strangers. What their clients said of the kind they have taken away themselves.
        use_remote_address: Some(BoolValue { value: true }),
        internal_address_config: Some(InternalAddressConfig {
            cidr_ranges: vec![CidrRange { address_prefix: "127.0.0.0".into(), prefix_len: number(8) }],
            ..InternalAddressConfig::default()
        }),
        ..manager("inbound", "in", &Router::default(), log)
    };
    listener("inbound", &at, manager)
}

fn manager(routes: &str, prefix: &str, router: &Router, log: AccessLog) -> HttpConnectionManager {
    let never = Some(duration(Duration::ZERO));
    let slots = (0..SLOTS).map(|n| filter(&slot_name(n), any(&HttpFault::default())));
    HttpConnectionManager {
        stat_prefix: prefix.to_owned(),
        route_specifier: Some(RouteSpecifier::Rds(Rds {
            route_config_name: routes.to_owned(),
            config_source: Some(by_ads()),
        })),
        http_filters: slots.chain([filter("envoy.filters.http.router", any(router))]).collect(),
        access_log: vec![log],
        // Neutral: what a scenario does not say, a proxy does not do.
        stream_idle_timeout: never,
        request_timeout: never,
        common_http_protocol_options: Some(HttpProtocolOptions {
            idle_timeout: never,
            ..HttpProtocolOptions::default()
        }),
        preserve_external_request_id: true,
        generate_request_id: Some(BoolValue { value: true }),
        skip_xff_append: true,
        server_header_transformation: ServerHeaderTransformation::PassThrough as i32,
        ..HttpConnectionManager::default()
    }
}

fn listener(name: &str, at: &squall_mesh::Endpoint, manager: HttpConnectionManager) -> Listener {
    let chain = Filter { name: "http".into(), config_type: Some(ConfigType::TypedConfig(any(&manager))) };
    Listener {
        name: name.to_owned(),
        stat_prefix: manager.stat_prefix,
        address: Some(address(at)),
        filter_chains: vec![FilterChain { filters: vec![chain], ..FilterChain::default() }],
        ..Listener::default()
    }
}

fn filter(name: &str, config: envoy_types::pb::google::protobuf::Any) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        config_type: Some(HttpConfigType::TypedConfig(config)),
        ..HttpFilter::default()
    }
}

fn log(path: &Path, fields: &[(&str, &str)]) -> AccessLog {
    let fields = texts(fields.iter().map(|(name, format)| ((*name).to_owned(), (*format).to_owned())));
    let format =
        SubstitutionFormatString { format: Some(Format::JsonFormat(fields)), ..SubstitutionFormatString::default() };
    let config =
        FileAccessLog { path: path.display().to_string(), access_log_format: Some(AccessLogFormat::LogFormat(format)) };
    AccessLog {
        name: "envoy.access_loggers.file".into(),
        config_type: Some(access_log::ConfigType::TypedConfig(any(&config))),
        ..AccessLog::default()
    }
}
