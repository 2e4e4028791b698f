//! Ports for programs that are told where to listen before they start.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use anyhow::{Context, Result};

/// Ports that nobody listens on at any address, as addresses of a host. They are below those that Linux gives to outgoing
/// connections, so that they stay free.
pub(crate) fn free_ports<const N: usize>(host: IpAddr) -> Result<[SocketAddr; N]> {
    let free = || {
        let ports = std::iter::repeat_with(|| rand::random_range(10_000..32_000_u16)).take(100);
        let mut bound = ports.filter_map(|port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).ok());
        bound.next().context("no port is free")
    };
    // All at once, so that they differ.
    let held: Vec<TcpListener> = (0..N).map(|_| free()).collect::<Result<_>>()?;
    let mut addresses = [SocketAddr::new(host, 0); N];
    for (address, listener) in addresses.iter_mut().zip(&held) {
        address.set_port(listener.local_addr()?.port());
    }
    Ok(addresses)
}
