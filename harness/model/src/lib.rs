//! The nouns: topology, policy, fault, timeline, claim, verdict, event. Pure data.
