//! TLS: who is let in, what goes over it, and what it stands on.

mod authority;
mod awaited;
mod carriers;
mod handshakes;
mod negatives;
mod suite;
mod tampering;
