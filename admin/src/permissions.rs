//! Who may do what: the one table. The router asks it before each request, the OpenAPI document shows it, and a test
//! fails if an operation has no row or a row has no operation.

/// Who may use an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody who reaches the listener: probes, metrics and documentation.
    Anyone,
    /// An operator, who runs the whole platform.
    Operator,
}

use Who::{Anyone, Operator};

/// One row per operation, in the order of the document.
pub const TABLE: &[(&str, Who)] = &[
    ("live", Anyone),
    ("ready", Anyone),
    ("metrics", Anyone),
    ("openapi", Anyone),
    ("createCell", Operator),
    ("listCells", Operator),
    ("getCell", Operator),
    ("updateCell", Operator),
    ("deleteCell", Operator),
    ("createTenant", Operator),
    ("listTenants", Operator),
    ("getTenant", Operator),
    ("updateTenant", Operator),
    ("deleteTenant", Operator),
    ("createSite", Operator),
    ("listSites", Operator),
    ("getSite", Operator),
    ("updateSite", Operator),
    ("deleteSite", Operator),
    ("createHostname", Operator),
    ("listHostnames", Operator),
    ("getHostname", Operator),
    ("deleteHostname", Operator),
    ("createUpstream", Operator),
    ("listUpstreams", Operator),
    ("getUpstream", Operator),
    ("updateUpstream", Operator),
    ("deleteUpstream", Operator),
    ("createApi", Operator),
    ("listApis", Operator),
    ("getApi", Operator),
    ("updateApi", Operator),
    ("deleteApi", Operator),
    ("createVersion", Operator),
    ("listVersions", Operator),
    ("getVersion", Operator),
    ("updateVersion", Operator),
    ("deleteVersion", Operator),
    ("importRoutes", Operator),
    ("createRoute", Operator),
    ("listRoutes", Operator),
    ("getRoute", Operator),
    ("updateRoute", Operator),
    ("deleteRoute", Operator),
    ("createPlan", Operator),
    ("listPlans", Operator),
    ("getPlan", Operator),
    ("updatePlan", Operator),
    ("deletePlan", Operator),
    ("createIssuer", Operator),
    ("listIssuers", Operator),
    ("getIssuer", Operator),
    ("updateIssuer", Operator),
    ("deleteIssuer", Operator),
    ("createConsumer", Operator),
    ("listConsumers", Operator),
    ("getConsumer", Operator),
    ("updateConsumer", Operator),
    ("deleteConsumer", Operator),
    ("createKey", Operator),
    ("listKeys", Operator),
    ("getKey", Operator),
    ("updateKey", Operator),
    ("revokeKey", Operator),
    ("rotateKey", Operator),
    ("createSigningKey", Operator),
    ("listSigningKeys", Operator),
    ("getSigningKey", Operator),
    ("updateSigningKey", Operator),
    ("revokeSigningKey", Operator),
    ("getTenantUsage", Operator),
    ("getSiteUsage", Operator),
    ("getSiteStatus", Operator),
    ("listEnvoys", Operator),
    ("listTenantAudit", Operator),
    ("exportTenantAudit", Operator),
    ("listAudit", Operator),
    ("exportAudit", Operator),
];

/// Who may use the operation with this id; `None` if nobody has decided.
pub fn of(operation_id: &str) -> Option<Who> {
    TABLE.iter().find(|(known, _)| *known == operation_id).map(|(_, who)| *who)
}
