//! Reading the settings and signing keys of consumers, beyond the records of their credentials.

use std::collections::BTreeMap;

use policy::consumer::bucket_of;
use policy::desired::{DesiredConsumer, DesiredConsumers, DesiredSigningKey, Secret};
use policy::id::{ConsumerId, KeyId, SiteId, TenantId};
use policy::settings::{ConsumerSettings, KeySettings, SigningAlgorithm};
use uuid::Uuid;

use super::{Object, Omitted, Reason, parsed_or_default};
use crate::base::error::StoreError;
use crate::base::reader::SnapshotTx;
use crate::base::seal::Place;
use crate::clients::signing_key;

/// The number of buckets that one step of [`all_consumers`] reads: of a million consumers about
/// 31,000, with their settings.
const BUCKETS_PER_STEP: u16 = 2048;

/// The buckets that were asked for.
#[derive(Clone, Debug)]
pub struct Consumers {
    /// One answer for each bucket, empty or not, in the order of their numbers.
    pub buckets: Vec<DesiredConsumers>,
    /// The consumers and signing keys that are left out.
    pub omitted: Vec<Omitted>,
}

/// A step through all buckets of consumers.
#[derive(Clone, Debug)]
pub struct ConsumersStep {
    /// The buckets of this step that have consumers, in the order of their numbers.
    pub buckets: Vec<DesiredConsumers>,
    /// The consumers and signing keys that are left out.
    pub omitted: Vec<Omitted>,
    /// The first bucket of the next step; `None` after the last.
    pub next: Option<u16>,
}

/// Reads the rows of consumers whose bucket meets a condition.
macro_rules! read_rows {
    ($snapshot:ident, $condition:literal; $($arg:expr),+) => {{
        let settings = sqlx::query_as!(
            ConsumerRow,
            r#"SELECT tenant_id, site_id, id, (settings - 'subjects')::text AS "settings!"
               FROM consumers WHERE has_settings AND consumer_bucket(id) "# + $condition,
            $($arg),+
        )
        .fetch_all($snapshot.conn())
        .await?;
        let keys = sqlx::query_as!(
            KeyRow,
            r#"SELECT tenant_id, site_id, consumer_id, id, settings::text AS "settings!"
               FROM api_keys
               WHERE settings <> '{}' AND works(revoked_at, expires_at)
                 AND consumer_bucket(consumer_id) "# + $condition,
            $($arg),+
        )
        .fetch_all($snapshot.conn())
        .await?;
        let signing_keys = sqlx::query_as!(
            SigningKeyRow,
            r#"SELECT tenant_id, site_id, consumer_id, id, algorithm, public_key, material_sealed,
                      settings::text AS "settings!"
               FROM signing_keys
               WHERE works(revoked_at, expires_at) AND consumer_bucket(consumer_id) "#
                + $condition + " ORDER BY id",
            $($arg),+
        )
        .fetch_all($snapshot.conn())
        .await?;
        let mut reading = Reading::default();
        reading.take($snapshot, settings, keys, signing_keys);
        reading
    }};
}

/// Reads buckets of consumers. A consumer is in its bucket if it has settings, its subjects apart,
/// or a key with settings, or a signing key; keys that have expired when they are read do not
/// count.
pub async fn consumers(
    snapshot: &mut SnapshotTx,
    buckets: &[u16],
) -> Result<Consumers, StoreError> {
    let numbers: Vec<i32> = buckets.iter().copied().map(i32::from).collect();
    let reading = read_rows!(snapshot, "= ANY($1)"; &numbers);
    let mut found: BTreeMap<u16, Vec<DesiredConsumer>> =
        buckets.iter().map(|bucket| (*bucket, Vec::new())).collect();
    let omitted = reading.finish(&mut found);
    let buckets = found
        .into_iter()
        .map(|(bucket, consumers)| DesiredConsumers { bucket, consumers })
        .collect();
    Ok(Consumers { buckets, omitted })
}

/// Reads the buckets of consumers from `first` on, a bounded number of them. Begin with 0 and go on
/// with [`ConsumersStep::next`].
pub async fn all_consumers(
    snapshot: &mut SnapshotTx,
    first: u16,
) -> Result<ConsumersStep, StoreError> {
    let last = first.saturating_add(BUCKETS_PER_STEP - 1);
    let (from, to) = (i32::from(first), i32::from(last));
    let reading = read_rows!(snapshot, "BETWEEN $1 AND $2"; from, to);
    let mut found = BTreeMap::new();
    let omitted = reading.finish(&mut found);
    let buckets = found
        .into_iter()
        .map(|(bucket, consumers)| DesiredConsumers { bucket, consumers })
        .collect();
    Ok(ConsumersStep { buckets, omitted, next: last.checked_add(1) })
}

struct ConsumerRow {
    tenant_id: Uuid,
    site_id: Uuid,
    id: Uuid,
    settings: String,
}

