//! What a mechanism can do at all, by the rules of the kernel: no figure lives here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{family::Role, mechanisms};

/// What a mechanism is able to do. The default is nothing but to carry bytes: it then takes part in
/// all that is decided by measurement alone, and is not proposed where an ability is demanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// Under which heading it is drawn.
    pub section: Section,
    /// What is sent in one piece arrives in one piece.
    pub boundaries: bool,
    /// Passes descriptors, and the kernel vouches for the peer's identity.
    pub descriptors: bool,
    /// Reaches another machine.
    pub machines: bool,
    /// Carries bytes, not only a wake-up or a counter.
    pub payload: bool,
    /// Carries only bytes that never change, so it is proposed for none that are made anew.
    #[serde(default)]
    pub fixed: bool,
}

/// Mechanisms that are drawn together, so that no panel has too many lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// Bytes in order.
    Streams,
    /// One message is one message.
    Messages,
    /// Memory both sides see, and the means to wake each other.
    Memory,
    /// Nobody has said.
    Other,
    /// Published crates by others.
    Peers,
}

impl Abilities {
    /// Of a mechanism that says nothing about itself.
    pub const NONE: Abilities = Abilities {
        section: Section::Other,
        boundaries: false,
        descriptors: false,
        machines: false,
        payload: true,
        fixed: false,
    };
    /// Bytes in order, without boundaries.
    pub const STREAM: Abilities = Abilities {
        section: Section::Streams,
        ..Abilities::NONE
    };
    /// One message is one message.
    pub const MESSAGES: Abilities = Abilities {
        section: Section::Messages,
        boundaries: true,
        ..Abilities::NONE
    };
    /// Memory that both sides see, or a means to wake each other.
    pub const MEMORY: Abilities = Abilities {
        section: Section::Memory,
        ..Abilities::NONE
    };

    /// It also keeps messages apart.
    pub const fn with_boundaries(self) -> Abilities {
        Abilities {
            boundaries: true,
            ..self
        }
    }

    /// It also passes descriptors and names the peer.
    pub const fn with_descriptors(self) -> Abilities {
        Abilities {
            descriptors: true,
            ..self
        }
    }

    /// It also reaches other machines.
    pub const fn with_machines(self) -> Abilities {
        Abilities {
            machines: true,
            ..self
        }
    }
}

impl Section {
    /// The heading of its panels.
    pub fn title(self) -> &'static str {
        match self {
            Self::Streams => "byte streams",
            Self::Messages => "messages",
            Self::Memory => "memory and events",
            Self::Other => "others",
            Self::Peers => "published crates",
        }
    }
}

/// The abilities of every mechanism of this build, by name: what a run notes, and what is taken
/// for runs that were saved without.
pub fn of_this_build() -> BTreeMap<String, Abilities> {
    mechanisms::all()
        .iter()
        .filter(|family| family.role == Role::Mechanism)
        .map(|family| (family.name.to_owned(), family.abilities()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carries_no_bytes_says_so_once() {
        let all = of_this_build();
        assert!(!all["eventfd"].payload && all["pipe"].payload);
    }

    #[test]
    fn what_says_nothing_can_still_be_measured() {
        assert_eq!(of_this_build()["mutex"].section, Section::Other);
    }
}
