//! Frameworks of competencies as they come from elsewhere: one draft, whatever the format, and its check.

pub mod case;
pub mod quotes;
pub mod table;

use std::collections::{HashMap, HashSet};

use super::mastery::Fault;

/// Characters of a competency's key.
pub const MAX_KEY: usize = 500;
/// Characters of its title.
pub const MAX_TITLE: usize = 1000;
/// Characters of its description.
pub const MAX_DESCRIPTION: usize = 5000;
/// Characters of its code and of its kind.
pub const MAX_SHORT: usize = 200;

/// A competency as it was imported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DraftCompetency {
    /// Its identifier where it comes from; unique in the framework.
    pub key: String,
    /// What it says.
    pub title: String,
    /// Key of its parent; `None` at the top.
    pub parent: Option<String>,
    /// The code by which people know it.
    pub code: Option<String>,
    /// What kind of entry it is there: skill, knowledge, standard.
    pub kind: Option<String>,
    /// More about it.
    pub description: Option<String>,
}

/// A framework as it was imported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Its identifier where it comes from.
    pub source: Option<String>,
    /// What it is called; empty when the format does not say.
    pub title: String,
    /// More about it.
    pub description: Option<String>,
    /// Who made it.
    pub creator: Option<String>,
    /// Its version there.
    pub version: Option<String>,
    /// In the order in which they are shown.
    pub competencies: Vec<DraftCompetency>,
    /// Where each of them stands in the input; empty when they stand there in this order.
    pub places: Vec<usize>,
    /// Pointers to what says where each of them hangs, in formats in which that stands elsewhere.
    pub links: Vec<Option<String>>,
    /// What the format says and Cairn does not keep, for whoever imports to read.
    pub left_out: Vec<String>,
}

/// What of an input could not be read, and is named already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Where entries stand with which something is wrong.
    pub entries: HashSet<usize>,
    /// Whether a key is unknown, so that a parent that is not found may be there all the same.
    pub keys: bool,
}

impl Gaps {
    /// Those of these faults, which were found in this list or before it; each of `keys` is where a key would stand in an entry, or
    /// empty for the entry as a whole.
    #[must_use]
    pub fn of(faults: &[Fault], list: &str, keys: &[&str]) -> Self {
        let mut gaps = Self::default();
        for fault in faults {
            let Some(rest) = fault.pointer.strip_prefix(list).and_then(|rest| rest.strip_prefix('/')) else {
                // The list itself, or what says how to read it.
                gaps.keys |= list.starts_with(&fault.pointer) || fault.pointer.starts_with("/header");
                continue;
            };
            let (n, field) = rest.split_once('/').unwrap_or((rest, ""));
            gaps.entries.extend(n.parse::<usize>());
            gaps.keys |= keys.contains(&field);
        }
        gaps
    }

    /// Whether all could be read.
    #[must_use]
    pub fn none(&self) -> bool {
        self.entries.is_empty() && !self.keys
    }
}

impl Draft {
    /// Where a competency stands in the input.
    #[must_use]
    pub fn place(&self, n: usize) -> usize {
        self.places.get(n).copied().unwrap_or(n)
    }

