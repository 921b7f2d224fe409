//! SQL types that mean the same on both databases: ids, instants and JSON.
//!
//! | type | Rust | Postgres | SQLite |
//! |---|---|---|---|
//! | [`SqlId`] | `Uuid` | `uuid` | 36 lower-case characters, which sort as the bytes do |
//! | [`SqlInstant`] | `DateTime<Utc>` | `timestamptz` | integer microseconds since 1970 |
//! | [`SqlJson`] | `serde_json::Value` | `jsonb` | text |

use std::io::Write;

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgTypeMetadata, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{self, HasSqlType, SqlType};
use diesel::sqlite::{Sqlite, SqliteType, SqliteValue};
use serde_json::Value;
use uuid::Uuid;

use super::conn::{MultiBackend, MultiRawValue};

macro_rules! sql_type {
    ($name:ident, $oid:literal, $array:literal, $sqlite:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
        pub struct $name;

        impl HasSqlType<$name> for Pg {
            fn metadata(_: &mut Self::MetadataLookup) -> PgTypeMetadata {
                PgTypeMetadata::new($oid, $array)
            }
        }
        impl HasSqlType<$name> for Sqlite {
            fn metadata(_: &mut ()) -> SqliteType {
                SqliteType::$sqlite
            }
        }
        impl HasSqlType<$name> for MultiBackend {
            fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
                Self::lookup_sql_type::<$name>(lookup)
            }
        }
    };
}

sql_type!(SqlId, 2950, 2951, Text, "A UUID.");
sql_type!(SqlInstant, 1184, 1185, Long, "An instant in UTC, to the microsecond.");
sql_type!(SqlJson, 3802, 3807, Text, "A JSON document.");

macro_rules! value {
    ($sql:ident, $bind:ident, $rust:ty, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, AsExpression)]
        #[diesel(sql_type = $sql)]
        pub struct $bind(pub $rust);

        impl ToSql<$sql, MultiBackend> for $bind {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
                out.set_value(($sql, self));
                Ok(IsNull::No)
            }
        }
        impl FromSql<$sql, MultiBackend> for $rust {
            fn from_sql(raw: MultiRawValue<'_>) -> deserialize::Result<Self> {
                raw.from_sql::<$rust, $sql>()
            }
        }
    };
}

value!(SqlId, Id, Uuid, "Binds a `Uuid` into a statement; rows are read as plain `Uuid`.");
value!(SqlInstant, At, DateTime<Utc>, "Binds an instant into a statement; rows are read as plain `DateTime<Utc>`.");
value!(SqlJson, Json, Value, "Binds a JSON document into a statement; rows are read as plain `Value`.");

impl Copy for Id {}
impl Copy for At {}

impl ToSql<SqlId, Pg> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<sql_types::Uuid, Pg>::to_sql(&self.0, out)
    }
}
impl FromSql<SqlId, Pg> for Uuid {
    fn from_sql(raw: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<sql_types::Uuid, Pg>::from_sql(raw)
    }
}
impl ToSql<SqlId, Sqlite> for Id {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.hyphenated().to_string());
        Ok(IsNull::No)
    }
}
impl FromSql<SqlId, Sqlite> for Uuid {
    fn from_sql(raw: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let text = <*const str as FromSql<sql_types::Text, Sqlite>>::from_sql(raw)?;
        parse_text(text, |text| Ok(Uuid::try_parse(text)?))
    }
}

impl ToSql<SqlInstant, Pg> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<sql_types::Timestamptz, Pg>::to_sql(&self.0, &mut out.reborrow())
    }
}
impl FromSql<SqlInstant, Pg> for DateTime<Utc> {
    fn from_sql(raw: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<sql_types::Timestamptz, Pg>::from_sql(raw)
    }
}
impl ToSql<SqlInstant, Sqlite> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.timestamp_micros());
        Ok(IsNull::No)
    }
}
impl FromSql<SqlInstant, Sqlite> for DateTime<Utc> {
    fn from_sql(raw: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<sql_types::BigInt, Sqlite>>::from_sql(raw)?;
        DateTime::from_timestamp_micros(micros).ok_or_else(|| "instant out of range".into())
    }
}

impl ToSql<SqlJson, Pg> for Json {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        ToSql::<sql_types::Jsonb, Pg>::to_sql(&self.0, &mut out.reborrow())
    }
}
impl FromSql<SqlJson, Pg> for Value {
    fn from_sql(raw: PgValue<'_>) -> deserialize::Result<Self> {
        FromSql::<sql_types::Jsonb, Pg>::from_sql(raw)
    }
}
impl ToSql<SqlJson, Sqlite> for Json {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(serde_json::to_string(&self.0)?);
        Ok(IsNull::No)
    }
}
impl FromSql<SqlJson, Sqlite> for Value {
    fn from_sql(raw: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let text = <*const str as FromSql<sql_types::Text, Sqlite>>::from_sql(raw)?;
        parse_text(text, |text| Ok(serde_json::from_str(text)?))
    }
}

/// Where Postgres has a row: its `ctid`. It is another one when the row has been changed.
#[derive(Debug, Clone, Copy, QueryId, SqlType)]
#[diesel(postgres_type(oid = 27, array_oid = 1010))]
pub struct SqlTid;

/// A value of [`SqlTid`], as Postgres sends it: four bytes of the page, two of the row in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, AsExpression, FromSqlRow)]
#[diesel(sql_type = SqlTid)]
pub struct Tid([u8; 6]);

impl FromSql<SqlTid, Pg> for Tid {
    fn from_sql(raw: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(raw.as_bytes().try_into()?))
    }
}
impl ToSql<SqlTid, Pg> for Tid {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&self.0)?;
        Ok(IsNull::No)
    }
}

/// Reads the text of a SQLite value in place, without a copy.
#[expect(unsafe_code, reason = "diesel hands text out as a pointer into the row, valid while the value is")]
fn parse_text<T>(text: *const str, parse: impl FnOnce(&str) -> deserialize::Result<T>) -> deserialize::Result<T> {
    // SAFETY: the pointer comes from the `SqliteValue` consumed by the caller, whose row outlives this call.
    parse(unsafe { &*text })
}
