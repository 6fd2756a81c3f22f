//! A reader that only follows the change log has the same state, after every change, as a reader of
//! everything.

use std::collections::BTreeMap;

use chrono::{Days, Utc};
use policy::desired::{DesiredBucket, DesiredConsumer, DesiredConsumers, DesiredSite, Secret};
use policy::id::{ConsumerId, PlanId, SiteId, TenantId};
use policy::key::KeyRecord;
use policy::settings::{
    Algorithm, ApiSettings, ConsumerSettings, KeySettings, PlanSettings, RouteSettings,
    SiteSettings, TenantSettings,
};
use store::change::Change;
use store::{Page, Reader, Store, StoreError, TenantTx};
use store::{api, consumer, desired, issuer, key, plan, route, signing_key, site, tenant};

use crate::fixture::{actor, new_consumer, new_key, sample, site_sample, with_database};
use crate::furniture::{issuer as issuer_settings, limit, secrets_key, subject};

/// The state of a reader.
#[derive(Clone, Debug, Default, PartialEq)]
struct Known {
    sites: BTreeMap<SiteId, DesiredSite>,
    keys: BTreeMap<u16, Vec<KeyRecord>>,
    consumers: BTreeMap<u16, Vec<DesiredConsumer>>,
}

impl Known {
    fn put_keys(&mut self, buckets: Vec<DesiredBucket>) {
        for DesiredBucket { bucket, mut keys } in buckets {
            keys.sort_unstable_by_key(|record| (record.digest, record.key));
            self.keys.insert(bucket, keys);
        }
        self.keys.retain(|_, keys| !keys.is_empty());
    }

    fn put_consumers(&mut self, buckets: Vec<DesiredConsumers>) {
        for DesiredConsumers { bucket, consumers } in buckets {
            self.consumers.insert(bucket, consumers);
        }
        self.consumers.retain(|_, consumers| !consumers.is_empty());
    }
}

/// Reads everything.
async fn everything(reader: &Reader) -> Known {
    let mut snapshot = reader.snapshot().await.unwrap();
    let mut known = Known::default();
    let ids = desired::all_site_ids(&mut snapshot, None, 1000).await.unwrap();
    let read = desired::sites(&mut snapshot, &ids).await.unwrap();
    assert_eq!(read.omitted, []);
    known.sites = read.sites.into_iter().map(|site| (site.site, site)).collect();
    let mut next = Some(0);
    while let Some(first) = next {
        let step = desired::all_buckets(&mut snapshot, first).await.unwrap();
        known.put_keys(step.buckets);
        next = step.next;
    }
    let mut next = Some(0);
    while let Some(first) = next {
        let step = desired::all_consumers(&mut snapshot, first).await.unwrap();
        assert_eq!(step.omitted, []);
        known.put_consumers(step.buckets);
        next = step.next;
    }
    known
}

/// Reads the objects that the log names, from `seq` on.
async fn follow(reader: &Reader, known: &mut Known, seq: &mut i64) {
    let mut snapshot = reader.snapshot().await.unwrap();
    let (mut sites, mut keys, mut consumers) = (Vec::new(), Vec::new(), Vec::new());
    for logged in snapshot.changes_since(*seq, 10_000).await.unwrap() {
        *seq = logged.seq;
        match logged.change {
            Change::Site(site) => sites.push(site),
            Change::Keys(bucket) => keys.push(bucket),
            Change::Consumers(bucket) => consumers.push(bucket),
            Change::Cells | Change::Listeners(_) => {}
        }
    }
    for site in &sites {
        known.sites.remove(site);
    }
    let read = desired::sites(&mut snapshot, &sites).await.unwrap();
    known.sites.extend(read.sites.into_iter().map(|site| (site.site, site)));
    known.put_keys(desired::buckets(&mut snapshot, &keys).await.unwrap());
    known.put_consumers(desired::consumers(&mut snapshot, &consumers).await.unwrap().buckets);
}

/// Numbers that are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn chance(&mut self) -> bool {
        self.roll(2) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        if from.is_empty() { None } else { Some(from[self.roll(from.len())]) }
    }

    fn name(&mut self) -> String {
        format!("n{:x}", self.roll(usize::MAX))
    }

    fn bucket(&mut self) -> u16 {
        u16::try_from(self.roll(6)).unwrap()
    }

    fn key_settings(&mut self) -> KeySettings {
        match self.roll(3) {
            0 => KeySettings { scopes: vec!["a".to_owned()], ..Default::default() },
            1 => KeySettings { limits: vec![limit("key")], ..Default::default() },
            _ => KeySettings::default(),
        }
    }

    fn consumer_settings(&mut self) -> ConsumerSettings {
        let mut settings = ConsumerSettings::default();
        if self.chance() {
            settings.limits.push(limit("consumer"));
        }
        for _ in 0..self.roll(3) {
            settings.subjects.push(subject(["x", "y", "z"][self.roll(3)]));
        }
        settings
    }
}

