//! The subjects of a consumer: those of its settings, as rows of their own by which the data plane
//! finds the consumer.

use policy::id::{ConsumerId, SiteId};
use policy::key::Digest;
use policy::settings::Subject;
use uuid::Uuid;

use crate::base::error::StoreError;
use crate::base::id::new_id;
use crate::base::mark;
use crate::base::tx::TenantTx;

/// Makes the rows equal to a list without duplicates. The consumer is locked; a subject that stays
/// keeps its id.
///
/// # Errors
/// [`StoreError::SubjectTaken`] if another consumer of the site has one of them.
pub(super) async fn put(
    tx: &mut TenantTx,
    site: SiteId,
    consumer: ConsumerId,
    wanted: &[Subject],
) -> Result<(), StoreError> {
    let digest =
        |subject: &Subject| Digest::of_subject(site, &subject.issuer, &subject.value).0.to_vec();
    let digests: Vec<Vec<u8>> = wanted.iter().map(digest).collect();
    let tenant = Uuid::from(tx.tenant());
    let removed = sqlx::query_scalar!(
        "DELETE FROM consumer_subjects
         WHERE tenant_id = $1 AND site_id = $2 AND consumer_id = $3 AND digest <> ALL ($4)
         RETURNING bucket",
        tenant,
        Uuid::from(site),
        Uuid::from(consumer),
        &digests
    )
    .fetch_all(tx.conn())
    .await?;
    let ids: Vec<Uuid> = wanted.iter().map(|_| new_id()).collect();
    let issuers: Vec<String> = wanted.iter().map(|subject| subject.issuer.clone()).collect();
    let values: Vec<String> = wanted.iter().map(|subject| subject.value.clone()).collect();
    let added = sqlx::query_scalar!(
        "INSERT INTO consumer_subjects
             (tenant_id, site_id, consumer_id, id, plan, consumer_has_settings, issuer, value,
              digest)
         SELECT c.tenant_id, c.site_id, c.id, w.id, c.plan_number, c.has_settings, w.issuer,
                w.value, w.digest
         FROM consumers c, unnest($4::uuid[], $5::text[], $6::text[], $7::bytea[])
              AS w (id, issuer, value, digest)
         WHERE c.tenant_id = $1 AND c.site_id = $2 AND c.id = $3
         ON CONFLICT ON CONSTRAINT consumer_subjects_digest_key DO NOTHING
         RETURNING bucket",
        tenant,
        Uuid::from(site),
        Uuid::from(consumer),
        &ids,
        &issuers,
        &values,
        &digests
    )
    .fetch_all(tx.conn())
    .await?;
    for bucket in removed.into_iter().chain(added) {
        mark::bucket(tx, bucket);
    }
    // Subjects that were not added are this consumer's already, or another consumer's.
    let of_another = sqlx::query_scalar!(
        "SELECT value FROM consumer_subjects
         WHERE tenant_id = $1 AND site_id = $2 AND consumer_id <> $3 AND digest = ANY ($4)
         ORDER BY value LIMIT 1",
        tenant,
        Uuid::from(site),
        Uuid::from(consumer),
        &digests
    )
    .fetch_optional(tx.conn())
    .await?;
    match of_another {
        Some(subject) => Err(StoreError::SubjectTaken { subject }),
        None => Ok(()),
    }
}
