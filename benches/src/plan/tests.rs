//! What a plan holds, and in which order.

use super::*;

fn plan(selection: &Selection, cpus: usize) -> Plan {
    let pair = (0, (cpus > 1).then_some(1));
    let cpus = Cpus {
        allowed: (0..cpus).collect(),
        pair,
    };
    Plan::new(selection, &mechanisms::all(), &cpus)
}

#[test]
fn every_cell_is_measured_or_left_out_with_a_reason() {
    let selection = Selection {
        sizes: vec![64],
        ..Selection::default()
    };
    let plan = plan(&selection, 2);
    for family in mechanisms::all()
        .iter()
        .filter(|family| family.role == Role::Mechanism)
    {
        for scenario in Scenario::ALL {
            let size = if family.payload { 64 } else { 0 };
            let what = format!("{}/{}/{size}", family.name, scenario.name());
            if scenario.is_of_calls() && !family.makes_calls() {
                continue;
            }
            let measured = plan.groups.iter().any(|group| group.name() == what);
            let named = |gap: &Unmeasured| {
                let rest = gap.what.strip_prefix(family.name);
                rest.is_some_and(|rest| {
                    rest.is_empty()
                        || rest.starts_with([':', '/']) && rest.contains(scenario.name())
                })
            };
            assert!(
                measured || plan.unmeasured.iter().any(named),
                "{what} is nowhere"
            );
        }
    }
    assert!(plan.unmeasured.iter().all(|gap| !gap.why.is_empty()));
}

#[test]
fn one_cpu_measures_what_one_cpu_can() {
    let plan = plan(&Selection::default(), 1);
    assert!(
        plan.groups
            .iter()
            .all(|group| group.placement == Placement::SameCore)
    );
    assert!(
        plan.unmeasured
            .iter()
            .any(|gap| gap.why.contains("one CPU"))
    );
}

#[test]
fn a_default_run_measures_the_cells_of_every_goal() {
    let plan = plan(&Selection::default(), 2);
    for (mechanism, scenario, size, placement) in goals::GOALS.iter().flat_map(Goal::cells) {
        let shape = Shape { size, scenario };
        let planned = plan.groups.iter().any(|group| {
            (group.mechanism, group.shape, group.placement) == (mechanism, shape, placement)
        });
        let families = mechanisms::all();
        let of = families.iter().filter(|family| family.name == mechanism);
        let mut makers = of.flat_map(|family| &family.makers);
        let is_lacking = makers.any(|maker| (maker.probe)().is_err());
        assert!(planned || is_lacking, "{mechanism} {shape:?} {placement:?}");
    }
}

#[test]
fn floors_come_first() {
    let plan = plan(&Selection::default(), 2);
    let roles: Vec<Role> = plan.groups.iter().map(|group| group.role).collect();
    let first_mechanism = roles.iter().position(|role| *role == Role::Mechanism);
    assert!(
        roles[first_mechanism.unwrap_or(0)..]
            .iter()
            .all(|r| *r == Role::Mechanism)
    );
}

#[test]
fn events_without_bytes_are_measured_once() {
    let plan = plan(&Selection::default(), 2);
    let events: Vec<&Group> = plan
        .groups
        .iter()
        .filter(|group| group.mechanism == "eventfd")
        .collect();
    assert!(!events.is_empty() && events.iter().all(|group| group.shape.size == 0));
}

#[test]
fn every_mechanism_is_introduced_before_any_is_told_more_of() {
    let plan = plan(&Selection::default(), 2);
    let groups = plan.groups.iter();
    let groups = groups.filter(|group| group.role == Role::Mechanism);
    let mechanisms: Vec<&str> = groups.map(|group| group.mechanism).collect();
    let mut all = mechanisms.clone();
    all.sort_unstable();
    all.dedup();
    let mut introduced = mechanisms[..all.len()].to_vec();
    introduced.sort_unstable();
    assert_eq!(introduced, all);
}

#[test]
fn a_mechanism_is_introduced_by_its_round_trip_of_64_bytes() {
    let plan = plan(&Selection::default(), 2);
    for mechanism in ["pipe", "tcp", "ring", "uds-awaited", "udp"] {
        let of = |group: &&Group| group.mechanism == mechanism;
        let first = plan.groups.iter().find(of).expect("it is planned");
        let shape = (first.shape.scenario, first.shape.size);
        assert_eq!(shape, (Scenario::RoundTrip, 64), "{mechanism}");
    }
}

#[test]
fn what_comes_last_tells_least() {
    let plan = plan(&Selection::default(), 2);
    let mut seen = Vec::new();
    let ranks = plan.groups.iter().map(|group| {
        let is_first = group.role == Role::Mechanism && !seen.contains(&group.mechanism);
        seen.push(group.mechanism);
        order::rank(group, is_first)
    });
    let ranks: Vec<order::Rank> = ranks.collect();
    assert!(ranks.is_sorted());
    let last = plan.groups.last().expect("a default run has many");
    assert!(!matches!(
        last.shape.scenario,
        Scenario::RoundTrip | Scenario::OneWay | Scenario::Wake
    ));
}

#[test]
fn places_are_by_mechanism_whatever_is_measured_first() {
    let plan = plan(&Selection::default(), 2);
    let mut groups: Vec<&Group> = plan.groups.iter().collect();
    groups.sort_by_key(|group| group.place);
    let mut mechanisms: Vec<&str> = groups.iter().map(|group| group.mechanism).collect();
    mechanisms.dedup();
    let count = mechanisms.len();
    mechanisms.sort_unstable();
    mechanisms.dedup();
    assert_eq!(mechanisms.len(), count, "each in one piece");
}

#[test]
fn a_default_run_has_few_rows_that_need_many_processes_and_a_narrowed_one_all() {
    let of = |selection: &Selection| -> Vec<&str> {
        let groups = plan(selection, 2).groups.into_iter();
        let scaling = groups.filter(|group| group.mechanism == "ring-scaling");
        let makers = scaling.flat_map(|group| group.makers);
        makers.map(|maker| maker.name).collect()
    };
    let few = [
        "raw-1x1", "1x1", "raw-2x2", "2x2", "raw-4x4", "4x4", "pipes-4", "cast-4",
    ];
    assert_eq!(of(&Selection::default()), few);
    let all = of(&Selection {
        mechanisms: vec!["ring-scaling".to_owned()],
        scenarios: vec![Scenario::OneWay],
        sizes: vec![64],
        ..Selection::default()
    });
    for (senders, receivers) in (1..=4).flat_map(|n| (1..=4).map(move |m| (n, m))) {
        for kind in ["", "raw-", "pipe-"] {
            let name = format!("{kind}{senders}x{receivers}");
            assert!(all.contains(&name.as_str()), "{name}");
        }
    }
    for readers in [1, 4, 16] {
        assert!(all.contains(&format!("cast-{readers}").as_str()));
    }
}
