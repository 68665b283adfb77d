//! A service config, as gRPC has it in JSON: time-outs, retries, hedging, throttle, balancing.

use rpc_core::layers::{Deadlines, Hedge, Retry, RetryPolicy, Throttle};
use rpc_core::{Channel, Code, Status};
use rpc_transport::Pick;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::time::Duration;
use tower_layer::Layer;

/// A service config, as gRPC has it in JSON.
///
/// ```
/// use rpc_grpc::ServiceConfig;
/// let config = ServiceConfig::parse(r#"{
///     "methodConfig": [{
///         "name": [{ "service": "shop.v1.Stock" }],
///         "timeout": "1.5s",
///         "retryPolicy": {
///             "maxAttempts": 3, "initialBackoff": "0.01s", "maxBackoff": "1s",
///             "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE"]
///         }
///     }],
///     "retryThrottling": { "maxTokens": 10, "tokenRatio": 0.1 }
/// }"#)?;
/// # let _ = config;
/// # Ok::<(), rpc_grpc::Status>(())
/// ```
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    retry: Retry,
    hedge: Hedge,
    deadlines: Deadlines,
    pick: Option<Pick>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    #[serde(default)]
    method_config: Vec<MethodConfig>,
    retry_throttling: Option<Throttling>,
    #[serde(default)]
    load_balancing_config: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MethodConfig {
    #[serde(default)]
    name: Vec<Name>,
    timeout: Option<Seconds>,
    retry_policy: Option<RetryConfig>,
    hedging_policy: Option<HedgingConfig>,
}

#[derive(Deserialize)]
struct Name {
    #[serde(default)]
    service: String,
    #[serde(default)]
    method: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RetryConfig {
    max_attempts: u32,
    initial_backoff: Seconds,
    max_backoff: Seconds,
    backoff_multiplier: f64,
    retryable_status_codes: Vec<CodeName>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HedgingConfig {
    max_attempts: u32,
    hedging_delay: Option<Seconds>,
    #[serde(default)]
    non_fatal_status_codes: Vec<CodeName>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Throttling {
    max_tokens: u32,
    token_ratio: f64,
}

/// A duration as protobuf's JSON writes it: `1.5s`.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Seconds(Duration);

impl TryFrom<String> for Seconds {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let number = text
            .strip_suffix('s')
            .and_then(|number| number.parse().ok());
        let seconds = number.and_then(|number| Duration::try_from_secs_f64(number).ok());
        seconds
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no duration, as 1.5s"))
    }
}

/// A code by its name or its number.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
struct CodeName(Code);

impl TryFrom<Value> for CodeName {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        let is_it = |code: &&Code| match &value {
            Value::String(name) => code.name().eq_ignore_ascii_case(name),
            number => number.as_u64() == Some(**code as u64),
        };
        let code = Code::ALL.iter().find(is_it);
        code.copied()
            .map(Self)
            .ok_or_else(|| format!("{value} is no status code"))
    }
}

impl ServiceConfig {
    /// Reads a config. What it does not know it leaves alone, as gRPC asks.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for what is no config, or one that gRPC calls invalid, saying
    /// what is wrong.
    pub fn parse(json: &str) -> Result<Self, Status> {
        let config: Config = serde_json::from_str(json).map_err(|error| wrong(&error))?;
        let mut read = Self {
            retry: Retry::new(),
            hedge: Hedge::new(),
            deadlines: Deadlines::new(),
            pick: None,
        };
        for method in &config.method_config {
            for name in &method.name {
                read.add(&pattern(name)?, method)?;
            }
        }
        let mut throttle = Throttle::default();
        if let Some(throttling) = &config.retry_throttling {
            let Throttling {
                max_tokens,
                token_ratio,
            } = *throttling;
            if !(1..=1000).contains(&max_tokens) || token_ratio <= 0.0 {
                return Err(wrong(
                    &"retryThrottling is 1 to 1000 tokens and a ratio above 0",
                ));
            }
            throttle = Throttle::new(max_tokens, token_ratio);
        }
        read.retry = read.retry.throttle(&throttle);
        read.hedge = read.hedge.throttle(&throttle);
        let known = config.load_balancing_config.iter().flat_map(Map::keys);
        read.pick = known.filter_map(|name| pick(name)).next();
        Ok(read)
    }

    /// The channel with these time-outs, retries and hedges around it.
    pub fn around<C: Channel + Clone + Unpin>(&self, channel: C) -> impl Channel + Clone + Unpin {
        let retried = self.retry.layer(channel);
        let hedged = self.hedge.layer(retried);
        self.deadlines.layer(hedged)
    }

    /// Which server takes a call, for [`Balanced`](rpc_transport::Balanced): the first that is
    /// known here of `pick_first`, `round_robin` and `least_request_experimental`.
    #[must_use]
    pub const fn pick(&self) -> Option<Pick> {
        self.pick
    }

