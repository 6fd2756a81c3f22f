//! Additions to the sample's site: a plan, an issuer, and a consumer with every kind of credential.

use std::sync::atomic::{AtomicU16, Ordering};

use policy::consumer::bucket_of;
use policy::desired::{Secret, TenantListener};
use policy::id::{ConsumerId, IssuerId, KeyId, PlanId};
use policy::key::Digest;
use policy::settings::{
    Algorithm, ConsumerSettings, IpSettings, Issuer, KeySettings, Limit, PlanSettings, RateUnit,
    Subject,
};
use store::Store;
use store::change::Change;
use store::issuer::NewIssuer;
use store::seal::SecretsKey;
use store::signing_key::{Material, NewSigningKey};

use crate::fixture::{Sample, actor, new_consumer, new_key};
use crate::people::populate;

/// The bucket of the API key with settings.
pub(crate) const LIMITED_KEY_BUCKET: u16 = 40_000;
pub(crate) const SHARED_SECRET: &[u8] = b"the secret that an issuer shares";
pub(crate) const HMAC_SECRET: &[u8] =
    b"the secret of a signing key, as 64 random bytes would be written";
pub(crate) const PUBLIC_KEY: [u8; 32] = [9; 32];

/// The key that seals secrets.
pub(crate) fn secrets_key() -> SecretsKey {
    SecretsKey::new([3; 32])
}

/// The ids of the additions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Furniture {
    pub(crate) plan: PlanId,
    /// An issuer with a shared secret.
    pub(crate) issuer: IssuerId,
    /// A consumer of the plan, with settings, a subject and the keys below.
    pub(crate) partner: ConsumerId,
    pub(crate) limited_key: KeyId,
    pub(crate) ed25519: KeyId,
    pub(crate) hmac: KeyId,
    /// The digest of the subject.
    pub(crate) subject: Digest,
}

/// Each tenant needs a port of its own.
static NEXT_PORT: AtomicU16 = AtomicU16::new(20_000);

impl Furniture {
    /// The changes that they make: the buckets that they are in.
    pub(crate) fn changes(&self) -> [Change; 5] {
        [
            Change::Keys(LIMITED_KEY_BUCKET),
            Change::Keys(Digest::of_signing_key(self.ed25519).bucket()),
            Change::Keys(Digest::of_signing_key(self.hmac).bucket()),
            Change::Keys(self.subject.bucket()),
            Change::Consumers(bucket_of(self.partner)),
        ]
    }
}

pub(crate) fn limit(name: &str) -> Limit {
    Limit {
        name: name.to_owned(),
        requests: 10,
        per: RateUnit::Second,
        burst: None,
        by: Vec::new(),
    }
}

pub(crate) fn subject(value: &str) -> Subject {
    Subject { issuer: "https://login.test/".to_owned(), value: value.to_owned() }
}

pub(crate) fn key_settings() -> KeySettings {
    KeySettings { scopes: vec!["orders:read".to_owned()], ..Default::default() }
}

pub(crate) fn consumer_settings() -> ConsumerSettings {
    ConsumerSettings {
        ip: IpSettings { deny: vec!["192.0.2.0/24".to_owned()], ..Default::default() },
        subjects: vec![subject("partner")],
        ..Default::default()
    }
}

pub(crate) fn issuer(name: &str, algorithm: Algorithm) -> Issuer {
    let settings = serde_json::json!({ "issuer": name, "algorithms": [algorithm] });
    serde_json::from_value(settings).unwrap()
}

/// Furnishes the site of a sample.
pub(crate) async fn furnish(store: &Store, sample: Sample) -> Furniture {
    populate(store, sample.tenant).await;
    let key = secrets_key();
    let mut platform = store.platform(&actor()).await.unwrap();
    let listeners =
        vec![TenantListener { port: NEXT_PORT.fetch_add(1, Ordering::Relaxed), address: None }];
    let patch = store::tenant::TenantPatch { listeners: Some(listeners), ..Default::default() };
    store::tenant::update(&mut platform, sample.tenant, patch, None).await.unwrap();
    platform.commit().await.unwrap();
    let mut tx = sample.begin(store).await;
    let settings = PlanSettings { limits: vec![limit("burst")], ..Default::default() };
    let plan = store::plan::NewPlan { name: "gold".to_owned(), settings };
    let plan = store::plan::create(&mut tx, sample.site, plan).await.unwrap().id;
    let new = NewIssuer {
        settings: issuer("https://login.test/", Algorithm::HS256),
        shared_secret: Some(Secret(SHARED_SECRET.to_vec())),
    };
    let issuer = store::issuer::create(&mut tx, sample.site, new, Some(&key)).await.unwrap().id;
    let new = store::consumer::NewConsumer {
        plan_id: Some(plan),
        settings: consumer_settings(),
        ..new_consumer("partner")
    };
    let partner = store::consumer::create(&mut tx, sample.site, new).await.unwrap().id;
    let new = store::key::NewKey { settings: key_settings(), ..new_key(LIMITED_KEY_BUCKET) };
    let limited_key = store::key::create(&mut tx, sample.site, partner, new).await.unwrap().id;
    let mut signing_keys = Vec::new();
    for material in
        [Material::Ed25519(PUBLIC_KEY), Material::HmacSha256(Secret(HMAC_SECRET.to_vec()))]
    {
        let new =
            NewSigningKey { name: None, material, settings: Default::default(), expires_at: None };
        let made = store::signing_key::create(&mut tx, sample.site, partner, new, Some(&key))
            .await
            .unwrap();
        signing_keys.push(made.id);
    }
    tx.commit().await.unwrap();
    let subject = Digest::of_subject(sample.site, "https://login.test/", "partner");
    Furniture {
        plan,
        issuer,
        partner,
        limited_key,
        ed25519: signing_keys[0],
        hmac: signing_keys[1],
        subject,
    }
}
