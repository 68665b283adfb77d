//! How each model is run: all executions with up to three preemptions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Runs every execution of the model, and says how many there were.
pub(crate) fn all(name: &str, model: impl Fn() + Send + Sync + 'static) {
    let begun = std::time::Instant::now();
    let executions = Arc::new(AtomicU64::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.max_branches = 100_000;
    let counted = Arc::clone(&executions);
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        model();
    });
    println!(
        "C1   {name:<52} {:>9} executions, all, 0 failures  {:.0?}",
        executions.load(Relaxed),
        begun.elapsed()
    );
}
