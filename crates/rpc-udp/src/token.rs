//! The proof that a client reads what is sent to its address: made and checked without memory.

use crate::packet::TOKEN_BYTES;
use bytes::Bytes;
use ring::hmac;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a proof is good.
pub(crate) const LIFE: Duration = Duration::from_secs(30);

/// Makes and checks proofs.
#[derive(Debug)]
pub(crate) struct Tokens {
    key: hmac::Key,
}

impl Tokens {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
        }
    }

    /// The proof for who can read it at `address`: when it was made, and a keyed hash over that,
    /// the address, the client's nonce and the server's incarnation.
    pub(crate) fn make(&self, address: SocketAddr, nonce: u64, of: u64, now: Duration) -> Bytes {
        let issued = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut token = issued.to_le_bytes().to_vec();
        token.extend_from_slice(&self.hash(address, nonce, of, issued));
        token.into()
    }

    /// Whether it is ours, for this address, and not too old.
    pub(crate) fn is_good(
        &self,
        token: &[u8],
        address: SocketAddr,
        nonce: u64,
        of: u64,
        now: Duration,
    ) -> bool {
        let Some((issued, hash)) = token.split_first_chunk::<8>() else {
            return false;
        };
        let issued = u64::from_le_bytes(*issued);
        let expected = self.hash(address, nonce, of, issued);
        // It protects an address against floods, and is not worth a timing attack over a network;
        // no early end all the same.
        let differ = hash
            .iter()
            .zip(&expected)
            .fold(0, |all, (a, b)| all | (a ^ b));
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let life = u64::try_from(LIFE.as_millis()).unwrap_or(u64::MAX);
        token.len() == TOKEN_BYTES && differ == 0 && now.saturating_sub(issued) <= life
    }

    /// A number that nobody can guess: of a session, or of this life of the server (0).
    pub(crate) fn number(&self, count: u64) -> u64 {
        let tag = hmac::sign(
            &self.key,
            &[b"number".as_slice(), &count.to_le_bytes()].concat(),
        );
        tag.as_ref()[..8]
            .iter()
            .fold(0, |all, byte| all << 8 | u64::from(*byte))
    }

    fn hash(&self, address: SocketAddr, nonce: u64, of: u64, issued: u64) -> [u8; 16] {
        let mut context = hmac::Context::with_key(&self.key);
        match address {
            SocketAddr::V4(v4) => context.update(&v4.ip().octets()),
            SocketAddr::V6(v6) => context.update(&v6.ip().octets()),
        }
        context.update(&address.port().to_le_bytes());
        for word in [nonce, of, issued] {
            context.update(&word.to_le_bytes());
        }
        let mut hash = [0; 16];
        hash.copy_from_slice(&context.sign().as_ref()[..16]);
        hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_good_for_its_address_nonce_server_and_time_alone() {
        let tokens = Tokens::new(&[3; 32]);
        let here: SocketAddr = "127.0.0.1:7".parse().expect("an address");
        let issued = Duration::from_secs(5);
        let token = tokens.make(here, 1, 2, issued);
        assert_eq!(token.len(), TOKEN_BYTES);
        let good =
            |token: &[u8], address, nonce, of, now| tokens.is_good(token, address, nonce, of, now);
        assert!(good(&token, here, 1, 2, issued + LIFE));
        assert!(!good(
            &token,
            here,
            1,
            2,
            issued + LIFE + Duration::from_millis(1)
        ));
        assert!(!good(
            &token,
            "127.0.0.1:8".parse().expect("one"),
            1,
            2,
            issued
        ));
        assert!(!good(
            &token,
            "127.0.0.2:7".parse().expect("one"),
            1,
            2,
            issued
        ));
        assert!(!good(&token, here, 9, 2, issued));
        assert!(!good(&token, here, 1, 9, issued));
        for bit in 0..token.len() * 8 {
            let mut other = token.to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!good(&other, here, 1, 2, issued), "bit {bit}");
        }
        for length in 0..token.len() {
            assert!(!good(&token[..length], here, 1, 2, issued));
        }
        assert!(!Tokens::new(&[4; 32]).is_good(&token, here, 1, 2, issued));
    }
}
