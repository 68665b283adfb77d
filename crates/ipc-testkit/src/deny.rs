//! System calls that fail as on a kernel which lacks them.

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};
use std::collections::BTreeMap;

/// From now on `system_call` (a number, `libc::SYS_…`) fails with `errno` in this thread and the
/// ones it starts. For processes that a test isolates: it cannot be undone.
///
/// # Panics
/// Where the host has no seccomp filters.
pub fn deny(system_call: i64, errno: i32) {
    install(system_call, Vec::new(), errno);
}

/// As [`deny`], but only for calls whose argument `index`, masked by `mask`, is `value`.
///
/// # Panics
/// Where the host has no seccomp filters.
pub fn deny_where(system_call: i64, index: u8, mask: u64, value: u64, errno: i32) {
    let operator = SeccompCmpOp::MaskedEq(mask);
    let condition = SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)
        .expect("a system call has six arguments");
    let rule = SeccompRule::new(vec![condition]).expect("one condition");
    install(system_call, vec![rule], errno);
}

fn install(system_call: i64, rules: Vec<SeccompRule>, errno: i32) {
    let rules = BTreeMap::from([(system_call, rules)]);
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    let arch = std::env::consts::ARCH
        .try_into()
        .expect("an architecture with seccomp filters");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).expect("a filter");
    let program: BpfProgram = filter.try_into().expect("a small filter");
    seccompiler::apply_filter(&program).expect("the host has seccomp filters");
}
