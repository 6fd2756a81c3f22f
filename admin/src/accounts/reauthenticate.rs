//! Proof of the password again, before changes that a stolen access token must not make.

use store::account::{self, AccountId, Credentials};

use super::attempts::Try;
use crate::app::App;
use crate::http::caller::Caller;
use crate::http::problem::Problem;
use crate::identity::password::Password;

/// The wrong passwords of a session's account in a quarter of an hour. Only sessions of the account
/// get here.
const WRONG: i32 = 10;

/// Compares the password of the account that has logged in. A wrong one is a wrong field: the
/// session is as good as before.
pub async fn authenticate(
    app: &App,
    caller: &Caller,
    account: AccountId,
    field: &'static str,
    password: Password,
) -> Result<Credentials, Problem> {
    let now = (app.clock)();
    let mut tx = app.store.platform(&caller.actor()).await?;
    let attempt = Try::of_kind(&mut tx, "password", &account.to_string(), WRONG, now).await?;
    let found = account::lock(&mut tx, account).await?;
    tx.commit().await?;
    let same = app.passwords.verify(password, found.password.clone()).await?;
    let mut tx = app.store.platform(&caller.actor()).await?;
    if same {
        attempt.forgive(&mut tx).await?;
    } else {
        account::login_failed(&mut tx, Some(account), "password").await?;
    }
    tx.commit().await?;
    if same { Ok(found) } else { Err(Problem::field(field, "is not the password of the account")) }
}
