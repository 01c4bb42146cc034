//! The stores, against the servers and files that they keep tokens in.

#[path = "stores/servers.rs"]
mod servers;
