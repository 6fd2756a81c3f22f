//! The names of upstreams that xds-server keeps from one start to the next.

use std::net::IpAddr;

use sqlx::Executor as _;
use store::dns_cache::{all, prune, put, remove};

use crate::fixture::with_database;

#[tokio::test]
async fn the_last_addresses_of_a_name_are_kept() {
    with_database(async |database| {
        let reader = database.reader().await;
        let addresses: Vec<IpAddr> =
            vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        put(&reader, &[1; 32], &addresses[..1]).await.unwrap();
        put(&reader, &[1; 32], &addresses).await.unwrap();
        put(&reader, &[2; 32], &[]).await.unwrap();
        put(&reader, &[3; 32], &addresses).await.unwrap();
        remove(&reader, &[3; 32]).await.unwrap();
        let mut found = all(&reader).await.unwrap();
        found.sort();
        assert_eq!(found, [([1; 32], addresses), ([2; 32], Vec::new())]);
        assert_eq!(prune(&reader, &[]).await.unwrap(), 0, "another replica may use what is new");
    })
    .await;
}

#[tokio::test]
async fn the_admin_role_has_no_business_with_names() {
    with_database(async |database| {
        let refused = database.admin().await.execute("SELECT FROM dns_cache").await.unwrap_err();
        assert!(refused.to_string().contains("permission denied"), "{refused}");
    })
    .await;
}
