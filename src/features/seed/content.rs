//! The demo's courses and people, as they were written.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::outline::Outline;
use crate::domain::permission::Role;
use crate::error::{AppError, AppResult};
use crate::features::courses::dto::CourseIn;

/// A course with its outline.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoCourse {
    pub course: CourseIn,
    pub outline: Outline,
}

/// A person; their manager by e-mail, who stands above them in the list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoPerson {
    pub email: String,
    pub given_name: String,
    pub family_name: String,
    pub roles: Vec<Role>,
    pub external_id: String,
    pub attributes: Map<String, Value>,
    pub locale: String,
    pub time_zone: String,
    pub manager: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct People {
    people: Vec<DemoPerson>,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Demo {
    pub courses: Vec<DemoCourse>,
    pub people: Vec<DemoPerson>,
}

const COURSES: [&str; 5] = [
    include_str!("content/linear_autoplay.json"),
    include_str!("content/linear_hurdles.json"),
    include_str!("content/random_access.json"),
    include_str!("content/static_branching.json"),
    include_str!("content/dynamic_branching.json"),
];

/// Reads what is built into the binary.
///
/// # Errors
/// When it has a mistake, which the tests would find.
pub fn load() -> AppResult<Demo> {
    let courses = COURSES.iter().map(|text| serde_json::from_str(text).map_err(AppError::internal));
    let people: People = serde_json::from_str(include_str!("content/people.json")).map_err(AppError::internal)?;
    Ok(Demo { courses: courses.collect::<AppResult<_>>()?, people: people.people })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::lint;
    use crate::domain::outline::DeliveryMode;
    use crate::error::Faults;
    use crate::http::Input;

    #[test]
    fn every_course_can_be_published_without_a_warning() {
        let now = "2026-11-24T09:00:00Z".parse().unwrap();
        for DemoCourse { course, outline } in load().unwrap().courses {
            let mut faults = Faults::new();
            course.check(&mut faults);
            assert!(faults.is_empty(), "{}: {:?}", course.title, faults.into_vec());
            let report =
                lint::lint(&outline, course.style, course.delivery_mode.unwrap_or(DeliveryMode::SelfPaced), &[], now);
            assert!(report.errors.is_empty(), "{}: {:?}", course.title, report.errors);
            assert!(report.warnings.is_empty(), "{}: {:?}", course.title, report.warnings);
        }
    }

    #[test]
    fn there_is_a_course_in_each_style_and_each_manager_comes_before_their_people() {
        let demo = load().unwrap();
        let mut styles: Vec<_> = demo.courses.iter().map(|c| c.course.style.as_str()).collect();
        styles.sort_unstable();
        assert_eq!(
            styles,
            ["dynamic_branching", "linear_autoplay", "linear_hurdles", "random_access", "static_branching"]
        );
        for (n, person) in demo.people.iter().enumerate() {
            if let Some(manager) = &person.manager {
                assert!(demo.people[..n].iter().any(|p| &p.email == manager), "{}", person.email);
            }
        }
    }
}
