//! The port: what the engine asks of a mesh, and the contract that every backend passes.
