//! Whose word on the client's address is taken?
//!
//! Invariant: an IPv4 network matches an address whichever way it arrives, also mapped into IPv6.
//!
//! Spec: Operations, "Rate limits" (`trustedProxies`).

use std::net::IpAddr;

/// Networks of proxies that tell the truth about who is behind them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Cidr>);

/// Which header the trusted proxies write. What a client sends under another name is passed on by them
/// as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

impl ForwardedHeader {
    /// Reads the name of the header.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Ok(Self::XForwardedFor),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err("must be x-forwarded-for or forwarded"),
        }
    }
}

/// A network: an address and how many of its bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    bits: u32,
}

impl TrustedProxies {
    /// Trusts these networks.
    #[must_use]
    pub fn new(networks: Vec<Cidr>) -> Self {
        Self(networks)
    }

    /// The networks, as they are written.
    pub(super) fn names(&self) -> Vec<String> {
        let names = self.0.iter().map(|network| format!("{}/{}", network.address, network.bits));
        names.collect()
    }

    /// Whether an address is one of a trusted proxy.
    #[must_use]
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }
}

impl Cidr {
    /// As [`Cidr::parse`], for proxies: a network of everybody is refused, as each client would say who
    /// he is.
    ///
    /// # Errors
    /// As [`Cidr::parse`].
    pub fn parse_proxies(text: &str) -> Result<Self, &'static str> {
        let network = Self::parse(text)?;
        if network.bits == 0 {
            return Err("is everybody: any client could say from where he comes");
        }
        Ok(network)
    }

    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "must be a network or an address, such as 10.0.0.0/8 or 2001:db8::1";
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().map_err(|_| WANTED)?;
        let width = width(written);
        let bits = match bits {
            None => width,
            Some(bits) => {
                let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
                bits.parse().ok().filter(|bits| is_number && *bits <= width).ok_or(WANTED)?
            }
        };
        let address = written.to_canonical();
        // Of an IPv4 network that is written as an IPv6 one, the last bits count.
        let bits = bits.checked_sub(width - self::width(address)).ok_or(WANTED)?;
        let network = Self { address, bits };
        if network.first() == network.address {
            Ok(network)
        } else {
            Err("has bits beyond its length: the first address of a network names it")
        }
    }

    fn contains(self, address: IpAddr) -> bool {
        let other = Self { address, ..self };
        width(address) == width(self.address) && other.first() == self.address
    }

    /// The first address of the network.
    fn first(self) -> IpAddr {
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - self.bits.min(32)).unwrap_or_default();
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - self.bits.min(128)).unwrap_or_default();
                IpAddr::V6((address.to_bits() & mask).into())
            }
        }
    }
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_shares_its_bits() {
        for (network, address, is_in) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "10.1.2.3", true),
            ("::ffff:10.0.0.0/104", "11.1.2.3", false),
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1/32", "192.0.2.2", false),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("::/0", "2001:db8::1", true),
            ("::/0", "203.0.113.7", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false),
            ("::1", "::1", true),
        ] {
            let proxies = TrustedProxies::new(vec![Cidr::parse(network).unwrap()]);
            assert_eq!(proxies.trust(address.parse().unwrap()), is_in, "{network} {address}");
        }
        assert!(!TrustedProxies::default().trust(IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0/8",
            "10.0.0.1/8",
            "::1/64",
            "2001:db8::/129",
            "::ffff:10.0.0.0/95",
            "localhost",
            "*",
            " 10.0.0.0/8",
            "10.0.0.0/8 ",
            "[::1]",
            "10.0.0.0/8/8",
        ] {
            Cidr::parse(text).unwrap_err();
        }
    }
}
