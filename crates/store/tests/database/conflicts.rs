//! Refusals by the database, in the caller's terms; and pages.

use policy::id::UpstreamId;
use policy::method::Methods;
use store::hostname::{self, NewHostname};
use store::{Page, StoreError, consumer, operator_token, route, site, tenant, upstream, version};

use crate::fixture::{
    actor, new_site, new_upstream, route as spec, sample, site_sample, with_database,
};

#[tokio::test]
async fn names_that_all_tenants_share_are_taken_once() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let two = sample(&store, "two", 2).await;
        let mut tx = two.begin(&store).await;
        let taken = site::create(&mut tx, new_site("one")).await;
        assert!(
            matches!(&taken, Err(StoreError::Conflict { field: "slug", value }) if value == "one"),
            "{taken:?}"
        );

        let mut tx = one.begin(&store).await;
        let shop = NewHostname { name: "shop.gw.localhost".to_owned() };
        hostname::create(&mut tx, one.site, shop.clone()).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = two.begin(&store).await;
        let taken = hostname::create(&mut tx, two.site, shop).await;
        assert!(matches!(taken, Err(StoreError::Conflict { field: "name", .. })), "{taken:?}");
        let mut tx = two.begin(&store).await;
        let taken = site::create(&mut tx, new_site("shop")).await;
        assert!(
            matches!(&taken, Err(StoreError::Conflict { field: "slug", value }) if value == "shop"),
            "{taken:?}"
        );

        let mut platform = store.platform(&actor()).await.unwrap();
        let new = tenant::NewTenant {
            name: "x".to_owned(),
            slug: Some("one".to_owned()),
            settings: Default::default(),
            platform_plan: None,
        };
        let taken = tenant::create(&mut platform, new).await;
        assert!(matches!(taken, Err(StoreError::Conflict { field: "slug", .. })), "{taken:?}");
    })
    .await;
}

#[tokio::test]
async fn names_inside_a_site_are_the_tenants_own() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        // `sample` gives every tenant an upstream, an API and a consumer of the same names.
        let _two = sample(&store, "two", 2).await;
        let mut tx = one.begin(&store).await;
        let taken = upstream::create(&mut tx, one.site, new_upstream("main")).await;
        assert!(matches!(taken, Err(StoreError::Conflict { field: "name", .. })), "{taken:?}");
        let mut tx = one.begin(&store).await;
        let new = store::api::NewApi {
            name: "x".to_owned(),
            base_path: "/orders".to_owned(),
            strip_base_path: true,
            settings: Default::default(),
        };
        let taken = store::api::create(&mut tx, one.site, new).await;
        assert!(matches!(taken, Err(StoreError::Conflict { field: "base_path", .. })), "{taken:?}");
    })
    .await;
}

#[tokio::test]
async fn an_upstream_in_use_stays() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let mut tx = one.begin(&store).await;
        let used = upstream::delete(&mut tx, one.site, one.upstream, None).await;
        assert!(
            matches!(used, Err(StoreError::InUse { what: "upstream", by: "version" })),
            "{used:?}"
        );

        let mut tx = one.begin(&store).await;
        let second = upstream::create(&mut tx, one.site, new_upstream("second")).await.unwrap().id;
        let patch = route::RoutePatch { upstream_id: Some(Some(second)), ..Default::default() };
        route::update(&mut tx, one.version_ref(), one.route, patch, None).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = one.begin(&store).await;
        let used = upstream::delete(&mut tx, one.site, second, None).await;
        assert!(
            matches!(used, Err(StoreError::InUse { what: "upstream", by: "route" })),
            "{used:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_route_cannot_go_to_another_sites_upstream() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let two = sample(&store, "two", 2).await;
        let mut tx = one.begin(&store).await;
        let sibling = site_sample(&mut tx, "sibling", 3).await;
        tx.commit().await.unwrap();
        for foreign in [two.upstream, sibling.upstream, UpstreamId(uuid::Uuid::now_v7())] {
            let mut tx = one.begin(&store).await;
            let new = route::RouteSpec { upstream_id: Some(foreign), ..spec("GET", "/elsewhere") };
            let refused = route::create(&mut tx, one.version_ref(), new).await;
            assert!(
                matches!(refused, Err(StoreError::Invalid { field: "upstream_id", .. })),
                "{refused:?}"
            );
            let mut tx = one.begin(&store).await;
            let patch = version::VersionPatch { upstream_id: Some(foreign), ..Default::default() };
            let refused =
                version::update(&mut tx, one.site, one.api, one.version, patch, None).await;
            assert!(
                matches!(refused, Err(StoreError::Invalid { field: "upstream_id", .. })),
                "{refused:?}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn routes_of_a_version_do_not_overlap() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let mut tx = one.begin(&store).await;
        // `sample` has made GET /orders/{id}.
        let all = route::RouteSpec { methods: Methods::ALL, ..spec("GET", "/orders/{order-id}") };
        let taken = route::create(&mut tx, one.version_ref(), all).await;
        assert!(matches!(taken, Err(StoreError::Conflict { field: "path", .. })), "{taken:?}");
        let post =
            route::create(&mut tx, one.version_ref(), spec("POST", "/orders/{id}")).await.unwrap();
        route::create(&mut tx, one.version_ref(), spec("GET", "/orders/{*rest}")).await.unwrap();
        let patch = route::RoutePatch { methods: Methods::named("GET"), ..Default::default() };
        let taken = route::update(&mut tx, one.version_ref(), post.id, patch, None).await;
        assert!(matches!(taken, Err(StoreError::Conflict { field: "path", .. })), "{taken:?}");
    })
    .await;
}

