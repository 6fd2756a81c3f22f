//! Bounds of requests. Each says its reason.

use std::time::Duration;

use policy::host::SHARED_API_LABEL;

/// A JSON body: settings with two lists of 10,000 address ranges, all of them IPv6 and at their
/// longest, are about 900 KiB.
pub const BODY_BYTES: usize = 1024 * 1024;
/// A body that everybody may send: an address, a password and a code, with room.
pub const LOGIN_BODY_BYTES: usize = 16 * 1024;
/// An API description: the largest public ones (GitHub, Microsoft Graph) have 12 to 30 MB.
pub const DOCUMENT_BYTES: usize = 32 * 1024 * 1024;
/// The routes of one import: four times GitHub's, and still one statement and one push.
pub const IMPORT_ROUTES: usize = 5_000;
/// The paths of one import, and the path items that they may refer to: twice as many as routes,
/// since a path may have no operation that is imported.
pub const IMPORT_PATHS: usize = 2 * IMPORT_ROUTES;
/// The parts of security requirements in all operations of an import, those of a path item counted
/// for each path that refers to it: 200 for each route, where descriptions have one or two.
pub const IMPORT_SECURITY_PARTS: usize = 200 * IMPORT_ROUTES;
/// API descriptions that are parsed at the same time. Each may take a core, and some ten times its
/// size in memory.
pub const IMPORTS_AT_ONCE: usize = 2;
/// API descriptions in memory at the same time, those included that still come in: 256 MiB.
pub const DOCUMENTS_AT_ONCE: usize = 8;

/// A name for people, in characters: a line of a page.
pub const NAME_CHARS: usize = 200;
/// An e-mail address (RFC 5321 section 4.5.3.1.3, without the brackets).
pub const EMAIL_CHARS: usize = 254;
/// The name of a version, such as `v1` or `2024-10-01`: it stands in every path.
pub const VERSION_CHARS: usize = 32;
/// A base path. Prefix and template together stay well under the 8 KiB that proxies take as a
/// request line.
pub const BASE_PATH_CHARS: usize = 256;
/// The time for which an old key may work after a rotation, in seconds: 90 days, a quarter of
/// change freeze.
pub const GRACE_SECONDS: std::ops::RangeInclusive<i64> = 0..=90 * 24 * 60 * 60;
/// The rows of a page.
pub const PAGE: std::ops::RangeInclusive<i64> = 1..=200;
/// The rows of a page when the client does not say.
pub const PAGE_DEFAULT: i64 = 50;
/// The rows of a page of usage: a month by the hour is 744.
pub const USAGE_PAGE: std::ops::RangeInclusive<i64> = 1..=1_000;
/// The rows of a page of usage when the client does not say.
pub const USAGE_PAGE_DEFAULT: i64 = 200;
/// The span of a query of usage, and the time for which its sums are kept: a year, and time to bill
/// its last month.
pub const USAGE_SPAN: chrono::TimeDelta = chrono::TimeDelta::days(400);
/// The JSON of a page: a page of objects that all have the longest lists of addresses would be 200
/// times [`BODY_BYTES`]. One object always fits.
pub const PAGE_BYTES: usize = 4 * BODY_BYTES;
/// An `Idempotency-Key` or `x-request-id`: room for a UUID with a prefix.
pub const HEADER_ID_CHARS: usize = 128;

/// A request as a whole, its body included.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);
/// A request that imports a document: 32 MiB over a slow line, and its parsing.
pub const IMPORT_TIME: Duration = Duration::from_secs(120);
/// The head of a request; slower clients hold connections open on purpose.
pub const HEADER_TIME: Duration = Duration::from_secs(10);
/// The time that open requests get to finish when the process is asked to stop.
pub const DRAIN_TIME: Duration = Duration::from_secs(20);
/// A connection without a request, between two of them: consoles poll every few seconds.
pub const IDLE_TIME: Duration = Duration::from_secs(60);
/// A pause in an answer that is being sent: its client does not read.
pub const STALL_TIME: Duration = Duration::from_secs(30);
/// A pause in a body that is being received, and the time that its first bytes may take.
pub const BODY_PAUSE: Duration = Duration::from_secs(10);
/// The bytes a second of a body, after [`BODY_PAUSE`]: a slow telephone line. Without a rate, a
/// byte now and then would keep a request for its whole time.
pub const BODY_BYTES_A_SECOND: u64 = 16 * 1024;
/// Open connections. Each costs some 20 KiB; the API serves operators and their programs, not
/// traffic.
pub const CONNECTIONS: usize = 1_024;
/// Open connections of one address: an office behind one, and an eighth of all.
pub const CONNECTIONS_PER_ADDRESS: usize = 128;

/// Slugs that name parts of the platform itself under the base domain.
pub const RESERVED_SLUGS: [&str; 7] =
    [SHARED_API_LABEL, "www", "admin", "portal", "docs", "status", "mail"];
