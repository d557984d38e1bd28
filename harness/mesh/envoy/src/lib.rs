//! Envoy configured by a delta ADS server of our own; render is pure.
