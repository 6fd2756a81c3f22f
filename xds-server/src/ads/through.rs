//! A mark of how far a client is.

/// The change of the log through which a client has everything, as far as one name is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Through {
    /// Through none: the client may still have what it had on an earlier stream.
    Nothing,
    /// Through this one.
    Seq(i64),
    /// Through all: the name holds nothing up.
    All,
}
