//! Rules of the organisation: which conditions a dynamic group may have, where a unit may stand in the tree, who may be changed
//! by an administrator of a unit, and whether managers go round in a circle.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use uuid::Uuid;

use super::condition::Condition;
use super::permission::{Grant, Reach, Role};

/// How deep the tree of units may be; the top is 1.
pub const MAX_DEPTH: i32 = 16;
/// Attributes that a user may have.
pub const MAX_ATTRIBUTES: usize = 100;
/// Why nobody may take a reserved address.
pub const RESERVED_EMAIL: &str = "Addresses of this domain are given by Cairn itself.";
/// Leaves that a dynamic group's condition may have.
pub const MAX_LEAVES: usize = 100;

/// A fault of a dynamic group's condition: stable name and explanation.
pub type ConditionFault = (&'static str, String);

/// What is wrong with a condition of a dynamic group: it may ask about profile attributes only, so that membership follows from the
/// profile alone and can be kept current with it.
#[must_use]
pub fn condition_faults(condition: &Condition) -> Vec<ConditionFault> {
    let mut faults = Vec::new();
    let mut leaves: usize = 0;
    condition.each_leaf(&mut |leaf| {
        leaves = leaves.saturating_add(1);
        match leaf {
            Condition::Attribute(leaf) => {
                if leaf.name.is_empty() || leaf.name.len() > 100 {
                    faults.push(("length", "An attribute's name has 1 to 100 bytes.".to_owned()));
                }
                if !leaf.fits() {
                    faults.push((
                        "impossible_condition",
                        format!(
                            "The value for `{}` does not fit the comparison: a list for `in`, a text for `starts_with`, nothing for `exists`.",
                            leaf.name
                        ),
                    ));
                }
            }
            _ => faults.push((
                "unsupported_leaf",
                "A dynamic group's condition may ask about attributes only, so that it can be kept current with them."
                    .to_owned(),
            )),
        }
    });
    if leaves == 0 || leaves > MAX_LEAVES {
        faults.push(("length", format!("A condition has 1 to {MAX_LEAVES} leaves.")));
    }
    faults
}

/// Why a unit may not stand below another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misplaced {
    /// It would lie below itself.
    Cycle,
    /// The tree would become too deep.
    TooDeep,
}

/// Whether a group with so many levels below it (itself counts as one) may stand below a parent with this chain of ancestors, the
/// parent included.
///
/// # Errors
/// Why not.
pub fn place(group: Uuid, height: i32, above: &[Uuid]) -> Result<i32, Misplaced> {
    if above.contains(&group) {
        return Err(Misplaced::Cycle);
    }
    let depth = i32::try_from(above.len()).unwrap_or(i32::MAX).saturating_add(1);
    if depth.saturating_add(height).saturating_sub(1) > MAX_DEPTH {
        return Err(Misplaced::TooDeep);
    }
    Ok(depth)
}

/// Whether somebody who administers units only may change this user. Whoever changes a profile can take over the account, so the
/// user must not reach further than the administrator does: no role for the site beyond learner and manager, none in a course, roles
/// for units and membership in units only inside of those administered, and nobody beyond them who reports to the user.
#[must_use]
pub fn may_be_changed_by_unit_admin(ties: &Ties, administered: &HashSet<Uuid>) -> bool {
    let held = ties.held.iter().all(|grant| match grant.reach {
        Reach::Site => matches!(grant.role, Role::Learner | Role::Manager),
        Reach::Course(_) => false,
        Reach::Unit(unit) => administered.contains(&unit),
    });
    held && !ties.leads_beyond && ties.units.iter().all(|unit| administered.contains(unit))
}

/// What ties a user to the organisation.
#[derive(Debug, Clone, Default)]
pub struct Ties {
    /// The roles that they hold.
    pub held: Vec<Grant>,
    /// The units that they are in, directly.
    pub units: Vec<Uuid>,
    /// Whether somebody outside of the units administered reports to them, directly or through others.
    pub leads_beyond: bool,
}

