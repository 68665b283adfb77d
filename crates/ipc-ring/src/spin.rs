//! How long a waiter looks at memory before it sleeps: as all crates have it.

pub use ipc_core::Spin;
pub(crate) use ipc_core::SpinBudget as Budget;

/// `set_spin` of what holds both a sender and a receiver.
macro_rules! spins_at_both_ends {
    ($Kind:ident) => {
        impl $Kind {
            /// How long both its ends look at memory before they sleep, from now on. The other
            /// side has its own way.
            pub fn set_spin(&mut self, spin: $crate::Spin) {
                self.sender.set_spin(spin);
                self.receiver.set_spin(spin);
            }
        }
    };
}
pub(crate) use spins_at_both_ends;
