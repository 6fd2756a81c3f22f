//! The operations on consumers and their keys.

use super::{Operation, row};
use crate::rights::permissions::Who::{Developer, Viewer};

/// In the order of the document.
pub(super) const OPERATIONS: &[Operation] = &[
    row("createConsumer", Developer),
    row("listConsumers", Viewer),
    row("getConsumer", Viewer),
    row("updateConsumer", Developer),
    row("deleteConsumer", Developer),
    row("createKey", Developer),
    row("listKeys", Viewer),
    row("getKey", Viewer),
    row("updateKey", Developer),
    row("revokeKey", Developer),
    row("rotateKey", Developer),
    row("createSigningKey", Developer),
    row("listSigningKeys", Viewer),
    row("getSigningKey", Viewer),
    row("updateSigningKey", Developer),
    row("revokeSigningKey", Developer),
];
