//! The body of an import: a document, parsed off the threads that serve requests, in the places
//! that its tenant has.

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use policy::settings::RouteSettings;
use store::route::RouteSpec;
use store::shares::ShareTaken;

use crate::app::App;
use crate::bounds;
use crate::http::body;
use crate::http::caller::Caller;
use crate::http::idempotency::Once;
use crate::http::problem::Problem;
use crate::http::problem::request::{INTERNAL, SHARE_TAKEN, SYNTAX};
use crate::import::{self, Format, ImportError, Imported};

/// The body of an import.
pub(super) struct Document {
    pub caller: Caller,
    pub once: Once,
    /// The routes that the document describes; they go to the version's upstream.
    pub routes: Vec<RouteSpec>,
    pub warnings: Vec<String>,
}

impl FromRequest<App> for Document {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let in_memory = app.imports.document(caller.party()).await.map_err(too_many)?;
        let bytes = body::read(body, bounds::DOCUMENT_BYTES).await?;
        let once = Once::of(&parts, &bytes, &caller)?;
        let expected = "application/json or application/yaml";
        let format = Format::of(&body::media_type(&parts.headers), &bytes)
            .ok_or_else(|| Problem::media_type(expected))?;
        // Only now: a body that comes slowly keeps no parser from others.
        let parser = app.imports.parser(caller.party()).await.map_err(too_many)?;
        let parsed = import::import_apart(bytes, format, (in_memory, parser)).await;
        let Imported { routes, warnings } = parsed?;
        let routes = routes.into_iter().map(|route| RouteSpec {
            name: route.name,
            methods: route.methods,
            path: route.template.to_string(),
            upstream_id: None,
            settings: RouteSettings::default(),
        });
        Ok(Self { caller, once, routes: routes.collect(), warnings })
    }
}

fn too_many(_: ShareTaken) -> Problem {
    SHARE_TAKEN.because("Imports of the same tenant are under way; wait for their answers.")
}

impl From<ImportError> for Problem {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Syntax(reason) => SYNTAX.because(reason),
            ImportError::Invalid(errors) => Self::invalid(errors),
            ImportError::Stopped | ImportError::NoThread => INTERNAL.problem(),
        }
    }
}