    /// Checks that the competencies form a tree; `list` is where they stand in the input. Names all faults that are certain whatever
    /// stands in the gaps.
    #[must_use]
    pub fn check(&self, list: &str, gaps: &Gaps) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut fault = |n: usize, field: &str, detail: String| {
            let link = self.links.get(n).filter(|_| field == "parent").cloned().flatten();
            let n = self.place(n);
            let pointer = link.unwrap_or_else(|| format!("{list}/{n}/{field}"));
            faults.push(Fault { pointer, detail });
        };
        let mut parents: HashMap<&str, Option<&str>> = HashMap::with_capacity(self.competencies.len());
        for (n, competency) in self.competencies.iter().enumerate() {
            let read = !gaps.entries.contains(&self.place(n));
            if competency.key.is_empty() {
                if !read {
                    continue;
                }
                fault(n, "key", "A competency needs a key.".to_owned());
            } else if parents.insert(&competency.key, competency.parent.as_deref()).is_some() {
                fault(n, "key", format!("`{}` is used twice.", competency.key));
            }
            if read && competency.title.trim().is_empty() {
                fault(n, "title", "A competency needs a title.".to_owned());
            }
        }
        // Whoever was found to end at the top is not walked again, so that deep trees cost no more than flat ones.
        let mut settled: HashSet<&str> = HashSet::with_capacity(parents.len());
        for (n, competency) in self.competencies.iter().enumerate() {
            if let Some(parent) = competency.parent.as_deref().filter(|p| !gaps.keys && !parents.contains_key(p)) {
                fault(n, "parent", format!("`{parent}` is not in this framework."));
            }
            let mut walked: HashSet<&str> = HashSet::new();
            let mut at = Some(competency.key.as_str());
            while let Some(key) = at.filter(|key| !settled.contains(key)) {
                if !walked.insert(key) {
                    fault(n, "parent", format!("`{}` is below itself.", competency.key));
                    break;
                }
                at = parents.get(key).copied().flatten();
            }
            settled.extend(walked);
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(pairs: &[(&str, Option<&str>)]) -> Draft {
        let competencies = pairs.iter().map(|(key, parent)| DraftCompetency {
            key: (*key).to_owned(),
            title: (*key).to_owned(),
            parent: parent.map(str::to_owned),
            ..DraftCompetency::default()
        });
        Draft { competencies: competencies.collect(), ..Draft::default() }
    }

    fn pointers(pairs: &[(&str, Option<&str>)]) -> Vec<String> {
        draft(pairs).check("/competencies", &Gaps::default()).into_iter().map(|f| f.pointer).collect()
    }

    #[test]
    fn a_tree_in_any_order_is_accepted() {
        assert!(pointers(&[("leaf", Some("root")), ("root", None), ("below", Some("leaf"))]).is_empty());
    }

    #[test]
    fn all_faults_are_named() {
        assert_eq!(
            pointers(&[("a", None), ("a", None), ("b", Some("nowhere"))]),
            ["/competencies/1/key", "/competencies/2/parent"]
        );
        assert_eq!(pointers(&[("a", Some("b")), ("b", Some("a")), ("c", Some("b"))]), ["/competencies/0/parent"]);
        assert_eq!(pointers(&[("a", Some("a"))]), ["/competencies/0/parent"]);
    }

    #[test]
    fn what_could_not_be_read_hides_nothing_that_is_certain() {
        let mut draft = draft(&[("a", None), ("", None), ("a", Some("nowhere")), ("c", Some("c"))]);
        draft.competencies[1].title.clear();
        let named = |gaps: &Gaps| draft.check("/l", gaps).into_iter().map(|f| f.pointer).collect::<Vec<_>>();
        let fault = |pointer: &str| Fault { pointer: pointer.to_owned(), detail: String::new() };
        let all = ["/l/1/key", "/l/1/title", "/l/2/key", "/l/2/parent", "/l/3/parent"];
        assert_eq!(named(&Gaps::of(&[fault("/other/1")], "/l", &["", "key"])), all);
        assert_eq!(named(&Gaps::of(&[fault("/l/1/at"), fault("/l/1/title")], "/l", &["", "key"])), all[2..]);
        for gap in ["/l/1", "/l/1/key", "/l", "/header/2"] {
            let mut found = named(&Gaps::of(&[fault(gap)], "/l", &["", "key"]));
            found.retain(|pointer| !pointer.starts_with("/l/1"));
            assert_eq!(found, ["/l/2/key", "/l/3/parent"], "{gap}");
        }
    }

    #[test]
    fn a_chain_of_14_000_is_walked_once() {
        let mut chain = draft(&[]);
        for n in 0..14_000 {
            let key = n.to_string();
            let parent = (n > 0).then(|| (n - 1).to_string());
            chain.competencies.push(DraftCompetency { title: key.clone(), key, parent, ..DraftCompetency::default() });
        }
        assert!(chain.check("", &Gaps::default()).is_empty());
        chain.competencies.reverse();
        assert!(chain.check("", &Gaps::default()).is_empty());
    }
}
