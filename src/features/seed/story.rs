//! Who did what in the past month. Times are days before today and minutes after midnight (UTC), so that the demo is always fresh.

/// Something that somebody does.
#[derive(Debug, Clone, Copy)]
pub enum Deed {
    /// Enrols themselves, with the access code where the course asks for one.
    Enroll,
    /// Enrols somebody else.
    Assign(&'static str),
    /// Enrols somebody else until so many days before now.
    AssignUntil(&'static str, u32),
    /// Lets somebody's request in.
    Approve(&'static str),
    /// Refuses somebody's request.
    Reject(&'static str),
    /// Leaves.
    Withdraw,
    /// Learns what is next, one thing after another.
    Learn {
        /// Stops after this module; after the last one when empty.
        until: &'static str,
        /// Quizzes answered badly the first time.
        badly: &'static [&'static str],
        /// Branches taken where there is a choice; else the first that is offered.
        branches: &'static [&'static str],
    },
    /// Begins a module and does not finish it.
    Begin(&'static str),
    /// Fails a quiz until no attempts are left.
    Fail(&'static str),
    /// Gives somebody another try at a quiz, or frees them of a module.
    Excuse(&'static str, &'static str),
}

/// A deed, its time, who does it and in which course.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    pub days_ago: u32,
    pub minute: u32,
    pub who: &'static str,
    pub course: &'static str,
    pub deed: Deed,
}

const fn at(days_ago: u32, hour: u32, who: &'static str, course: &'static str, deed: Deed) -> Scene {
    Scene { days_ago, minute: hour * 60, who, course, deed }
}

const fn all() -> Deed {
    Deed::Learn { until: "", badly: &[], branches: &[] }
}

const fn until(until: &'static str) -> Deed {
    Deed::Learn { until, badly: &[], branches: &[] }
}

const MARGUERITE: &str = "marguerite.okafor";
const RAFAEL: &str = "rafael.duarte";
const SAMIR: &str = "samir.haddad";
const AMARA: &str = "amara.nwosu";
const TOMAS: &str = "tomas.varga";
const PRIYA: &str = "priya.raman";
const WEI: &str = "li.wei";
const INGRID: &str = "ingrid.solberg";
const KOFI: &str = "kofi.mensah";
const LUCIA: &str = "lucia.ferrari";
const NOAH: &str = "noah.tremblay";

const AUTOPLAY: &str = "demo-autoplay";
const HURDLES: &str = "demo-hurdles";
const RANDOM: &str = "demo-random-access";
const STATIC: &str = "demo-static-branching";
const DYNAMIC: &str = "demo-dynamic-branching";

/// The author of the courses.
pub const AUTHOR: &str = "hanna.lindqvist";
/// Days before now at which the people were made and the courses published.
pub const OPENING_DAY: u32 = 31;

/// The scenes, oldest first.
pub const SCENES: &[Scene] = &[
    // Autoplay: completed twice, half-way, left, not begun.
    at(26, 8, AMARA, AUTOPLAY, Deed::Enroll),
    at(26, 9, AMARA, AUTOPLAY, all()),
    at(25, 8, LUCIA, AUTOPLAY, Deed::Enroll),
    at(25, 9, LUCIA, AUTOPLAY, until("welcome")),
    at(24, 8, KOFI, AUTOPLAY, Deed::Enroll),
    at(24, 9, KOFI, AUTOPLAY, until("in-person-notes")),
    // Hurdles: one failed and recovered, one waits for remediation, one is under way, one ran out of time.
    at(23, 7, PRIYA, HURDLES, Deed::Enroll),
    at(23, 8, PRIYA, HURDLES, Deed::Learn { until: "", badly: &["hurdle-inventory"], branches: &[] }),
    at(22, 7, SAMIR, HURDLES, Deed::AssignUntil(LUCIA, 5)),
    at(22, 8, LUCIA, HURDLES, until("take-apart")),
    at(21, 8, INGRID, AUTOPLAY, Deed::Enroll),
    at(21, 9, INGRID, AUTOPLAY, all()),
    at(20, 8, WEI, HURDLES, Deed::Enroll),
    at(20, 9, WEI, HURDLES, until("one-idea")),
    // Random access: by access code; one went straight through, one reads here and there.
    at(19, 8, PRIYA, RANDOM, Deed::Enroll),
    at(19, 9, PRIYA, RANDOM, all()),
    at(18, 8, WEI, RANDOM, Deed::Enroll),
    at(18, 9, WEI, RANDOM, until("check-random")),
    // Static branching: four seats, assigned by managers; two people wait for one.
    at(17, 7, RAFAEL, STATIC, Deed::Assign(AMARA)),
    at(17, 8, RAFAEL, STATIC, Deed::Assign(TOMAS)),
    at(17, 9, RAFAEL, STATIC, Deed::Assign(PRIYA)),
    at(17, 10, RAFAEL, STATIC, Deed::Assign(WEI)),
    at(17, 11, MARGUERITE, STATIC, Deed::Assign(INGRID)),
    at(17, 12, MARGUERITE, STATIC, Deed::Assign(KOFI)),
    at(16, 9, AMARA, STATIC, Deed::Learn { until: "quiz-mastery", badly: &[], branches: &["mastery"] }),
    at(15, 9, TOMAS, STATIC, Deed::Learn { until: "leaderboards", badly: &[], branches: &["gamification"] }),
    // Dynamic branching: an instructor approves; one does well, one needs the remedial route.
    at(14, 7, KOFI, DYNAMIC, Deed::Enroll),
    at(14, 8, SAMIR, DYNAMIC, Deed::Approve(KOFI)),
    at(14, 9, KOFI, DYNAMIC, Deed::Learn { until: "", badly: &[], branches: &["simulation-path"] }),
    at(13, 7, INGRID, DYNAMIC, Deed::Enroll),
    at(13, 8, SAMIR, DYNAMIC, Deed::Approve(INGRID)),
    at(
        12,
        9,
        INGRID,
        DYNAMIC,
        Deed::Learn { until: "guided-example", badly: &["starting-point", "route-check"], branches: &["case-path"] },
    ),
    at(11, 8, LUCIA, AUTOPLAY, Deed::Withdraw),
    at(10, 7, LUCIA, DYNAMIC, Deed::Enroll),
    at(10, 9, SAMIR, DYNAMIC, Deed::Reject(LUCIA)),
    at(9, 8, TOMAS, HURDLES, Deed::Enroll),
    at(9, 9, TOMAS, HURDLES, Deed::Learn { until: "hurdle-build", badly: &["hurdle-build"], branches: &[] }),
    at(7, 8, AMARA, HURDLES, Deed::Enroll),
    at(7, 9, SAMIR, HURDLES, Deed::Excuse(AMARA, "take-apart")),
    at(7, 10, AMARA, HURDLES, until("hurdle-inventory")),
    at(4, 8, INGRID, RANDOM, Deed::Enroll),
    at(4, 9, INGRID, RANDOM, Deed::Fail("final")),
    at(3, 9, NOAH, AUTOPLAY, Deed::Enroll),
    at(3, 10, NOAH, AUTOPLAY, Deed::Begin("welcome")),
    at(2, 9, NOAH, DYNAMIC, Deed::Enroll),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_are_in_order_and_after_the_opening() {
        let times: Vec<_> = SCENES.iter().map(|s| (std::cmp::Reverse(s.days_ago), s.minute)).collect();
        assert!(times.is_sorted());
        assert!(SCENES.iter().all(|s| s.days_ago < OPENING_DAY));
    }
}
