//! How long a waiter looks at memory before it sleeps: as all crates have it.

pub use ipc_core::Spin;
pub(crate) use ipc_core::SpinBudget as Budget;
