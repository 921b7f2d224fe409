//! Practice: the next item follows from the learner's estimated ability, and no answer counts for anything else.
//!
//! Items are those of quizzes that allow it (`practice: true`), whose module is open for the learner and that are not being attempted. What an item is like is
//! learnt from everybody's answers in the course; until then the author's word for its difficulty is taken.

use std::collections::HashMap;

use uuid::Uuid;

use crate::db::Conn;
use crate::domain::learning;
use crate::domain::mastery::ability::{self, Estimate, PracticeItem};
use crate::domain::path;
use crate::domain::permission::{Act, Missing};
use crate::domain::quiz::{self, Item};
use crate::error::{AppError, AppResult, Code, Fault, Faults};
use crate::features::competencies::dto::{PracticeIn, PracticeOut, PracticeQuery, PracticeResult};
use crate::features::competencies::store::{self};
use crate::features::enrollments::refused;
use crate::features::enrollments::state::{self, Loaded, find, find_locked, load, require_learning};
use crate::state::Ctx;

/// An item that may be practised, with where it stands.
struct Candidate<'a> {
    module: &'a str,
    item: &'a Item,
}

fn options(item: &Item) -> Option<u32> {
    match item {
        Item::SingleChoice(_) => item.choices().and_then(|choices| u32::try_from(choices.len()).ok()),
        Item::TrueFalse(_) => Some(2),
        _ => None,
    }
}

fn estimate((logit, answers): (f64, i32)) -> Estimate {
    Estimate { logit, answers: u32::try_from(answers).unwrap_or(0) }
}

fn stored(estimate: Estimate) -> (f64, i32) {
    (estimate.logit, i32::try_from(estimate.answers).unwrap_or(i32::MAX))
}

/// What the author thinks, 0 to 1, as the start of the estimate: 0.5 is average, each tenth 0.4 logits.
fn first_guess(item: &Item) -> Estimate {
    let logit = item.common().difficulty.map_or(0.0, |d| (d.clamp(0.0, 1.0) - 0.5) * 4.0);
    Estimate { logit, answers: 0 }
}

/// Whether an attempt at this quiz is running: practice would tell its answers.
fn running(loaded: &Loaded, ix: usize) -> bool {
    loaded.facts.record(ix).is_some_and(|record| record.open_attempt.is_some())
}

/// The items of open quizzes that may be practised.
fn candidates<'a>(loaded: &'a Loaded, ctx: &Ctx, filter: &PracticeQuery) -> Vec<Candidate<'a>> {
    let standing = loaded.standing(ctx);
    let open = |ix: usize| standing.of(ix).open() && !running(loaded, ix);
    let modules = loaded.outline.modules.iter().enumerate().filter(|(ix, _)| open(*ix)).map(|(_, module)| module);
    modules
        .filter(|module| filter.module.as_ref().is_none_or(|key| *key == module.key))
        .filter_map(|module| module.quiz().filter(|quiz| quiz.practice).map(|quiz| (module, quiz)))
        .flat_map(|(module, quiz)| quiz.items.iter().map(move |item| Candidate { module: &module.key, item }))
        .filter(|c| filter.competency_id.is_none_or(|id| c.item.common().competencies.iter().any(|link| link.id == id)))
        .collect()
}

type Key = (String, String);