/// Makes one random change of a tenant, in its transaction. The database may refuse it.
async fn change(tx: &mut TenantTx, dice: &mut Dice, at: SiteId) -> Result<(), StoreError> {
    let page = Page::first(100);
    let consumers: Vec<_> =
        consumer::list(tx, at, page).await?.into_iter().map(|consumer| consumer.id).collect();
    let plans: Vec<_> = plan::list(tx, at, page).await?.into_iter().map(|plan| plan.id).collect();
    let issuers: Vec<_> =
        issuer::list(tx, at, page).await?.into_iter().map(|issuer| issuer.id).collect();
    match dice.roll(12) {
        0 => {
            let limits = vec![limit(&dice.name())];
            let settings = Some(SiteSettings { limits, ..Default::default() });
            site::update(tx, at, site::SitePatch { settings, ..Default::default() }, None).await?;
        }
        1 => {
            plan::create(
                tx,
                at,
                plan::NewPlan { name: dice.name(), settings: PlanSettings::default() },
            )
            .await?;
        }
        2 => {
            if let Some(id) = dice.pick(&plans) {
                let settings =
                    Some(PlanSettings { limits: vec![limit(&dice.name())], ..Default::default() });
                plan::update(tx, at, id, plan::PlanPatch { settings, ..Default::default() }, None)
                    .await?;
            }
        }
        3 => {
            if let Some(id) = dice.pick(&plans) {
                plan::delete(tx, at, id, None).await?;
            }
        }
        4 => {
            let settings = issuer_settings(&dice.name(), Algorithm::HS256);
            let new = issuer::NewIssuer { settings, shared_secret: Some(Secret(vec![1; 32])) };
            issuer::create(tx, at, new, Some(&secrets_key())).await?;
        }
        5 => {
            if let Some(id) = dice.pick(&issuers) {
                issuer::delete(tx, at, id, None).await?;
            }
        }
        6 => make_consumer(tx, dice, at, &plans).await?,
        7 if dice.roll(4) == 0 => {
            if let Some(id) = dice.pick(&consumers) {
                consumer::delete(tx, at, id, None).await?;
            }
        }
        7 => change_routes(tx, dice, at).await?,
        8 => {
            if let Some(id) = dice.pick(&consumers) {
                change_consumer(tx, dice, at, id, &plans).await?;
            }
        }
        9 => {
            if let Some(consumer) = dice.pick(&consumers) {
                change_signing_keys(tx, dice, at, consumer).await?;
            }
        }
        _ => {
            if let Some(consumer) = dice.pick(&consumers) {
                change_keys(tx, dice, at, consumer).await?;
            }
        }
    }
    Ok(())
}

async fn change_routes(tx: &mut TenantTx, dice: &mut Dice, at: SiteId) -> Result<(), StoreError> {
    let routes = route::of_site(tx, at).await?;
    let Some(place) = routes.first() else { return Ok(()) };
    let version = route::VersionRef { site: at, api: place.api_id, version: place.version_id };
    if dice.chance() {
        let settings =
            Some(RouteSettings { limits: vec![limit(&dice.name())], ..Default::default() });
        let patch = route::RoutePatch { settings, ..Default::default() };
        route::update(tx, version, place.id, patch, None).await?;
    } else {
        let settings =
            Some(ApiSettings { limits: vec![limit(&dice.name())], ..Default::default() });
        api::update(tx, at, place.api_id, api::ApiPatch { settings, ..Default::default() }, None)
            .await?;
    }
    Ok(())
}

async fn change_keys(
    tx: &mut TenantTx,
    dice: &mut Dice,
    at: SiteId,
    consumer: ConsumerId,
) -> Result<(), StoreError> {
    let keys = key::list(tx, at, consumer, Page::first(100)).await?;
    let chosen = dice.pick(&keys.iter().map(|key| key.id).collect::<Vec<_>>());
    let new = key::NewKey { settings: dice.key_settings(), ..new_key(dice.bucket()) };
    match (dice.roll(5), chosen) {
        (0, Some(id)) => {
            key::revoke(tx, at, consumer, id, None).await?;
        }
        (1, Some(id)) => {
            let settings = dice.chance().then(|| dice.key_settings());
            key::update(tx, at, consumer, id, key::KeyPatch { name: None, settings }, None).await?;
        }
        (2, Some(id)) => {
            let grace = std::time::Duration::from_secs(if dice.chance() { 0 } else { 3600 });
            key::rotate(tx, at, consumer, id, new, grace, None).await?;
        }
        _ => {
            let expires_at = dice.chance().then(|| Utc::now() + Days::new(9));
            key::create(tx, at, consumer, key::NewKey { expires_at, ..new }).await?;
        }
    }
    Ok(())
}

