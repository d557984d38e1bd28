//! The service that stands in for an application: latency, failure, capacity, onward calls, a ledger of every try.