/// Which of these people lead somebody who is outside, directly or through others; `manager_of` has everybody below them.
#[must_use]
pub fn leading<K: Copy + Eq + Hash>(manager_of: &HashMap<K, K>, outside: impl IntoIterator<Item = K>) -> HashSet<K> {
    let mut leading = HashSet::new();
    for person in outside {
        let mut at = person;
        while let Some(above) = manager_of.get(&at).copied() {
            // Who leads is known already with all above.
            if !leading.insert(above) {
                break;
            }
            at = above;
        }
    }
    leading
}

/// The address of somebody who was erased.
#[must_use]
pub fn erased_email(user: Uuid) -> String {
    format!("{user}@erased.invalid")
}

/// Whether this user was erased. Nobody else has such an address: it is made of the user's own id, and nobody changes it any more.
#[must_use]
pub fn is_erased(user: Uuid, email: &str) -> bool {
    email.strip_suffix("@erased.invalid").is_some_and(|id| Uuid::try_parse(id) == Ok(user))
}

/// Whether Cairn alone gives such addresses: to those who were erased, and to those who have none. Who took one would be in the way.
#[must_use]
pub fn is_reserved_email(email: &str) -> bool {
    email.rsplit_once('@').is_some_and(|(_, domain)| {
        ["erased.invalid", "no-mail.invalid"].iter().any(|reserved| domain.eq_ignore_ascii_case(reserved))
    })
}