struct KeyRow {
    tenant_id: Uuid,
    site_id: Uuid,
    consumer_id: Uuid,
    id: Uuid,
    settings: String,
}

struct SigningKeyRow {
    tenant_id: Uuid,
    site_id: Uuid,
    consumer_id: Uuid,
    id: Uuid,
    algorithm: String,
    public_key: Option<Vec<u8>>,
    material_sealed: Option<Vec<u8>>,
    settings: String,
}

/// The owner of a row.
#[derive(Clone, Copy)]
struct Of {
    tenant: Uuid,
    site: Uuid,
    consumer: Uuid,
}

fn of(tenant: Uuid, site: Uuid, consumer: Uuid) -> Of {
    Of { tenant, site, consumer }
}

/// The consumers read so far; `Err` for one of which a part cannot be read: without a part of its
/// settings it might be let do more than it may.
#[derive(Default)]
struct Reading {
    consumers: BTreeMap<Uuid, (TenantId, Result<DesiredConsumer, Reason>)>,
    omitted: Vec<Omitted>,
}

impl Reading {
    fn take(
        &mut self,
        snapshot: &SnapshotTx,
        settings: Vec<ConsumerRow>,
        keys: Vec<KeyRow>,
        signing_keys: Vec<SigningKeyRow>,
    ) {
        for row in settings {
            let read = parsed_or_default::<ConsumerSettings>(&row.settings);
            let read = read.map_err(|error| Reason::Unreadable(error.to_string()));
            self.add(of(row.tenant_id, row.site_id, row.id), read, |consumer, settings| {
                consumer.settings = settings
            });
        }
        for row in keys {
            self.add_key(of(row.tenant_id, row.site_id, row.consumer_id), row.id, &row.settings);
        }
        for row in signing_keys {
            self.add_key(of(row.tenant_id, row.site_id, row.consumer_id), row.id, &row.settings);
            let tenant = TenantId(row.tenant_id);
            let key = KeyId(row.id);
            match material(snapshot, &row) {
                Ok((algorithm, material)) => {
                    let key = DesiredSigningKey { id: key, algorithm, material };
                    let of = of(row.tenant_id, row.site_id, row.consumer_id);
                    self.add(of, Ok(key), |consumer, key| consumer.signing_keys.push(key));
                }
                Err(reason) => {
                    self.omitted.push(Omitted { tenant, object: Object::SigningKey(key), reason })
                }
            }
        }
    }

    fn add_key(&mut self, of: Of, key: Uuid, settings: &str) {
        let read = parsed_or_default::<KeySettings>(settings)
            .map_err(|error| Reason::Unreadable(format!("settings of key {key}: {error}")));
        self.add(of, read, |consumer, settings| {
            if settings != KeySettings::default() {
                consumer.keys.insert(KeyId(key), settings);
            }
        });
    }

    fn add<T>(
        &mut self,
        of: Of,
        read: Result<T, Reason>,
        add: impl FnOnce(&mut DesiredConsumer, T),
    ) {
        let (_, found) = self.consumers.entry(of.consumer).or_insert_with(|| {
            let consumer = DesiredConsumer {
                tenant: TenantId(of.tenant),
                id: ConsumerId(of.consumer),
                site: SiteId(of.site),
                settings: ConsumerSettings::default(),
                keys: BTreeMap::new(),
                signing_keys: Vec::new(),
            };
            (TenantId(of.tenant), Ok(consumer))
        });
        match (found.as_mut(), read) {
            (Ok(consumer), Ok(read)) => add(consumer, read),
            (Ok(_), Err(reason)) => *found = Err(reason),
            (Err(_), _) => {}
        }
    }

    /// Puts the consumers in their buckets, and returns those left out.
    fn finish(self, buckets: &mut BTreeMap<u16, Vec<DesiredConsumer>>) -> Vec<Omitted> {
        let mut omitted = self.omitted;
        for (id, (tenant, consumer)) in self.consumers {
            let id = ConsumerId(id);
            match consumer {
                Ok(consumer) => buckets.entry(bucket_of(id)).or_default().push(consumer),
                Err(reason) => {
                    omitted.push(Omitted { tenant, object: Object::Consumer(id), reason })
                }
            }
        }
        omitted
    }
}

fn material(
    snapshot: &SnapshotTx,
    row: &SigningKeyRow,
) -> Result<(SigningAlgorithm, Secret), Reason> {
    let algorithm = signing_key::algorithm_named(&row.algorithm);
    match (&row.public_key, &row.material_sealed) {
        (Some(public_key), _) => Ok((algorithm, Secret(public_key.clone()))),
        (None, Some(sealed)) => {
            let place =
                Place { table: signing_key::TABLE, tenant: TenantId(row.tenant_id), row: row.id };
            Ok((algorithm, snapshot.open(place, sealed)?))
        }
        // A CHECK of the table rules this out.
        (None, None) => Err(Reason::NotOpened),
    }
}
