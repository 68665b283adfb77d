//! How many schedules each model runs, and how.

/// How many schedules of each kind: 50,000, or as many as the environment says.
pub(crate) fn count() -> usize {
    let said = std::env::var("IPC_MODEL_SCHEDULES").ok();
    said.map_or(50_000, |count| count.parse().expect("a number"))
}

/// Runs the model under random schedules, and under such of few switches (PCT, depth 3).
pub(crate) fn check(name: &str, model: impl Fn() + Send + Sync + Copy + 'static) {
    let model = move || {
        crate::machine::boot();
        model();
    };
    let begun = std::time::Instant::now();
    shuttle::check_random(model, count());
    shuttle::check_pct(model, count(), 3);
    let schedules = 2 * count();
    let bound = 300.0 / schedules as f64;
    let took = begun.elapsed();
    println!(
        "C2   {name:<52} {schedules:>9} schedules 0 failures  rate < {bound:.5} %  {took:.0?}"
    );
}