/// The column is computed by PostgreSQL and the import by `policy`; they have to agree.
#[tokio::test]
async fn the_shape_in_the_database_is_that_of_policy() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let paths = [
            "/",
            "/a/",
            "/{a}.json",
            "/x/{long-name}/y/{b_2}",
            "/{base}...{head}",
            "/s/{*rest}",
            "/%C3%A9/{\u{e9}}",
            "/{a*}",
        ];
        let mut tx = one.begin(&store).await;
        for path in paths {
            route::create(&mut tx, one.version_ref(), spec("GET", path)).await.unwrap();
        }
        tx.commit().await.unwrap();
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT path, shape FROM routes")
            .fetch_all(&database.superuser)
            .await
            .unwrap();
        assert_eq!(rows.len(), paths.len() + 1);
        for (path, shape) in rows {
            assert_eq!(policy::path::Template::parse(&path).unwrap().shape(), shape, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn checks_name_the_field() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let mut tx = one.begin(&store).await;
        let refused = site::create(&mut tx, new_site("Not A Slug")).await;
        assert!(matches!(refused, Err(StoreError::Invalid { field: "slug", .. })), "{refused:?}");
        let mut tx = one.begin(&store).await;
        let patch =
            upstream::UpstreamPatch { connect_timeout_ms: Some(u32::MAX), ..Default::default() };
        let refused = upstream::update(&mut tx, one.site, one.upstream, patch, None).await;
        assert!(
            matches!(refused, Err(StoreError::Invalid { field: "connect_timeout_ms", .. })),
            "{refused:?}"
        );
        let mut tx = one.begin(&store).await;
        let nul = crate::fixture::new_consumer("a\0b");
        let refused = consumer::create(&mut tx, one.site, nul).await;
        assert!(matches!(refused, Err(StoreError::Invalid { .. })), "{refused:?}");
        let mut tx = one.begin(&store).await;
        let refused = route::create(
            &mut tx,
            one.version_ref(),
            route::RouteSpec { methods: Methods::NONE, ..spec("GET", "/n") },
        )
        .await;
        assert!(
            matches!(refused, Err(StoreError::Invalid { field: "methods", .. })),
            "{refused:?}"
        );
        let mut tx = one.begin(&store).await;
        let own = hostname::list(&mut tx, one.site, Page::first(2)).await.unwrap();
        let refused = hostname::delete(&mut tx, one.site, own[0].id, None).await;
        assert!(
            matches!(refused, Err(StoreError::InUse { what: "hostname", by: "site" })),
            "{refused:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn limits_hold_under_concurrency() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let left = i64::from(hostname::MAX_PER_SITE) - 3;
        sqlx::query(
            "INSERT INTO hostnames (tenant_id, site_id, id, name)
             SELECT $1, $2, gen_random_uuid(), 'h' || n || '.gw.localhost' \
             FROM generate_series(1, $3) n",
        )
        .bind(one.tenant.0)
        .bind(one.site.0)
        .bind(left)
        .execute(&database.superuser)
        .await
        .unwrap();
        let attempts = (0..6).map(|attempt| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut tx = one.begin(&store).await;
                let new = NewHostname { name: format!("extra{attempt}.gw.localhost") };
                let made = hostname::create(&mut tx, one.site, new).await;
                if let Err(error) = made {
                    assert!(
                        matches!(
                            error,
                            StoreError::LimitReached { limit: hostname::MAX_PER_SITE, .. }
                        ),
                        "{error:?}"
                    );
                    return 0;
                }
                tx.commit().await.unwrap();
                1
            })
        });
        let mut made = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            made += attempt.await.unwrap();
        }
        assert_eq!(made, 2);
    })
    .await;
}

#[tokio::test]
async fn pages_follow_each_other_without_gap() {
    with_database(async |database| {
        let store = database.store().await;
        let one = sample(&store, "one", 1).await;
        let mut tx = one.begin(&store).await;
        let mut made = vec![one.consumer];
        for name in ["a", "b", "c", "d"] {
            let new = crate::fixture::new_consumer(name);
            made.push(consumer::create(&mut tx, one.site, new).await.unwrap().id);
        }
        let mut read = Vec::new();
        let mut page = Page::first(2);
        loop {
            let rows = consumer::list(&mut tx, one.site, page).await.unwrap();
            let Some(last) = rows.last() else { break };
            page.after = Some(last.id.into());
            read.extend(rows.into_iter().map(|row| row.id));
        }
        assert_eq!(read, made);
    })
    .await;
}

#[tokio::test]
async fn one_first_operator_token_is_made() {
    with_database(async |database| {
        let store = database.store().await;
        let starts = (0..4u8).map(|program| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut platform = store.platform(&store::Actor::system("start")).await.unwrap();
                let made = operator_token::create_first(&mut platform, "first", &[program; 32])
                    .await
                    .unwrap();
                platform.commit().await.unwrap();
                made
            })
        });
        let mut made = Vec::new();
        for start in starts.collect::<Vec<_>>() {
            made.extend(start.await.unwrap());
        }
        assert_eq!(made.len(), 1);
        let mut found = Vec::new();
        for program in 0..4u8 {
            found.extend(store.authenticate(&[program; 32]).await.unwrap());
        }
        assert_eq!(found, made);
        let mut platform = store.platform(&actor()).await.unwrap();
        operator_token::revoke(&mut platform, made[0].id).await.unwrap();
        platform.commit().await.unwrap();
        for program in 0..4u8 {
            assert_eq!(store.authenticate(&[program; 32]).await.unwrap(), None);
        }
    })
    .await;
}
