//! The places for imports: a document in memory, and a parser at work. Tenants have shares of both.

use std::time::Duration;

use store::Party;
use store::shares::{Place, Share, ShareTaken, Shares};

use crate::bounds;

/// A tenant's documents: one is parsed while the next one comes in. A pipeline that imports many
/// APIs sends one after the other.
const DOCUMENTS: Share = Share { places: 2, queue: 2 };
/// A tenant's parsers: the other core is for others.
const PARSERS: Share = Share { places: 1, queue: 2 };
/// The wait for either: as long as other parties' largest documents take.
const WAIT: Duration = Duration::from_secs(20);

/// The places for imports.
#[derive(Clone, Debug)]
pub struct ImportPlaces {
    documents: Shares<Party>,
    parsers: Shares<Party>,
}

impl Default for ImportPlaces {
    fn default() -> Self {
        Self {
            documents: Shares::new(bounds::DOCUMENTS_AT_ONCE),
            parsers: Shares::new(bounds::IMPORTS_AT_ONCE),
        }
    }
}

impl ImportPlaces {
    /// A place for a document. Take it before the body is read, and keep it as long as the document
    /// is in memory.
    pub async fn document(&self, party: Party) -> Result<Place, ShareTaken> {
        self.documents.take(party, DOCUMENTS, WAIT).await
    }

    /// A place for a parser. Take it when the body is there, and give it to the work.
    pub async fn parser(&self, party: Party) -> Result<Place, ShareTaken> {
        self.parsers.take(party, PARSERS, WAIT).await
    }
}
