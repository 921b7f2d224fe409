//! An outline made ready for the path engine: modules in one array, keys resolved. Immutable, so it is cached per revision.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use uuid::Uuid;

use super::{Choose, CompleteWhen, Module, Order, Outline, Release, Route, Stage, Style};
use crate::domain::condition::Condition;
use crate::domain::mastery::coverage::Alignment;

/// Position of a module in [`Compiled::modules`].
pub type ModuleIx = usize;

/// A stage with its modules as ranges.
#[derive(Debug)]
pub struct CompiledStage {
    /// The stage's key.
    pub key: String,
    /// For people.
    pub title: Option<String>,
    /// What kind it is.
    pub shape: StageShape,
    /// All modules in it.
    pub modules: Range<ModuleIx>,
}

/// What kind a stage is.
#[derive(Debug)]
pub enum StageShape {
    /// Modules one after the other, or in any order.
    Sequence(Order),
    /// Branches.
    Choice {
        /// How many must be done.
        choose: Choose,
        /// Who picks.
        route: Route,
        /// One at a time.
        exclusive: bool,
        /// The branches.
        branches: Vec<CompiledBranch>,
    },
}

/// A branch with its modules as a range.
#[derive(Debug)]
pub struct CompiledBranch {
    /// The branch's key.
    pub key: String,
    /// For people.
    pub title: Option<String>,
    /// Who may take it.
    pub when: Option<Condition>,
    /// Its modules.
    pub modules: Range<ModuleIx>,
}

/// Which facts from outside of the enrollment the conditions ask about, so that only those are loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FactNeeds {
    /// Profile attributes.
    pub attributes: bool,
    /// The time of the last learning event.
    pub activity: bool,
    /// Certificates of these courses.
    pub certificates: Vec<Uuid>,
    /// Enrollments in these courses.
    pub courses: Vec<Uuid>,
    /// Badges.
    pub badges: Vec<Uuid>,
    /// Points and levels in these games.
    pub games: Vec<Uuid>,
    /// Membership of these groups.
    pub groups: Vec<Uuid>,
    /// Mastery of these competencies.
    pub competencies: Vec<Uuid>,
    /// Due dates of these competencies beside their mastery.
    pub dues: Vec<Uuid>,
}

impl FactNeeds {
    /// What a single condition asks about.
    #[must_use]
    pub fn of(condition: &Condition) -> Self {
        let mut needs = Self::default();
        condition.each_leaf(&mut |leaf| needs.add(leaf));
        needs.sort();
        needs
    }

    /// Adds what a leaf asks about.
    fn add(&mut self, leaf: &Condition) {
        match leaf {
            Condition::Attribute(_) => self.attributes = true,
            Condition::Inactive(_) => self.activity = true,
            Condition::Certificate(leaf) => self.certificates.push(leaf.course),
            Condition::Course(leaf) => self.courses.push(leaf.id),
            Condition::Group(leaf) => self.groups.push(leaf.id),
            Condition::Badge(leaf) => self.badges.push(leaf.id),
            Condition::Points(leaf) => self.games.push(leaf.game),
            Condition::Level(leaf) => self.games.push(leaf.game),
            Condition::Competency(leaf) => self.competencies.push(leaf.id),
            Condition::Behind(leaf) => self.dues.push(leaf.competency),
            _ => {}
        }
    }

    /// Adds what other conditions ask about.
    pub fn extend(&mut self, other: &Self) {
        self.attributes |= other.attributes;
        self.activity |= other.activity;
        for (list, more) in [
            (&mut self.certificates, &other.certificates),
            (&mut self.courses, &other.courses),
            (&mut self.badges, &other.badges),
            (&mut self.games, &other.games),
            (&mut self.groups, &other.groups),
            (&mut self.competencies, &other.competencies),
            (&mut self.dues, &other.dues),
        ] {
            list.extend(more.iter().copied().filter(|id| !list.contains(id)).collect::<Vec<_>>());
        }
    }

    /// Leaves each id once.
    fn sort(&mut self) {
        for list in [
            &mut self.certificates,
            &mut self.courses,
            &mut self.badges,
            &mut self.games,
            &mut self.groups,
            &mut self.competencies,
            &mut self.dues,
        ] {
            let mut seen = HashSet::new();
            list.retain(|id| seen.insert(*id));
        }
    }

    /// True when something must be read about the learner each time.
    #[must_use]
    pub fn beyond_enrollment(&self) -> bool {
        let lists = [
            &self.certificates,
            &self.courses,
            &self.badges,
            &self.games,
            &self.groups,
            &self.competencies,
            &self.dues,
        ];
        self.attributes || lists.iter().any(|list| !list.is_empty())
    }
}

