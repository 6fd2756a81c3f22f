//! The operations on published APIs.

use super::{Operation, row};
use crate::bounds;
use crate::rights::permissions::Who::{Developer, Member, TenantDeveloper, Viewer};

/// In the order of the document.
pub(super) const OPERATIONS: &[Operation] = &[
    row("createSite", Developer),
    row("listSites", Member),
    row("getSite", Viewer),
    row("updateSite", Developer),
    row("deleteSite", Developer),
    row("cloneSite", TenantDeveloper),
    // Its items have entity tags, and the refusal of one may be the answer of all.
    row("bulkSites", Member).answers(&[("412", "PreconditionFailed")]),
    row("createHostname", Developer),
    row("listHostnames", Viewer),
    row("getHostname", Viewer),
    row("deleteHostname", Developer),
    row("createUpstream", Developer),
    row("listUpstreams", Viewer),
    row("getUpstream", Viewer),
    row("updateUpstream", Developer),
    row("deleteUpstream", Developer),
    row("createApi", Developer),
    row("listApis", Viewer),
    row("getApi", Viewer),
    row("updateApi", Developer),
    row("deleteApi", Developer),
    row("createVersion", Developer),
    row("listVersions", Viewer),
    row("getVersion", Viewer),
    row("updateVersion", Developer),
    row("deleteVersion", Developer),
    row("importRoutes", Developer).takes(bounds::IMPORT_TIME),
    row("createRoute", Developer),
    row("listRoutes", Viewer),
    row("getRoute", Viewer),
    row("updateRoute", Developer),
    row("deleteRoute", Developer),
    row("createPlan", Developer),
    row("listPlans", Viewer),
    row("getPlan", Viewer),
    row("updatePlan", Developer),
    row("deletePlan", Developer),
    row("createIssuer", Developer),
    row("listIssuers", Viewer),
    row("getIssuer", Viewer),
    row("updateIssuer", Developer),
    row("deleteIssuer", Developer),
];
