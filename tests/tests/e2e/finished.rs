//! What every end-to-end test has to do in the end.

use std::path::Path;

/// `finish` fails when an Envoy has refused a resource, or complained of anything else, that the test did not provoke.
#[test]
fn every_test_looks_at_what_its_envoys_complain_of() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e");
    for entry in std::fs::read_dir(folder).expect("the folder of the tests") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a file");
        let (tests, finished) = (text.matches("#[tokio::test]").count(), text.matches("finish(").count());
        assert!(finished >= tests, "{}: end each test with `finish(stack).await`", path.display());
    }
}
