//! Organisations that sign up by themselves: an account, a tenant with that person as its Admin,
//! and a first site, all at once.

pub mod template;

use chrono::TimeDelta;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use template::{Origin, Template};

/// The time in which people look into their mail.
pub const UNPROVEN_KEPT: TimeDelta = TimeDelta::hours(24);
/// The time that a sign-up waits for an operator.
pub const WAITING_KEPT: TimeDelta = TimeDelta::days(30);

/// The mode of sign-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Everybody.
    Open,
    /// Everybody, and an operator has to approve.
    Approval,
    /// Sign-up is closed: operators make tenants.
    #[default]
    Closed,
}

/// The objects that a sign-up is to make.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// The name of the organisation, which becomes the name of its tenant.
    #[schema(min_length = 1, max_length = 200, example = "Acme")]
    pub organisation: String,
    /// The label of the hostname of its first site. If it is taken, the site gets one that begins
    /// with it.
    #[schema(
        min_length = 1,
        max_length = 63,
        pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        example = "acme-shop"
    )]
    pub site_slug: String,
    /// The first contents of the site.
    pub template: Template,
    /// The destination of its traffic. All templates but `empty` need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub origin: Option<Origin>,
}
