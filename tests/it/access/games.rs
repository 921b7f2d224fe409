//! Rows about games, teams, points and badges. The game is of the world's course.

use super::{Row, STAFF, TEACHERS, row};
use crate::support::factory::unique;
use crate::support::world::Who::{Admin, Author, CourseAuthor, CourseInstructor, Instructor, Manager, Owner};
use crate::support::world::{EVERYONE, World};
use crate::support::{Value, json};

fn fields(world: &World) -> Value {
    json!({
        "title": unique("Game "), "scope": {"kind": "course", "id": world.id("course_id")}, "mode": "teams", "open_teams": true,
        "point_rules": [{"event": "module.completed", "points": 10}],
        "leagues": {"period": "week", "tiers": ["Bronze", "Silver"], "group_size": 4, "promote": 1, "relegate": 1},
    })
}

fn game(world: &World) {
    world.set("game_id", world.app.admin().post("/v1/games", fields(world)).expect(201).id());
}

fn team(world: &World) {
    let path = format!("/v1/games/{}/teams", world.id("game_id"));
    let made = world.app.admin().post(&path, json!({"name": unique("Team ")})).expect(201);
    world.set("team_id", made.id());
    world.set("team_code", made["code"].as_str().expect("a code").into());
}

fn badge(world: &World) {
    let path = format!("/v1/games/{}/badges", world.id("game_id"));
    world.set("badge_id", world.app.admin().post(&path, json!({"title": unique("Badge ")})).expect(201).id());
}

fn award(world: &World) {
    badge(world);
    let path = format!("/v1/badges/{}/awards", world.id("badge_id"));
    let made = world.app.admin().post(&path, json!({"user_id": world.id("user_id")})).ok();
    world.set("award_id", made.id());
}

/// Somebody who earned suspiciously fast.
fn flag(world: &World) {
    use cairn::db::schema::game_flags as flags;
    use cairn::db::types::{At, Id};
    use diesel::{ExpressionMethods, RunQueryDsl};
    let now = world.app.state.clock.now();
    let id = cairn::clock::new_id(now);
    let of = |name| -> uuid::Uuid { world.id(name).parse().expect("an id") };
    let (game, user) = (of("game_id"), of("user_id"));
    let make = move |conn: &mut cairn::db::Conn| {
        diesel::insert_into(flags::table)
            .values((
                flags::id.eq(Id(id)),
                flags::game_id.eq(Id(game)),
                flags::user_id.eq(Id(user)),
                flags::kind.eq("too_fast"),
                flags::detail.eq("Ten modules in a minute."),
                flags::state.eq("open"),
                flags::at.eq(At(now)),
            ))
            .execute(conn)?;
        Ok(())
    };
    world.app.state.db.write_here(make).expect("a flag");
    world.set("flag_id", id.to_string());
}

fn member(world: &World) {
    let team = format!("/v1/games/{}/teams/{}/members", world.id("game_id"), world.id("team_id"));
    world.app.admin().put(&format!("{team}/{}", world.id("user_id")), json!({})).ok();
}

/// What the rows are about.
pub fn prepare(world: &World) {
    game(world);
    team(world);
    award(world);
    flag(world);
}

pub fn rows() -> Vec<Row> {
    let (read, write) = (&["games:read"], &["games:write"]);
    vec![
        row("list_games", read, EVERYONE),
        row("get_game", read, EVERYONE),
        row("get_leaderboard", read, EVERYONE),
        row("get_levels", read, EVERYONE),
        row("get_league", read, EVERYONE),
        row("list_matches", read, EVERYONE),
        row("list_teams", read, EVERYONE),
        row("get_team", read, EVERYONE),
        row("list_team_members", read, EVERYONE),
        row("list_badges", read, EVERYONE),
        row("get_badge", read, EVERYONE),
        // Of those who may not see all, everybody sees their own.
        row("list_ledger", read, EVERYONE),
        row("get_game_preferences", &[], EVERYONE),
        row("set_game_preferences", &[], EVERYONE).with(|_| json!({"display": "named"})),
        row("list_user_points", read, &[Admin, Instructor, Manager, Owner]).seen_by(&[]),
        row("list_user_badges", read, &[Admin, Instructor, Manager, Owner]).seen_by(&[]),
        row("create_game", write, STAFF).with(fields),
        row("update_game", write, STAFF).with(|_| json!({"title": unique("Game ")})),
        row("correct_points", write, TEACHERS)
            .with(|world| json!({"user_id": world.id("user_id"), "points": 1, "reason": "Helped."})),
        row("list_flags", write, TEACHERS),
        row("resolve_flag", write, TEACHERS).with(|_| json!({"resolution": "dismissed"})),
        row("create_badge", write, STAFF).with(|_| json!({"title": unique("Badge ")})),
        row("update_badge", write, STAFF).with(|_| json!({"title": unique("Badge ")})),
        row("award_badge", write, TEACHERS).with(|world| json!({"user_id": world.id("user_id")})),
        row("list_badge_awards", write, TEACHERS),
        row("revoke_badge_award", write, TEACHERS).with(|_| json!({"reason": "By mistake."})).after(award),
        row("delete_badge", write, STAFF).after(badge),
        row("create_team", write, STAFF).with(|_| json!({"name": unique("Team ")})),
        row("update_team", write, STAFF).with(|_| json!({"name": unique("Team ")})),
        row("join_team", &[], EVERYONE).with(|world| json!({"code": world.id("team_code")})),
        row("set_team_member", write, STAFF),
        // Players leave by themselves where they join by themselves.
        row("remove_team_member", write, &[Admin, Author, Instructor, CourseAuthor, CourseInstructor, Owner])
            .after(member),
        row("draw_teams", write, STAFF).with(|_| json!({"teams": 2, "balance": "size", "seed": 7})),
        row("schedule_matches", write, STAFF).with(|_| json!({"format": "round_robin", "round_seconds": 604_800})),
        row("draw_leagues", write, STAFF),
        row("replay_game", write, STAFF).with(|_| json!({})),
        row("delete_team", write, STAFF).after(team),
        // What has happened must have been counted first.
        row("close_game", write, STAFF).after(|world| world.app.dispatch()),
        // The stream of a closed game ends at once.
        row("watch_game", read, EVERYONE),
        row("get_game_report", write, TEACHERS),
        row("delete_game", write, STAFF).after(game),
    ]
}
