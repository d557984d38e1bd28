//! Admission, timeline, leases, journal, teardown: the only caller of place, mesh and traffic.
