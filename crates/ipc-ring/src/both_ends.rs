//! What everything that holds a sender and a receiver has.

/// `set_spin` of both.
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
