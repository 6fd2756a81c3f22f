//! Quarantines by several writers, in whatever order their statements come.

use store::change::Change;
use store::quarantine;

use crate::fixture::{hold_back, sample, with_database};

#[tokio::test]
async fn a_site_that_is_still_refused_is_read_again_where_its_quarantine_had_ended() {
    with_database(async |database| {
        let store = database.store().await;
        let reader = database.reader().await;
        let one = sample(&store, "one", 0).await;
        hold_back(database, &[one]).await;
        let seq = reader.snapshot().await.unwrap().head_seq().await.unwrap();
        let held = "SELECT count(*) FROM quarantine";
        let news = async || reader.snapshot().await.unwrap().changes_since(seq, 10).await.unwrap();

        quarantine::still(&reader, one.site, &[1; 32], seq + 7).await.unwrap();
        assert_eq!(database.count("SELECT seq FROM quarantine").await, seq + 7);
        // There is another refusal, so nothing is lost.
        quarantine::still(&reader, one.site, &[2; 32], seq + 8).await.unwrap();
        assert_eq!((database.count(held).await, news().await), (1, Vec::new()));

        quarantine::release(&reader, one.site, &[1; 32]).await.unwrap();
        assert_eq!(database.count(held).await, 0);
        quarantine::still(&reader, one.site, &[1; 32], seq + 9).await.unwrap();
        let changes: Vec<_> = news().await.into_iter().map(|logged| logged.change).collect();
        assert_eq!(changes, [Change::Site(one.site)]);
    })
    .await;
}
