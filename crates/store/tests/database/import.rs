//! Replacing all routes of a version.

use store::route::{self, RouteSpec};
use store::{Page, StoreError};

use crate::fixture::{route as spec, sample, with_database};

#[tokio::test]
async fn routes_that_stay_keep_their_ids() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let mut tx = one.begin(&store).await;
        let post =
            route::create(&mut tx, one.version_ref(), spec("POST", "/orders")).await.unwrap();
        let gone = route::create(&mut tx, one.version_ref(), spec("DELETE", "/orders/{id}"))
            .await
            .unwrap();
        let named = RouteSpec { name: Some("createOrder".to_owned()), ..spec("POST", "/orders") };
        // The removed route's shape is free again in the same call.
        let wanted =
            vec![spec("GET", "/orders/{id}"), named.clone(), spec("DELETE", "/orders/{order}")];
        let outcome = route::replace_all(&mut tx, one.version_ref(), wanted.clone()).await.unwrap();
        assert_eq!(outcome.added, [spec("DELETE", "/orders/{order}")]);
        assert_eq!(outcome.changed, [(post.id, named)]);
        assert_eq!(outcome.removed.iter().map(|route| route.id).collect::<Vec<_>>(), [gone.id]);
        assert_eq!(outcome.unchanged, 1);
        let rows = route::list(&mut tx, one.version_ref(), Page::first(10)).await.unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!((rows[0].id, rows[0].revision), (one.route, 1));
        assert_eq!((rows[1].id, rows[1].revision), (post.id, 2));
        assert_eq!(rows[1].name.as_deref(), Some("createOrder"));

        let again = route::replace_all(&mut tx, one.version_ref(), wanted).await.unwrap();
        assert_eq!(
            (again.unchanged, again.added.len(), again.changed.len(), again.removed.len()),
            (3, 0, 0, 0)
        );
    })
    .await;
}

#[tokio::test]
async fn a_thousand_routes_come_in_at_once() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let mut tx = one.begin(&store).await;
        let wanted: Vec<_> =
            (0..1000).map(|n| spec("GET", &format!("/things{n}/{{id}}"))).collect();
        let outcome = route::replace_all(&mut tx, one.version_ref(), wanted).await.unwrap();
        assert_eq!((outcome.added.len(), outcome.removed.len()), (1000, 1));
        tx.commit().await.unwrap();
        let mut tx = one.begin(&store).await;
        let last = crate::audit::written(&mut tx).await.split_off(9);
        assert_eq!(
            last.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(),
            ["version.import"]
        );
        let too_many =
            (0..=route::MAX_PER_SITE).map(|n| spec("GET", &format!("/more{n}"))).collect();
        let refused = route::replace_all(&mut tx, one.version_ref(), too_many).await;
        assert!(matches!(
            refused,
            Err(StoreError::LimitReached { limit: route::MAX_PER_SITE, .. })
        ));
    })
    .await;
}

#[test]
fn wanted_routes_do_not_overlap() {
    let overlapping = route::diff(&[], &[spec("GET", "/a/{x}"), spec("GET", "/a/{y}")]);
    assert!(
        matches!(&overlapping,
            Err(StoreError::Conflict { field: "path", value }) if value == "/a/{y}"),
        "{overlapping:?}"
    );
    let apart =
        route::diff(&[], &[spec("GET", "/a/{x}"), spec("PUT", "/a/{y}"), spec("GET", "/a/b")])
            .unwrap();
    assert_eq!(apart.added.len(), 3);
}