/// Everybody who stands on a circle of managers, circle by circle, in a stable order.
#[must_use]
pub fn manager_cycles<K: Copy + Eq + Hash + Ord>(manager_of: &HashMap<K, K>) -> Vec<Vec<K>> {
    let mut settled: HashSet<K> = HashSet::with_capacity(manager_of.len());
    let mut cycles = Vec::new();
    let mut starts: Vec<K> = manager_of.keys().copied().collect();
    starts.sort_unstable();
    for start in starts {
        let mut chain: Vec<K> = Vec::new();
        let mut place: HashMap<K, usize> = HashMap::new();
        let mut at = start;
        loop {
            if settled.contains(&at) {
                break;
            }
            if let Some(from) = place.get(&at) {
                cycles.push(chain.iter().skip(*from).copied().collect());
                break;
            }
            place.insert(at, chain.len());
            chain.push(at);
            match manager_of.get(&at) {
                Some(above) => at = *above,
                None => break,
            }
        }
        settled.extend(chain);
    }
    cycles
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn condition(value: serde_json::Value) -> Condition {
        serde_json::from_value(value).unwrap()
    }

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(n)
    }

    #[test]
    fn only_attributes_may_be_asked() {
        let good = condition(json!({"all": [
            {"attribute": {"name": "department", "op": "equals", "value": "Sales"}},
            {"not": {"attribute": {"name": "site", "op": "in", "value": ["Lyon", "Oslo"]}}}
        ]}));
        assert!(condition_faults(&good).is_empty());
        let bad = condition(json!({"any": [
            {"inactive": {"days": 3}},
            {"attribute": {"name": "site", "op": "in", "value": "Lyon"}},
            {"attribute": {"name": "", "op": "exists"}}
        ]}));
        let codes: Vec<_> = condition_faults(&bad).into_iter().map(|(code, _)| code).collect();
        assert_eq!(codes, ["unsupported_leaf", "impossible_condition", "length"]);
        assert_eq!(condition_faults(&condition(json!({"all": []})))[0].0, "length");
    }

    #[test]
    fn membership_follows_the_attributes() {
        let rule = condition(json!({"all": [
            {"attribute": {"name": "department", "op": "equals", "value": "Sales"}},
            {"not": {"attribute": {"name": "site", "op": "equals", "value": "Lyon"}}}
        ]}));
        for (attributes, belongs) in [
            (json!({"department": "Sales", "site": "Oslo"}), true),
            (json!({"department": "Sales", "site": "Lyon"}), false),
            (json!({"department": "Sales"}), false), // missing is false, also under `not`
            (json!({"department": "Law", "site": "Oslo"}), false),
        ] {
            assert_eq!(rule.met_by_attributes(attributes.as_object().unwrap()), belongs, "{attributes}");
        }
        let timed = condition(json!({"not": {"inactive": {"days": 1}}}));
        assert!(!timed.met_by_attributes(&serde_json::Map::new()));
    }

    #[test]
    fn units_stand_in_a_bounded_tree() {
        assert_eq!(place(id(1), 1, &[]), Ok(1));
        assert_eq!(place(id(3), 2, &[id(1), id(2)]), Ok(3));
        assert_eq!(place(id(1), 2, &[id(1), id(2)]), Err(Misplaced::Cycle));
        let chain: Vec<Uuid> = (100..115).map(id).collect();
        assert_eq!(place(id(1), 1, &chain), Ok(16));
        assert_eq!(place(id(1), 2, &chain), Err(Misplaced::TooDeep));
    }

    #[test]
    fn a_unit_admin_changes_nobody_who_may_more() {
        let own = HashSet::from([id(1)]);
        let held = |role, reach| Ties { held: vec![Grant { role, reach }], ..Ties::default() };
        let within = |units: &[u128]| Ties { units: units.iter().map(|n| id(*n)).collect(), ..Ties::default() };
        for (ties, may) in [
            (held(Role::Learner, Reach::Site), true),
            (held(Role::Manager, Reach::Site), true),
            (held(Role::Admin, Reach::Site), false),
            (held(Role::Author, Reach::Site), false),
            (held(Role::Admin, Reach::Unit(id(1))), true),
            (held(Role::Admin, Reach::Unit(id(2))), false),
            (held(Role::Author, Reach::Course(id(9))), false),
            (within(&[]), true),
            (within(&[1]), true),
            (within(&[1, 2]), false),
            (Ties { leads_beyond: true, ..within(&[1]) }, false),
        ] {
            assert_eq!(may_be_changed_by_unit_admin(&ties, &own), may, "{ties:?}");
        }
    }

    #[test]
    fn who_leads_somebody_outside_is_found_up_the_tree_and_around() {
        // 1 leads 2, who leads 3 and 4; 5 and 6 lead each other, and 6 leads 7.
        let manager_of = HashMap::from([(2, 1), (3, 2), (4, 2), (5, 6), (6, 5), (7, 6)]);
        assert_eq!(leading(&manager_of, [3]), HashSet::from([2, 1]));
        assert_eq!(leading(&manager_of, [7]), HashSet::from([6, 5]));
        assert_eq!(leading(&manager_of, [1]), HashSet::new());
        assert_eq!(leading(&manager_of, []), HashSet::new());
    }

    #[test]
    fn reserved_addresses_are_told_by_the_domain() {
        for (email, reserved) in
            [("a@erased.invalid", true), ("a@No-Mail.INVALID", true), ("erased.invalid@b.example", false)]
        {
            assert_eq!(is_reserved_email(email), reserved, "{email}");
        }
    }

    #[test]
    fn who_was_erased_is_told_by_the_address() {
        assert!(is_erased(id(1), &erased_email(id(1))));
        for other in [erased_email(id(2)), "ada@example.org".into(), "@erased.invalid".into()] {
            assert!(!is_erased(id(1), &other), "{other}");
        }
    }

    #[test]
    fn cycles_are_named_once() {
        let edges = HashMap::from([(1, 2), (2, 3), (3, 1), (4, 1), (5, 5), (6, 7)]);
        let mut cycles: Vec<Vec<i32>> = manager_cycles(&edges);
        for cycle in &mut cycles {
            cycle.sort_unstable();
        }
        cycles.sort();
        assert_eq!(cycles, [vec![1, 2, 3], vec![5]]);
    }

    proptest! {
        #[test]
        fn without_its_cycles_a_forest_remains(edges in proptest::collection::hash_map(0_u8..40, 0_u8..40, 0..40)) {
            let on_cycles: HashSet<u8> = manager_cycles(&edges).into_iter().flatten().collect();
            let rest: HashMap<u8, u8> = edges.iter().filter(|(who, _)| !on_cycles.contains(*who)).map(|(a, b)| (*a, *b)).collect();
            prop_assert!(manager_cycles(&rest).is_empty());
            // Everybody named comes back to themselves.
            for who in on_cycles {
                let mut at = edges[&who];
                for _ in 0..edges.len() {
                    if at == who { break; }
                    at = edges[&at];
                }
                prop_assert_eq!(at, who);
            }
        }
    }
}
