//! The messages between the filter and the control plane: package `tenantry.filter.v1`.

/// The gRPC service that takes reports.
pub const SERVICE: &str = "tenantry.filter.v1.UsageService";
/// Its one method: unary, [`UsageReport`] to [`UsageAck`].
pub const METHOD: &str = "Report";

/// The usage that one worker VM has counted since its last report.
#[derive(Clone, PartialEq, prost::Message)]
pub struct UsageReport {
    /// 16 random bytes that the VM drew when it started.
    #[prost(bytes = "vec", tag = "1")]
    pub reporter: Vec<u8>,
    /// The number of the report, from 1 and without gaps.
    #[prost(uint64, tag = "2")]
    pub seq: u64,
    /// The Node id of the Envoy, for logs.
    #[prost(string, tag = "3")]
    pub node_id: String,
    /// The sums. Two may be of the same requester and hour: they are to be added.
    #[prost(message, repeated, tag = "4")]
    pub entries: Vec<UsageEntry>,
    /// The requests that have lost a part of their key, for want of memory, since the last report.
    /// A request that loses another part counts again.
    #[prost(uint64, tag = "5")]
    pub coarsened_requests: u64,
    /// The requests that are in no sum at all, for want of memory or because a report was refused,
    /// since the last report.
    #[prost(uint64, tag = "6")]
    pub lost_requests: u64,
}

/// The sums of one requester, status class and hour.
#[derive(Clone, PartialEq, prost::Message)]
pub struct UsageEntry {
    /// The 16 bytes of the tenant's id.
    #[prost(bytes = "vec", tag = "1")]
    pub tenant_id: Vec<u8>,
    /// The 16 bytes of the site's id.
    #[prost(bytes = "vec", tag = "2")]
    pub site_id: Vec<u8>,
    /// The 16 bytes of the consumer's id; empty if there is none.
    #[prost(bytes = "vec", tag = "3")]
    pub consumer_id: Vec<u8>,
    /// The 16 bytes of the credential's id; empty if there is none.
    #[prost(bytes = "vec", tag = "4")]
    pub key_id: Vec<u8>,
    /// The 16 bytes of the route's id; empty if there is none.
    #[prost(bytes = "vec", tag = "5")]
    pub route_id: Vec<u8>,
    /// The hour in which the requests ended, counted from the Unix epoch.
    #[prost(uint32, tag = "6")]
    pub hour: u32,
    /// See [`super::status_class`].
    #[prost(uint32, tag = "7")]
    pub status_class: u32,
    /// The number of requests.
    #[prost(uint64, tag = "8")]
    pub requests: u64,
    /// Bytes from clients.
    #[prost(uint64, tag = "9")]
    pub request_bytes: u64,
    /// Bytes to clients.
    #[prost(uint64, tag = "10")]
    pub response_bytes: u64,
    /// The sum of the durations in microseconds.
    #[prost(uint64, tag = "11")]
    pub duration_us: u64,
    /// Requests by bucket of [`super::histogram`]; zeros at the end are left out.
    #[prost(uint32, repeated, tag = "12")]
    pub histogram: Vec<u32>,
}

/// The answer: the report is in the sums, now or since an earlier delivery.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct UsageAck {
    /// The number of the report.
    #[prost(uint64, tag = "1")]
    pub seq: u64,
}