/// The item that fits best, given the learner's ability.
fn choose(
    candidates: &[Candidate<'_>],
    ability: Estimate,
    difficulties: &HashMap<Key, Estimate>,
    seen: &HashMap<Key, u32>,
) -> PracticeOut {
    let items: Vec<PracticeItem> = (0_u128..)
        .zip(candidates)
        .map(|(n, c)| {
            let key = (c.module.to_owned(), c.item.common().key.to_owned());
            PracticeItem {
                id: Uuid::from_u128(n),
                difficulty: difficulties.get(&key).copied().unwrap_or_else(|| first_guess(c.item)),
                options: options(c.item),
                seen: seen.get(&key).copied().unwrap_or(0),
            }
        })
        .collect();
    let chosen = ability::next(ability, &items);
    let found = chosen.and_then(|item| Some((item, candidates.get(usize::try_from(item.id.as_u128()).ok()?)?)));
    PracticeOut {
        module: found.map(|(_, c)| c.module.to_owned()),
        item: found.map(|(_, c)| c.item.view(None)),
        ability: ability.logit,
        answers: ability.answers,
        chance: found.map(|(item, _)| ability::chance(ability.logit, item.difficulty.logit, item.options)),
    }
}

struct Known {
    ability: Estimate,
    difficulties: HashMap<Key, Estimate>,
    seen: HashMap<Key, u32>,
}

fn known(conn: &mut Conn, loaded: &Loaded) -> AppResult<Known> {
    let ability = store::practice::ability(conn, loaded.row.user_id, loaded.row.course_id)?;
    let difficulties = store::practice::difficulties(conn, loaded.row.course_id)?;
    let seen = store::practice::seen(conn, loaded.row.id)?;
    Ok(Known {
        ability: ability.map(estimate).unwrap_or_default(),
        difficulties: difficulties.into_iter().map(|(m, i, logit, n)| ((m, i), estimate((logit, n)))).collect(),
        seen: seen.into_iter().map(|(m, i, n)| ((m, i), u32::try_from(n).unwrap_or(u32::MAX))).collect(),
    })
}

/// The next item to practise.
///
/// # Errors
/// 404; 409 when the enrollment is not open for learning; 422 for a module or competency that does not exist.
pub fn next(conn: &mut Conn, ctx: &Ctx, enrollment: Uuid, filter: &PracticeQuery) -> AppResult<PracticeOut> {
    let row = find(conn, ctx, enrollment, Act::Learn)?;
    require_learning(&row, ctx.now)?;
    let loaded = load(conn, row)?;
    let mut faults = Faults::new();
    if filter.module.as_ref().is_some_and(|key| loaded.outline.ix(key).is_none()) {
        faults.add("?module", "unknown_module", "The course has no such module.");
    }
    if let Some(id) = filter.competency_id
        && store::competencies::find(conn, id)?.is_none()
    {
        faults.add("?competency_id", "unknown_competency", "There is no such competency.");
    }
    faults.finish()?;
    let known = known(conn, &loaded)?;
    Ok(choose(&candidates(&loaded, ctx, filter), known.ability, &known.difficulties, &known.seen))
}

/// Takes an answer, moves both estimates, and gives the next item.
///
/// # Errors
/// 403 with reasons when the quiz is locked, 403 for anybody but the learner; 404; 409 for a quiz that allows no practice or is being
/// attempted; 422 with every fault of the answer.
pub fn answer(conn: &mut Conn, ctx: &Ctx, enrollment: Uuid, input: PracticeIn) -> AppResult<PracticeResult> {
    let row = find_locked(conn, ctx, enrollment, Act::Learn)?;
    // Who may learn in another's place may not move the estimate of what that other can do.
    if ctx.actor.user_id() != Some(row.user_id) {
        let missing = Missing { scope: None, roles: vec!["learner"] };
        return Err(AppError::new(Code::Forbidden, "Only the learner practises.").with("missing", missing));
    }
    require_learning(&row, ctx.now)?;
    let loaded: Loaded = state::load(conn, row)?;
    let Some(ix) = loaded.outline.ix(&input.module) else {
        return Err(AppError::field("/module", "unknown_module", "The course has no such module."));
    };
    let access = path::access(&loaded.outline, &loaded.facts, ctx.now, ix);
    if !access.state.open() {
        return Err(refused(learning::refuse(&loaded.outline, ix, access)));
    }
    let quiz = loaded.outline.module(ix).quiz().filter(|quiz| quiz.practice);
    let Some(quiz) = quiz else {
        return Err(AppError::new(Code::WrongState, format!("`{}` is no quiz that may be practised.", input.module)));
    };
    if running(&loaded, ix) {
        let detail =
            format!("An attempt at `{}` is running; its items can be practised when it is over.", input.module);
        return Err(AppError::new(Code::WrongState, detail));
    }
    let Some(item) = quiz.item(&input.item) else {
        return Err(AppError::field("/item", "unknown_item", "The quiz has no such item."));
    };
    quiz::check_answer(item, &input.answer).map_err(|faults| {
        let faults = faults.into_iter().map(|f| Fault { pointer: f.pointer, code: f.code.into(), detail: f.detail });
        AppError::invalid(faults.collect())
    })?;
    let answers = std::collections::BTreeMap::from([(input.item.clone(), input.answer.clone())]);
    let graded = quiz::grade(quiz, &answers).items.into_iter().find(|graded| graded.key == input.item);
    let share = quiz::share(item, Some(&input.answer));
    let score = share.unwrap_or(0.0);
    let result = match share {
        None => "blank",
        Some(s) if s >= 1.0 => "right",
        Some(s) if s > 0.0 => "partly_right",
        Some(_) => "wrong",
    };
    let mut known = known(conn, &loaded)?;
    let key = (input.module.clone(), input.item.clone());
    let difficulty = known.difficulties.get(&key).copied().unwrap_or_else(|| first_guess(item));
    let (ability, difficulty) = ability::answered(known.ability, difficulty, options(item), score);
    let names = (input.module.as_str(), input.item.as_str());
    store::practice::insert_answer(conn, ctx.new_id(), enrollment, names, score, ctx.now)?;
    store::practice::set_ability(conn, loaded.row.user_id, loaded.row.course_id, stored(ability), ctx.now)?;
    store::practice::set_difficulty(conn, loaded.row.course_id, names, stored(difficulty))?;
    known.difficulties.insert(key.clone(), difficulty);
    let times = known.seen.entry(key).or_default();
    *times = times.saturating_add(1);
    let filter = PracticeQuery { module: Some(input.module), competency_id: None };
    let next = choose(&candidates(&loaded, ctx, &filter), ability, &known.difficulties, &known.seen);
    Ok(PracticeResult { score, result, feedback: graded.map(|g| g.feedback).unwrap_or_default(), next })
}
