//! Which addresses belong together?
//!
//! Whoever has one address of a network has its neighbours for nothing: a /24 of IPv4, a /56 of IPv6.
//! And one machine has a whole /64 of IPv6, so that its single addresses mean nothing.
//! Invariant: an IPv4 address is the same whichever way it is written.
//!
//! Spec: Operations, "Rate limits" (/24 or /56 of the IP).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const NETWORK_BITS: (u32, u32) = (24, 56);
const HOST_BITS: (u32, u32) = (32, 64);

/// The network of an address, such as `203.0.113.0/24`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Network(String);

impl Network {
    pub(crate) fn of(ip: IpAddr) -> Self {
        Self(prefix(ip, NETWORK_BITS))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Shows nothing: where somebody signs in from is personal data.
impl std::fmt::Debug for Network {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Network")
    }
}

/// The machine behind an address, such as `203.0.113.7/32` or `2001:db8:1:2::/64`.
pub(crate) fn host(ip: IpAddr) -> String {
    prefix(ip, HOST_BITS)
}

fn prefix(ip: IpAddr, (of_v4, of_v6): (u32, u32)) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let first = ip.to_bits() & u32::MAX.checked_shl(32 - of_v4).unwrap_or_default();
            format!("{}/{of_v4}", Ipv4Addr::from_bits(first))
        }
        IpAddr::V6(ip) => {
            let first = ip.to_bits() & u128::MAX.checked_shl(128 - of_v6).unwrap_or_default();
            format!("{}/{of_v6}", Ipv6Addr::from_bits(first))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_network_and_machines_a_64() {
        for (ip, network, machine) in [
            ("203.0.113.7", "203.0.113.0/24", "203.0.113.7/32"),
            ("::ffff:203.0.113.7", "203.0.113.0/24", "203.0.113.7/32"),
            ("2001:db8:1:2ff:3:4:5:6", "2001:db8:1:200::/56", "2001:db8:1:2ff::/64"),
            ("::1", "::/56", "::/64"),
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            assert_eq!((Network::of(ip).as_str(), host(ip).as_str()), (network, machine));
        }
    }
}
