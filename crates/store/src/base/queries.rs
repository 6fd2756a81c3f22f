//! The statements that objects have in common, each written once.
//!
//! These are macros, and not functions, because every query is checked when the crate is compiled:
//! its text has to consist of literals, which sqlx joins with `+`.

/// Declares a macro that runs a query of whole rows, and makes an object of each.
///
/// It names the columns and the object once. The macro that it declares takes the text before the
/// columns, the text after them if there is one, and the arguments:
///
/// ```ignore
/// rows! { ($) plan_rows = "id, name" => |row| Plan { id: PlanId(row.id), name: row.name } }
///
/// plan_rows!("SELECT", "FROM plans WHERE id = $1"; id).fetch_one(tx.conn())
/// ```
///
/// The `($)` is the dollar sign of the declared macro: a macro cannot write one of its own.
macro_rules! rows {
    (($d:tt) $name:ident = $columns:literal => $object:expr) => {
        macro_rules! $name {
                            (
                                $d before:literal $d(+ $d more:literal)*
                                $d(, $d after:literal $d(+ $d rest:literal)*)?
                                $d(; $d($d arg:expr),+ $d(,)?)?
                            ) => {
                                sqlx::query!(
                                    $d before $d(+ $d more)* + " " + $columns
                                        $d(+ " " + $d after $d(+ $d rest)*)? $d(, $d($d arg),+)?
                                )
                                .map($object)
                            };
                        }
    };
}

/// Declares functions that remove the rows of the platform for which a condition on a time, `$1`,
/// holds: so many at most, and none that another transaction has locked. Each returns their number.
macro_rules! prunes {
    ($(
        $(#[$doc:meta])*
        $name:ident: $table:literal by $key:literal where $condition:literal;
    )+) => {$(
        $(#[$doc])*
        pub async fn $name(
            tx: &mut $crate::PlatformTx,
            before: chrono::DateTime<chrono::Utc>,
            most: i64,
        ) -> Result<u64, $crate::StoreError> {
            let pruned = sqlx::query!(
                "DELETE FROM " + $table + " WHERE (" + $key + ") IN (SELECT " + $key + " FROM "
                    + $table + " WHERE " + $condition + " LIMIT $2 FOR UPDATE SKIP LOCKED)",
                before,
                most
            )
            .execute(tx.conn())
            .await?;
            Ok(pruned.rows_affected())
        }
    )+};
}

pub(crate) use {prunes, rows};