async fn change_signing_keys(
    tx: &mut TenantTx,
    dice: &mut Dice,
    at: SiteId,
    consumer: ConsumerId,
) -> Result<(), StoreError> {
    let keys = signing_key::list(tx, at, consumer, Page::first(100)).await?;
    let chosen = dice.pick(&keys.iter().map(|key| key.id).collect::<Vec<_>>());
    match (dice.roll(4), chosen) {
        (0, Some(id)) => {
            signing_key::revoke(tx, at, consumer, id, None).await?;
        }
        (1, Some(id)) => {
            let patch =
                signing_key::SigningKeyPatch { name: None, settings: Some(dice.key_settings()) };
            signing_key::update(tx, at, consumer, id, patch, None).await?;
        }
        _ => {
            let material = if dice.chance() {
                signing_key::Material::Ed25519([2; 32])
            } else {
                signing_key::Material::HmacSha256(Secret(vec![7; 64]))
            };
            let new = signing_key::NewSigningKey {
                name: None,
                material,
                settings: dice.key_settings(),
                expires_at: None,
            };
            signing_key::create(tx, at, consumer, new, Some(&secrets_key())).await?;
        }
    }
    Ok(())
}

async fn make_consumer(
    tx: &mut TenantTx,
    dice: &mut Dice,
    at: SiteId,
    plans: &[PlanId],
) -> Result<(), StoreError> {
    let plan_id = if dice.chance() { dice.pick(plans) } else { None };
    let new = consumer::NewConsumer {
        plan_id,
        settings: dice.consumer_settings(),
        ..new_consumer(&dice.name())
    };
    consumer::create(tx, at, new).await?;
    Ok(())
}

async fn change_consumer(
    tx: &mut TenantTx,
    dice: &mut Dice,
    at: SiteId,
    id: ConsumerId,
    plans: &[PlanId],
) -> Result<(), StoreError> {
    let patch = consumer::ConsumerPatch {
        name: None,
        plan_id: dice.chance().then(|| dice.pick(plans)),
        settings: dice.chance().then(|| dice.consumer_settings()),
    };
    consumer::update(tx, at, id, patch, None).await?;
    Ok(())
}

/// Makes one random change of the platform or of a tenant, and commits it unless it is refused.
/// Returns true if it was made.
async fn turn(store: &Store, dice: &mut Dice, tenants: &[TenantId]) -> bool {
    let owner = dice.pick(tenants).unwrap();
    if dice.roll(20) == 0 {
        let mut platform = store.platform(&actor()).await.unwrap();
        let weight = u16::try_from(1 + dice.roll(1000)).unwrap();
        let settings = Some(TenantSettings { weight, ..Default::default() });
        let patch = tenant::TenantPatch { settings, ..Default::default() };
        tenant::update(&mut platform, owner, patch, None).await.unwrap();
        platform.commit().await.unwrap();
        return true;
    }
    let mut tx = store.tenant(owner, &actor()).await.unwrap();
    let sites: Vec<_> = site::list(&mut tx, None, Page::first(100))
        .await
        .unwrap()
        .into_iter()
        .map(|site| site.id)
        .collect();
    let outcome = match (dice.roll(25), dice.pick(&sites)) {
        (0, Some(at)) => site::delete(&mut tx, at, None).await,
        (0 | 1, _) | (_, None) => {
            let slug = dice.name();
            site_sample(&mut tx, &slug, dice.bucket()).await;
            Ok(())
        }
        (_, Some(at)) => change(&mut tx, dice, at).await,
    };
    match outcome {
        Ok(()) => {
            tx.commit().await.unwrap();
            true
        }
        Err(
            StoreError::InUse { what: "plan", .. }
            | StoreError::SubjectTaken { .. }
            | StoreError::KeyEnded { .. },
        ) => false,
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn who_follows_the_log_knows_what_is_there() {
    const TURNS: usize = 250;
    /// Reading everything takes hundreds of queries.
    const TURNS_PER_COMPARISON: usize = 5;
    for seed in [1, 2, 3] {
        with_database(async |database| {
            let store = database.store().await;
            let reader = database.reader().await.with_secrets_key(secrets_key());
            let mut tenants = Vec::new();
            for slug in ["one", "two"] {
                tenants.push(sample(&store, slug, 1).await.tenant);
            }
            let mut dice = Dice(seed);
            let (mut known, mut seq, mut made, mut detailed) = (Known::default(), 0, 0, 0);
            follow(&reader, &mut known, &mut seq).await;
            for number in 0..TURNS {
                made += usize::from(turn(&store, &mut dice, &tenants).await);
                follow(&reader, &mut known, &mut seq).await;
                let records = known.keys.values().flatten();
                detailed += records.filter(|record| record.has_details && record.plan != 0).count();
                if number % TURNS_PER_COMPARISON == 0 {
                    assert_eq!(known, everything(&reader).await, "seed {seed}, turn {number}");
                }
            }
            assert!(made > TURNS / 2, "too much was refused: {made} of {TURNS} were made");
            assert!(detailed > 0, "seed {seed} did not come to plans and settings");

            let mut platform = store.platform(&actor()).await.unwrap();
            for owner in tenants {
                tenant::delete(&mut platform, owner, None).await.unwrap();
            }
            platform.commit().await.unwrap();
            follow(&reader, &mut known, &mut seq).await;
            assert_eq!(
                known,
                Known::default(),
                "seed {seed}: something is left of removed tenants"
            );
        })
        .await;
    }
}
