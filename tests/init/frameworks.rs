//! Databases that frameworks made themselves: their migrations on SQLite and on PostgreSQL, and a few rows that their mappers
//! wrote. `frameworks/<name>/source.sql` and `target.sql` are dumps of both. Dates of the dump's day are rewritten.

use super::{Pair, Proposal, is_sound, refused_lines, replaced};
use crate::support::golden::{self, Redactor};
use crate::support::postgres::Database;
use crate::support::sqlite;
use crate::support::tool::Place;

/// Proposes a mapping for both databases of a framework, compares it with the golden file, answers its questions, and runs it.
///
/// `answers`: the beginning of each open question's line, and what replaces the line. `result`: that of the query afterwards.
#[track_caller]
fn arrives(name: &str, answers: &[(&str, &str)], query: &str, result: &str) {
    let folder = format!("tests/init/frameworks/{name}");
    let place = Place::new();
    sqlite::of(&place, "app.db", &format!("{folder}/source.sql"));
    let pair = Pair { place, target: Database::of(&[format!("{folder}/target.sql").as_str()]) };
    let proposal: Proposal = pair.proposed(&[]);
    golden::same(&format!("init/{name}.toml"), &proposal.text, &Redactor::nothing());
    assert_eq!(proposal.questions(), answers.len(), "{}", proposal.text);
    assert_eq!(refused_lines(&proposal.text), [""; 0], "{}", proposal.text);
    pair.place.write("proposed.toml", &proposal.text);
    is_sound(&pair.place, &["-s", "app.db", "-t", &pair.target.url()], "proposed.toml");
    let mapping = answers.iter().fold(proposal.text, |text, (line, answer)| replaced(&text, line, answer));
    pair.with_mapping(&mapping, &["--yes"]).exits(0).says(&["Done and verified."]);
    assert_eq!(pair.target.value(query), result);
}

#[test]
fn django_needs_no_edit_although_ids_of_content_types_differ() {
    arrives(
        "django",
        &[],
        "SELECT string_agg(g.name || ' ' || t.app_label || ' ' || p.codename, ', ' ORDER BY p.codename) || '; ' ||
                (SELECT string_agg(spent::text, ', ' ORDER BY id) FROM work_entry)
         FROM auth_group g JOIN auth_group_permissions gp ON gp.group_id = g.id
         JOIN auth_permission p ON p.id = gp.permission_id JOIN django_content_type t ON t.id = p.content_type_id",
        "editors work add_tag, editors work change_project; 01:30:00, 24:00:00.000005, 00:00:45",
    );
}

#[test]
fn sqlalchemy_with_alembic_needs_the_zone() {
    arrives(
        "alembic",
        &[("zone = ", "zone = \"Europe/Berlin\"")],
        "SELECT string_agg(spent::text, ', ' ORDER BY id) || '; ' ||
                (SELECT string_agg((created_at AT TIME ZONE 'UTC')::text, ', ' ORDER BY id) FROM users)
         FROM entries",
        "01:30:00, 24:00:00.000005, 00:00:45; 2024-01-02 07:00:00, 2024-02-03 08:00:00.000005",
    );
}

#[test]
fn peewee_needs_no_edit() {
    arrives(
        "peewee",
        &[],
        "SELECT string_agg(p.name || ' ' || t.name, ', ' ORDER BY x.id) || '; ' || (SELECT max(serial) FROM entry)
         FROM project_tag_through x JOIN project p ON p.id = project_id JOIN tag t ON t.id = tag_id",
        "Shed garden, Shed house, Choir music; 9007199254740993",
    );
}

#[test]
fn knex_needs_the_zone_of_its_texts_and_a_loss_of_floats() {
    arrives(
        "knex",
        &[("zone = ", "zone = \"UTC\""), ("weight = ", "weight = { round = true }")],
        "SELECT string_agg(due || ' ' || (created_at AT TIME ZONE 'UTC'), ', ' ORDER BY id) || '; ' ||
                (SELECT string_agg(weight::text, ', ' ORDER BY id) FROM entries)
         FROM projects",
        "2024-06-30 2024-03-01 07:15:00.123, 2024-07-31 2024-04-05 01:35:37; 2.5, 0.33333334",
    );
}

#[test]
fn sequelize_needs_no_edit() {
    arrives(
        "sequelize",
        &[],
        "SELECT string_agg((at AT TIME ZONE 'UTC')::text, ', ' ORDER BY id) || '; ' || count(\"createdAt\") FROM \"Entries\"",
        "2024-03-01 07:15:00.123, 2024-03-02 00:00:00, 2024-03-03 01:02:03; 3",
    );
}