    fn add(&mut self, what: &str, method: &MethodConfig) -> Result<(), Status> {
        if let Some(timeout) = &method.timeout {
            let deadlines = std::mem::take(&mut self.deadlines);
            self.deadlines = deadlines.at_most(what, timeout.0);
        }
        match (&method.retry_policy, &method.hedging_policy) {
            (Some(_), Some(_)) => Err(wrong(&"a method is retried or hedged, not both")),
            (None, None) => Ok(()),
            (Some(retry), None) => {
                self.retry = self.retry.clone().policy(what, policy(retry)?);
                Ok(())
            }
            (None, Some(hedging)) => {
                if hedging.max_attempts < 2 {
                    return Err(wrong(&"hedgingPolicy.maxAttempts is at least 2"));
                }
                let delay = hedging
                    .hedging_delay
                    .as_ref()
                    .map_or(Duration::ZERO, |s| s.0);
                let codes = hedging.non_fatal_status_codes.iter().map(|code| code.0);
                let hedge = std::mem::take(&mut self.hedge);
                self.hedge = hedge.policy(what, hedging.max_attempts, delay, codes);
                Ok(())
            }
        }
    }
}

fn policy(retry: &RetryConfig) -> Result<RetryPolicy, Status> {
    let good = retry.max_attempts >= 2
        && !retry.initial_backoff.0.is_zero()
        && !retry.max_backoff.0.is_zero()
        && retry.backoff_multiplier > 0.0
        && !retry.retryable_status_codes.is_empty();
    if !good {
        return Err(wrong(
            &"retryPolicy has at least 2 attempts, backoffs and a multiplier above 0, and codes",
        ));
    }
    Ok(RetryPolicy {
        attempts: retry.max_attempts,
        codes: retry
            .retryable_status_codes
            .iter()
            .map(|code| code.0)
            .collect(),
        first_backoff: retry.initial_backoff.0,
        max_backoff: retry.max_backoff.0,
        multiplier: retry.backoff_multiplier,
    })
}

fn pattern(name: &Name) -> Result<String, Status> {
    match (&name.service[..], &name.method[..]) {
        ("", "") => Ok("*".to_owned()),
        ("", _) => Err(wrong(&"a name with a method and no service")),
        (service, "") => Ok(service.to_owned()),
        (service, method) => Ok(format!("{service}/{method}")),
    }
}

fn pick(name: &str) -> Option<Pick> {
    match name {
        "pick_first" => Some(Pick::First),
        "round_robin" => Some(Pick::RoundRobin),
        "least_request_experimental" => Some(Pick::TwoChoices),
        _ => None,
    }
}

fn wrong(what: &dyn std::fmt::Display) -> Status {
    Status::new(Code::InvalidArgument, format!("service config: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grpc_calls_invalid_is_refused() {
        let retry = |change: &str| {
            let policy = r#""maxAttempts":3,"initialBackoff":"0.1s","maxBackoff":"1s",
                "backoffMultiplier":2,"retryableStatusCodes":["UNAVAILABLE",14]"#;
            let policy = match change.split_once('=') {
                Some((from, to)) => policy.replace(from, to),
                None => policy.to_owned(),
            };
            let config =
                format!(r#"{{"methodConfig":[{{"name":[{{}}],"retryPolicy":{{{policy}}}}}]}}"#);
            ServiceConfig::parse(&config)
        };
        assert!(retry("").is_ok());
        for change in [
            "3=1",
            "0.1s=0s",
            "\"1s\"=\"1\"",
            "\"1s\"=\"-1s\"",
            "\"1s\"=1",
            ":2=:0",
            "14=17",
            "UNAVAILABLE=NOT_A_CODE",
            "\"UNAVAILABLE\",14=",
        ] {
            let refused = retry(change).expect_err(change);
            assert_eq!(refused.code(), Code::InvalidArgument, "{change}");
        }
        for config in [
            "",
            "[]",
            r#"{"methodConfig":[{"name":[{"method":"Get"}],"timeout":"1s"}]}"#,
            r#"{"retryThrottling":{"maxTokens":0,"tokenRatio":0.1}}"#,
            r#"{"retryThrottling":{"maxTokens":10,"tokenRatio":0}}"#,
        ] {
            assert!(ServiceConfig::parse(config).is_err(), "{config}");
        }
    }

    #[test]
    fn the_first_known_balancing_is_taken_and_the_unknown_left_alone() {
        let config = r#"{"loadBalancingConfig":[{"xds":{}},{"round_robin":{}},{"pick_first":{}}],
            "somethingNew":1}"#;
        let config = ServiceConfig::parse(config).expect("a config");
        assert_eq!(config.pick(), Some(Pick::RoundRobin));
        assert_eq!(ServiceConfig::parse("{}").expect("empty").pick(), None);
    }
}
