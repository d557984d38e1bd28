//! Outlier detection (outlier_detection.proto) and active checks (health_check.proto).

use super::super::{any, duration, number};
use envoy_types::pb::{
    envoy::{
        config::{
            cluster::v3::OutlierDetection,
            core::v3::{
                HealthCheck, TypedExtensionConfig,
                health_check::{GrpcHealthCheck, HealthChecker, HttpHealthCheck, TcpHealthCheck},
            },
        },
        extensions::health_check::event_sinks::file::v3::HealthCheckEventFileSink,
        r#type::v3::{CodecClientType, Int64Range},
    },
    google::protobuf::BoolValue,
};
use squall_mesh_proxy::{
    logs,
    render::{Check, Outlier, SWEEP},
};
use squall_model::Probe;
use std::{path::Path, time::Duration};

/// The longest that a check is waited for.
const ANSWER: Duration = Duration::from_secs(1);

pub(super) fn outlier(config: &Outlier, own_defaults: bool) -> OutlierDetection {
    let said = OutlierDetection {
        consecutive_5xx: number(config.after),
        interval: Some(duration(SWEEP)),
        base_ejection_time: Some(duration(config.lasts)),
        max_ejection_percent: config.at_most_percent.and_then(number),
        ..OutlierDetection::default()
    };
    if own_defaults {
        return said;
    }
    let off = Some(BoolValue { value: false });
    OutlierDetection {
        enforcing_consecutive_5xx: number(100),
        max_ejection_time_jitter: Some(duration(Duration::ZERO)),
        // Everything else that could eject is off, and a check that passes ends no ejection.
        enforcing_consecutive_gateway_failure: number(0),
        enforcing_success_rate: number(0),
        enforcing_failure_percentage: number(0),
        always_eject_one_host: off,
        successful_active_health_check_uneject_host: off,
        ..said
    }
}

pub(super) fn check(config: &Check, http2: bool, folder: &Path) -> HealthCheck {
    let sink = HealthCheckEventFileSink { event_log_path: logs::checks(folder).display().to_string() };
    let logger =
        TypedExtensionConfig { name: "envoy.health_check.event_sink.file".into(), typed_config: Some(any(&sink)) };
    HealthCheck {
        timeout: Some(duration(config.every.min(ANSWER))),
        interval: Some(duration(config.every)),
        // Left out it is 60 s, until there is traffic.
        no_traffic_interval: Some(duration(config.every)),
        unhealthy_threshold: number(config.out_after),
        healthy_threshold: number(config.back_after),
        health_checker: Some(checker(config, http2)),
        event_logger: vec![logger],
        always_log_health_check_failures: true,
        ..HealthCheck::default()
    }
}

fn checker(config: &Check, http2: bool) -> HealthChecker {
    match &config.by {
        Probe::Http(path) => HealthChecker::HttpHealthCheck(HttpHealthCheck {
            host: config.host.clone(),
            path: path.clone(),
            codec_client_type: if http2 { CodecClientType::Http2 } else { CodecClientType::Http1 } as i32,
            // 200 passes; any other status is a failure to be counted, and would else be one too many at once.
            retriable_statuses: vec![Int64Range { start: 100, end: 200 }, Int64Range { start: 201, end: 600 }],
            ..HttpHealthCheck::default()
        }),
        Probe::Grpc => HealthChecker::GrpcHealthCheck(GrpcHealthCheck {
            authority: config.host.clone(),
            ..GrpcHealthCheck::default()
        }),
        Probe::Tcp => HealthChecker::TcpHealthCheck(TcpHealthCheck::default()),
    }
}
