//! How many schedules each model runs, and how.

use ipc_shm::Region;
use std::sync::OnceLock;

/// How many schedules of each kind: 50,000, or as many as the environment says.
pub(crate) fn count() -> usize {
    let said = std::env::var("IPC_MODEL_SCHEDULES").ok();
    said.map_or(50_000, |count| count.parse().expect("a number"))
}

/// Runs the model under random schedules, and under such of few switches (PCT, depth 3).
pub(crate) fn check(name: &str, model: impl Fn() + Send + Sync + Copy + 'static) {
    let model = move || {
        crate::kernel::boot();
        model();
    };
    shuttle::check_random(model, count());
    shuttle::check_pct(model, count(), 3);
    let schedules = 2 * count();
    let bound = 300.0 / schedules as f64;
    println!("C2   {name:<52} {schedules:>9} schedules 0 failures  rate < {bound:.5} %");
}

/// What the sources want to stand in; the model's memory does not.
pub(crate) fn region() -> &'static Region {
    static REGION: OnceLock<Region> = OnceLock::new();
    REGION.get_or_init(|| ipc_shm::anonymous(4096).expect("a region"))
}

/// A number below `bound`, by the schedule.
pub(crate) fn below(bound: u32) -> u32 {
    shuttle::rand::Rng::gen_range(&mut shuttle::rand::thread_rng(), 0..bound)
}
