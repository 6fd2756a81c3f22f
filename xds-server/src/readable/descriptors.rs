//! The descriptors of all messages that this server sends.
//!
//! Most of Envoy's are in `xds-api`. `envoy-types`, which has the rest, keeps its descriptors to
//! itself; so those of the extensions that are sent are here in a file, which
//! `cargo xtask golden` makes from the crate's own. The filter's have a table in
//! [`super::filter_schema`].

use std::sync::LazyLock;

use prost::Message as _;
use prost_reflect::prost_types::FileDescriptorSet;
use prost_reflect::{DescriptorError, DescriptorPool};

use super::filter_schema;

/// Made by the test `golden` out of the descriptors in `envoy-types`.
const EXTENSIONS: &[u8] = include_bytes!("extensions.binpb");

static POOL: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| load().ok());

/// The descriptors. A test holds that there are some.
pub(super) fn pool() -> Option<&'static DescriptorPool> {
    POOL.as_ref()
}

fn load() -> Result<DescriptorPool, LoadError> {
    let mut pool = DescriptorPool::new();
    pool.add_file_descriptor_set(FileDescriptorSet::decode(xds_api::FILE_DESCRIPTOR_SET)?)?;
    pool.add_file_descriptor_set(FileDescriptorSet::decode(EXTENSIONS)?)?;
    pool.add_file_descriptor_proto(filter_schema::file())?;
    Ok(pool)
}

/// Why the descriptors cannot be used.
#[derive(Debug, thiserror::Error)]
enum LoadError {
    #[error("a set of descriptors cannot be read")]
    Decode(#[from] prost::DecodeError),
    #[error("a set of descriptors does not fit to the others")]
    Descriptors(#[from] DescriptorError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptors_can_be_read() {
        let pool = load().unwrap();
        for name in [
            "envoy.config.cluster.v3.Cluster",
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "tenantry.filter.v1.SitePolicy",
        ] {
            assert!(pool.get_message_by_name(name).is_some(), "{name}");
        }
    }
}
