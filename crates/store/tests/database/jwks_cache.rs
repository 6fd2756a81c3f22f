//! The keys of issuers that xds-server keeps from one start to the next.

use std::time::Duration;

use sqlx::Executor as _;
use store::jwks_cache::{all, prune, put, remove};

use crate::fixture::with_database;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn the_newest_set_of_a_url_is_kept_with_its_age() {
    with_database(async |database| {
        let reader = database.reader().await;
        put(&reader, &[1; 32], "new", HOUR, DAY).await.unwrap();
        put(&reader, &[1; 32], "old", 2 * HOUR, HOUR).await.unwrap();
        put(&reader, &[2; 32], "other", Duration::ZERO, HOUR).await.unwrap();
        let mut found = all(&reader).await.unwrap();
        found.sort_by_key(|cached| cached.url_digest);
        let [first, second] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            (first.jwks.as_str(), first.lifetime, second.jwks.as_str()),
            ("new", DAY, "other")
        );
        assert!(first.age >= HOUR && first.age < HOUR + Duration::from_secs(60), "{:?}", first.age);
        put(&reader, &[1; 32], "newer", Duration::ZERO, HOUR).await.unwrap();
        remove(&reader, &[2; 32]).await.unwrap();
        let found = all(&reader).await.unwrap();
        assert_eq!((found.len(), found[0].jwks.as_str(), found[0].lifetime), (1, "newer", HOUR));
    })
    .await;
}

#[tokio::test]
async fn old_sets_that_nobody_uses_are_pruned() {
    with_database(async |database| {
        let reader = database.reader().await;
        for (number, age) in [(1, 3 * DAY), (2, 3 * DAY), (3, DAY)] {
            put(&reader, &[number; 32], "set", age, HOUR).await.unwrap();
        }
        assert_eq!(prune(&reader, &[[1; 32]]).await.unwrap(), 1);
        let mut left: Vec<_> =
            all(&reader).await.unwrap().iter().map(|cached| cached.url_digest[0]).collect();
        left.sort_unstable();
        assert_eq!(left, [1, 3]);
        assert_eq!(prune(&reader, &[]).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_admin_role_has_no_business_with_it() {
    with_database(async |database| {
        let refused = database.admin().await.execute("SELECT FROM jwks_cache").await.unwrap_err();
        assert!(refused.to_string().contains("permission denied"), "{refused}");
    })
    .await;
}