/// An outline made ready.
#[derive(Debug)]
pub struct Compiled {
    /// The course's style.
    pub style: Style,
    /// What completes a `random_access` course.
    pub complete_when: CompleteWhen,
    /// All modules, in order.
    pub modules: Vec<Module>,
    /// The stages, in order.
    pub stages: Vec<CompiledStage>,
    /// For each module the modules that its failed quiz sends back to.
    pub remediation: Vec<Vec<ModuleIx>>,
    /// What must be loaded.
    pub needs: FactNeeds,
    /// Which competencies its modules teach and assess.
    pub alignments: Vec<Alignment>,
    /// Whether any state depends on the time.
    pub time_sensitive: bool,
    index: HashMap<String, ModuleIx>,
}

impl Compiled {
    /// Makes an outline ready. It should have passed the linter: of two equal keys the first wins, dangling names are ignored.
    #[must_use]
    pub fn new(outline: Outline, style: Style) -> Self {
        let complete_when = outline.complete_when.unwrap_or(CompleteWhen::Final);
        let mut modules: Vec<Module> = Vec::new();
        let mut stages = Vec::new();
        for stage in outline.stages {
            let begin = modules.len();
            let (key, title, shape) = match stage {
                Stage::Sequence(sequence) => {
                    modules.extend(sequence.modules);
                    (sequence.key, sequence.title, StageShape::Sequence(sequence.order))
                }
                Stage::Choice(choice) => {
                    let mut branches = Vec::new();
                    for branch in choice.branches {
                        let from = modules.len();
                        modules.extend(branch.modules);
                        let range = from..modules.len();
                        branches.push(CompiledBranch {
                            key: branch.key,
                            title: branch.title,
                            when: branch.when,
                            modules: range,
                        });
                    }
                    let shape = StageShape::Choice {
                        choose: choice.choose,
                        route: choice.route,
                        exclusive: choice.exclusive,
                        branches,
                    };
                    (choice.key, choice.title, shape)
                }
            };
            stages.push(CompiledStage { key, title, shape, modules: begin..modules.len() });
        }
        let mut index = HashMap::with_capacity(modules.len());
        for (ix, module) in modules.iter().enumerate() {
            index.entry(module.key.clone()).or_insert(ix);
        }
        let remediation = modules
            .iter()
            .map(|module| {
                module
                    .quiz()
                    .map_or_else(Vec::new, |q| q.remediation.iter().filter_map(|k| index.get(k).copied()).collect())
            })
            .collect();
        let alignments = modules.iter().flat_map(Module::alignments).collect();
        let mut compiled = Self {
            alignments,
            style,
            complete_when,
            modules,
            stages,
            remediation,
            needs: FactNeeds::default(),
            time_sensitive: false,
            index,
        };
        compiled.collect_needs();
        compiled
    }

    fn collect_needs(&mut self) {
        let mut needs = FactNeeds::default();
        let mut timed =
            self.modules.iter().any(|m| m.release.is_some() || m.quiz().is_some_and(|q| q.cooldown_seconds.is_some()));
        self.each_condition(|condition| {
            condition.each_leaf(&mut |leaf| {
                needs.add(leaf);
                timed |= matches!(
                    leaf,
                    Condition::Inactive(_)
                        | Condition::Certificate(_)
                        | Condition::Date(_)
                        | Condition::Elapsed(_)
                        | Condition::Behind(_)
                );
            });
        });
        needs.sort();
        self.needs = needs;
        self.time_sensitive = timed;
    }

    /// Visits every condition of the outline.
    pub fn each_condition(&self, mut visit: impl FnMut(&Condition)) {
        for module in &self.modules {
            module.when.iter().chain(&module.waive_when).for_each(&mut visit);
        }
        for stage in &self.stages {
            if let StageShape::Choice { branches, .. } = &stage.shape {
                branches.iter().filter_map(|b| b.when.as_ref()).for_each(&mut visit);
            }
        }
    }

    /// How many modules there are.
    #[must_use]
    pub fn module_count(&self) -> usize {
        self.modules.len()
    }

    /// The position of the module with this key.
    #[must_use]
    pub fn ix(&self, key: &str) -> Option<ModuleIx> {
        self.index.get(key).copied()
    }

    /// The module at a position that this outline gave out.
    #[must_use]
    pub fn module(&self, ix: ModuleIx) -> &Module {
        #[expect(clippy::indexing_slicing, reason = "positions come from this outline")]
        &self.modules[ix]
    }

    /// The modules that a failed quiz sends back to.
    #[must_use]
    pub fn remediation_of(&self, ix: ModuleIx) -> &[ModuleIx] {
        self.remediation.get(ix).map_or(&[], Vec::as_slice)
    }

    /// The stage with this key.
    #[must_use]
    pub fn stage(&self, key: &str) -> Option<&CompiledStage> {
        self.stages.iter().find(|stage| stage.key == key)
    }

    /// The release rule of a module.
    #[must_use]
    pub fn release(&self, ix: ModuleIx) -> Option<Release> {
        self.module(ix).release
    }
}
