//! What load generators say of their runs, each in its own form.

use serde_json::Value;
use std::time::Duration;

/// Percentiles as reported. What a tool does not say is missing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) p50: Option<Duration>,
    pub(crate) p99: Option<Duration>,
    pub(crate) max: Option<Duration>,
}

/// `fortio load -json -`, and `squall load --format json`.
pub(crate) fn fortio(text: &str) -> Said {
    let Some(json) = json(text) else { return Said::default() };
    let histogram = &json["DurationHistogram"];
    let percentile = |percent: f64| {
        let all = histogram["Percentiles"].as_array()?;
        seconds(&all.iter().find(|p| p["Percentile"].as_f64() == Some(percent))?["Value"])
    };
    Said { p50: percentile(50.0), p99: percentile(99.0), max: seconds(&histogram["Max"]) }
}

pub(crate) fn oha(text: &str) -> Said {
    let Some(json) = json(text) else { return Said::default() };
    let percentiles = &json["latencyPercentiles"];
    Said {
        p50: seconds(&percentiles["p50"]),
        p99: seconds(&percentiles["p99"]),
        max: seconds(&json["summary"]["slowest"]),
    }
}

/// `vegeta report -type json`: nanoseconds.
pub(crate) fn vegeta(text: &str) -> Said {
    let Some(json) = json(text) else { return Said::default() };
    let latency = |name: &str| json["latencies"][name].as_u64().map(Duration::from_nanos);
    Said { p50: latency("50th"), p99: latency("99th"), max: latency("max") }
}

/// `k6 run --summary-export`: milliseconds.
pub(crate) fn k6(text: &str) -> Said {
    let Some(json) = json(text) else { return Said::default() };
    let millis = |name: &str| {
        let value = json["metrics"]["http_req_duration"][name].as_f64()?;
        Duration::try_from_secs_f64(value / 1_000.0).ok()
    };
    Said { p50: millis("med"), p99: millis("p(99)"), max: millis("max") }
}

/// `wrk --latency`: `     99%    1.27ms`, and `    Latency   455.66us  197.11us   6.77ms   91.37%`.
pub(crate) fn wrk(text: &str) -> Said {
    let at = |name: &str, nth: usize| {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(name))?;
        with_unit(line.split_whitespace().nth(nth)?)
    };
    Said { p50: at("50%", 1), p99: at("99%", 1), max: at("Latency  ", 3) }
}

/// `time for request:    105us   5.66ms   1.02ms …`: least, most, mean; newer releases name percentiles.
pub(crate) fn h2load(text: &str) -> Said {
    let mut lines = text.lines().map(str::trim);
    let line = lines.by_ref().find_map(|line| line.strip_prefix("time for request:").or(line.strip_prefix("request")));
    let heading = text.lines().find(|line| line.contains("median") || line.contains("p99"));
    let values: Vec<_> = line.into_iter().flat_map(|line| line.trim_matches([':', ' ']).split_whitespace()).collect();
    let column = |name: &str| {
        let names: Vec<_> = heading?.split_whitespace().collect();
        with_unit(values.get(names.iter().position(|n| n.eq_ignore_ascii_case(name))?)?)
    };
    Said { p50: column("median"), p99: column("p99"), max: values.get(1).and_then(|value| with_unit(value)) }
}

/// `  99%% in 0.0002 secs` (with one or two signs), `Slowest: 0.0010 secs`.
pub(crate) fn hey(text: &str) -> Said {
    let after = |begin: &str| {
        let line = text.lines().map(str::trim).find(|line| line.starts_with(begin))?;
        let number = line.split_whitespace().find_map(|word| word.parse::<f64>().ok())?;
        Duration::try_from_secs_f64(number).ok()
    };
    Said { p50: after("50%"), p99: after("99%"), max: after("Slowest:") }
}

/// The first word with a dot between digits: `1.52.0` of `h2load nghttp2/1.52.0`.
pub(crate) fn version(text: &str) -> Option<String> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    words.map(|word| word.trim_matches('.')).find(|word| word.contains('.')).map(str::to_owned)
}

fn json(text: &str) -> Option<Value> {
    // Some write lines for people before it.
    serde_json::from_str(&text[text.find('{')?..]).ok()
}

fn seconds(value: &Value) -> Option<Duration> {
    Duration::try_from_secs_f64(value.as_f64()?).ok()
}

/// `455.66us`, `6.77ms`, `1.02s`.
fn with_unit(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &text[unit..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(text[..unit].parse::<f64>().ok()? * factor).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(said: Said) -> [Option<u128>; 3] {
        [said.p50, said.p99, said.max].map(|time| time.map(|time| time.as_micros()))
    }

    #[test]
    fn each_is_read_in_its_own_form() {
        let wrk_says = "  Thread Stats   Avg      Stdev     Max   +/- Stdev\n    Latency   455.66us  197.11us   6.77ms   91.37%\n  \
                        Latency Distribution\n     50%  430.00us\n     99%    1.27ms\n";
        assert_eq!(micros(wrk(wrk_says)), [Some(430), Some(1_270), Some(6_770)]);
        let h2load_says = "                     min         max         mean         sd        +/- sd\n\
                           time for request:    105us      5.66ms      1.02ms       201us    78.03%\n";
        assert_eq!(micros(h2load(h2load_says)), [None, None, Some(5_660)]);
        let hey_says = "  Slowest:\t0.0105 secs\n  50%% in 0.0002 secs\n  99% in 0.0010 secs\n";
        assert_eq!(micros(hey(hey_says)), [Some(200), Some(1_000), Some(10_500)]);
        let fortio_says = r#"Fortio 1.6 running
            {"DurationHistogram":{"Max":0.004,"Percentiles":[{"Percentile":50,"Value":0.0001},{"Percentile":99,"Value":0.002}]}}"#;
        assert_eq!(micros(fortio(fortio_says)), [Some(100), Some(2_000), Some(4_000)]);
        let oha_says = r#"{"summary":{"slowest":0.9},"latencyPercentiles":{"p50":0.0005,"p99":0.85}}"#;
        assert_eq!(micros(oha(oha_says)), [Some(500), Some(850_000), Some(900_000)]);
        let vegeta_says = r#"{"latencies":{"50th":100000,"99th":2000000,"max":3000000}}"#;
        assert_eq!(micros(vegeta(vegeta_says)), [Some(100), Some(2_000), Some(3_000)]);
        let k6_says = r#"{"metrics":{"http_req_duration":{"med":0.5,"p(99)":2,"max":7.5}}}"#;
        assert_eq!(micros(k6(k6_says)), [Some(500), Some(2_000), Some(7_500)]);
    }

    #[test]
    fn what_says_nothing_has_no_figure() {
        for read in [fortio, oha, vegeta, k6, wrk, h2load, hey] {
            assert_eq!(micros(read("connection refused")), [None, None, None]);
        }
    }

    #[test]
    fn versions() {
        assert_eq!(version("h2load nghttp2/1.52.0").as_deref(), Some("1.52.0"));
        assert_eq!(version("wrk debian/4.1.0-3+b2 [epoll]").as_deref(), Some("4.1.0"));
        assert_eq!(version("none"), None);
    }
}
