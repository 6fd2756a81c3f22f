//! Limits and quotas as they are pushed.

/// One limit or quota, with where it counts.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LimitRule {
    /// Names the counters of this rule in the whole fleet: it is the same wherever and whenever the
    /// rule is translated.
    #[prost(fixed64, tag = "1")]
    pub id: u64,
    /// Its name in refusals and headers.
    #[prost(string, tag = "2")]
    pub name: String,
    /// The measure; [`Measure`].
    #[prost(enumeration = "Measure", tag = "3")]
    pub measure: i32,
    /// The requests of one unit of time, or of one window.
    #[prost(uint64, tag = "4")]
    pub requests: u64,
    /// The requests that may come at once; rates alone.
    #[prost(uint32, tag = "5")]
    pub burst: u32,
    /// The dimensions of the counters; none: one counter.
    #[prost(message, repeated, tag = "6")]
    pub by: Vec<Dimension>,
    /// True if its windows are those of UTC, and not of the tenant's time zone.
    #[prost(bool, tag = "7")]
    pub in_utc: bool,
}

/// The measure of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Measure {
    /// None that this filter knows: the rule is treated as one that lets nothing through.
    Unknown = 0,
    /// A token bucket, by the second.
    PerSecond = 1,
    /// A token bucket, by the minute.
    PerMinute = 2,
    /// A token bucket, by the hour.
    PerHour = 3,
    /// A window of the calendar: a minute.
    Minute = 4,
    /// A window of the calendar: an hour.
    Hour = 5,
    /// A window of the calendar: a day.
    Day = 6,
    /// A window of the calendar: a month.
    Month = 7,
}

/// One thing by which counters are told apart.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Dimension {
    /// The kind; [`DimensionKind`].
    #[prost(enumeration = "DimensionKind", tag = "1")]
    pub kind: i32,
    /// The name of the header, in lower case, or of the claim.
    #[prost(string, tag = "2")]
    pub name: String,
}

/// The kinds of dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum DimensionKind {
    /// None that this filter knows: it tells nothing apart.
    Unknown = 0,
    /// The consumer.
    Consumer = 1,
    /// The credential.
    Key = 2,
    /// The API.
    Api = 3,
    /// The route.
    Route = 4,
    /// The client's address.
    ClientIp = 5,
    /// The value of a request header.
    Header = 6,
    /// The value of a claim.
    Claim = 7,
}
