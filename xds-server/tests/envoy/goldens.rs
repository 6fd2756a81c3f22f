//! Envoy accepts every site of the golden files.

use std::path::Path;

use crate::fixture::site_id;
use crate::gateway::{Envoy, Server, until};
use crate::input::{self, Input};

#[tokio::test]
async fn envoy_takes_every_site_of_the_golden_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let cases = std::fs::read_dir(folder).expect("the folder of the golden files");
    let cases = cases.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir());
    let mut taken = 0;
    let server = Server::start(&[]).await;
    let envoy = Envoy::start(&server).await;
    for case in cases {
        let Input::Site(site) = input::read(&case.join("input.json")) else { continue };
        let mut site = site.desired();
        taken += 1;
        // The files share one site id.
        site.site = site_id(taken);
        if xds_server::translate::site(&site).is_err() {
            continue;
        }
        server.apply(std::slice::from_ref(&site));
        let clusters =
            site.upstreams.iter().map(|upstream| format!("site/{}/{}", site.site, upstream.id));
        let clusters: Vec<_> = clusters.collect();
        until(&format!("{} is loaded", case.display()), async || {
            // Its routes have none for this request, and answer so.
            assert_eq!(envoy.get(taken, 0, "/").await.status, 503);
            let active = envoy.clusters().await;
            clusters.iter().all(|cluster| active.contains(cluster))
        })
        .await;
    }
    assert!(taken > 5, "only {taken} golden files are sites");
    envoy.refused_nothing().await;
}