#[test]
fn typeorm_needs_no_edit() {
    arrives(
        "typeorm",
        &[],
        "SELECT string_agg(p.id || ' ' || p.budget || ' ' || p.state || ' ' || t.name, ', ' ORDER BY t.id)
         FROM project_tags_tag JOIN project p ON p.id = \"projectId\" JOIN tag t ON t.id = \"tagId\"",
        "12345678-90ab-4cde-8f00-112233445566 1250.50 open garden, 12345678-90ab-4cde-8f00-112233445566 1250.50 open house, \
         fedcba98-7654-4321-8f00-112233445566 300.00 done music",
    );
}

#[test]
fn drizzle_needs_the_zone() {
    arrives(
        "drizzle",
        &[("zone = ", "zone = \"UTC\"")],
        "SELECT options::text || ' ' || (changed_at AT TIME ZONE 'UTC') || ' ' || (SELECT max(serial) FROM entries)
         FROM projects WHERE id = 1",
        "{\"sizes\": [1, 2.5], \"colour\": \"green\"} 2024-03-01 07:15:00.123 9007199254740993",
    );
}

#[test]
fn django_rest_framework_needs_no_edit() {
    arrives(
        "drf",
        &[],
        "SELECT string_agg(u.username || ' ' || left(k.key, 2) || ' ' || (k.created AT TIME ZONE 'UTC'), ', ' ORDER BY u.id) || '; ' ||
                (SELECT string_agg(t.app_label || ' ' || p.codename, ', ') FROM auth_group_permissions
                 JOIN auth_permission p ON p.id = permission_id JOIN django_content_type t ON t.id = p.content_type_id)
         FROM authtoken_token k JOIN auth_user u ON u.id = k.user_id",
        "ann aa 2024-03-01 07:15:00.123456, ben bb 2024-03-01 07:15:00.123456; authtoken add_tokenproxy",
    );
}

#[test]
fn sqlmodel_needs_the_zone() {
    arrives(
        "sqlmodel",
        &[("zone = ", "zone = \"UTC\"")],
        "SELECT string_agg(spent::text || ' ' || (at AT TIME ZONE 'UTC'), ', ' ORDER BY id) FROM entry",
        "01:30:00 2024-03-01 07:15:00.123456, 24:00:00.000005 2024-03-02 00:00:00, 00:00:45 2024-03-03 01:02:03",
    );
}

#[test]
fn tortoise_needs_no_edit() {
    arrives(
        "tortoise",
        &[],
        "SELECT string_agg(p.budget || ' ' || t.name, ', ' ORDER BY t.id) || '; ' ||
                (SELECT string_agg(spent || ' ' || (at AT TIME ZONE 'UTC'), ', ' ORDER BY id) FROM entry)
         FROM project_tag JOIN project p ON p.id = project_id JOIN tag t ON t.id = tag_id",
        "1250.50 garden, 1250.50 house, 300.00 music; 5400000000 2024-03-01 07:15:00.123456, 86400000005 2024-03-02 00:00:00, \
         45000000 2024-03-03 01:02:03",
    );
}

#[test]
fn pony_needs_sql_for_intervals_in_days() {
    arrives(
        "pony",
        &[("spent = ", "spent = { sql = \"round(spent * 86400, 6)\", unit = \"s\" }")],
        "SELECT string_agg(p.id || ' ' || e.spent, ', ' ORDER BY e.id) FROM entry e JOIN project p ON p.id = e.project",
        "12345678-90ab-4cde-8f00-112233445566 01:30:00, 12345678-90ab-4cde-8f00-112233445566 24:00:00.000005, \
         fedcba98-7654-4321-8f00-112233445566 00:00:45",
    );
}

#[test]
fn rails_needs_no_edit_although_its_times_of_day_have_a_date() {
    arrives(
        "rails",
        &[],
        "SELECT string_agg(concat_ws(' ', starts, at, serial), ', ' ORDER BY id) || '; ' ||
                (SELECT string_agg(p.name || ' ' || t.name, ', ' ORDER BY t.id) FROM projects_tags
                 JOIN projects p ON p.id = project_id JOIN tags t ON t.id = tag_id)
         FROM entries",
        "09:05:00 2024-03-01 07:15:00.123456 9007199254740993, 2024-03-02 00:00:00 1, 20:00:00.5 2024-03-03 01:02:03 2; \
         Shed garden, Shed house, Choir music",
    );
}

#[test]
fn laravel_needs_no_edit() {
    arrives(
        "laravel",
        &[],
        "SELECT string_agg(concat_ws(' ', starts, at, serial), ', ' ORDER BY e.id) || '; ' || max(p.due) || ' ' || max(p.created_at)
         FROM entries e JOIN projects p ON p.id = project_id",
        "09:05:00 2024-03-01 07:15:00 9007199254740993, 2024-03-02 00:00:00 1, 20:00:00 2024-03-03 01:02:03 2; \
         2024-06-30 2024-01-02 08:00:00",
    );
}
