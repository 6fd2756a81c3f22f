//! Authentication and the permission table: checked before anything else of a request is looked at.
//!
//! The form of a bearer token tells its kind: `tno_` is an operator's, `tns_` a program's, and
//! three parts that dots join are an access token.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use policy::id::TenantId;
use store::{Logged, Standing, tenant};

use crate::app::App;
use crate::http::caller::{Caller, Peer, Principal, RequestId, Root};
use crate::http::problem::Problem;
use crate::http::problem::request::{METHOD_NOT_ALLOWED, NO_SUCH_PATH, NOT_FOUND};
use crate::http::problem::rights::{
    FORBIDDEN, INVALID_TOKEN, MFA_NEEDED, MISSING_TOKEN, SCOPE_NEEDED, TENANT_SUSPENDED,
};
use crate::rights::access::{Access, Rule};
use crate::rights::permissions::{self, CallerKind, Verdict, Who};
use crate::rights::place::Place;
use crate::rights::scopes::{self, Scope};
use crate::secret::{OperatorToken, ServiceToken};

/// Lets a request through if the permission table does. An operation without a row is not let
/// through.
pub async fn authorize(
    State(app): State<App>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let pattern = parts.extensions.get::<MatchedPath>().ok_or(&NO_SUCH_PATH)?;
    match app.access.find(pattern.as_str(), &parts.method) {
        Access::For(rule) if rule.operation.who == Who::Anyone => {}
        Access::For(rule) => {
            let place = parts.extensions.get::<Place>().copied().unwrap_or_default();
            let found = authenticate(&app, &parts.headers, place.tenant()).await?;
            permit(&rule, &found, place, parts.method.is_safe())?;
            let extensions = &parts.extensions;
            let caller = Caller {
                principal: found.principal,
                tenant: place.tenant(),
                standing: found.standing,
                scopes: found.scopes,
                expires_at: found.expires_at,
                root: found.root,
                request_id: extensions
                    .get::<RequestId>()
                    .map(|id| id.0.clone())
                    .unwrap_or_default(),
                source: extensions.get::<Peer>().map(|peer| peer.0),
                logged: Logged::default(),
            };
            parts.extensions.insert(caller);
        }
        Access::OtherMethods(allow) => {
            return Err(METHOD_NOT_ALLOWED
                .because(format!("It has {allow}."))
                .with_header(header::ALLOW, allow));
        }
        Access::None => return Err(NO_SUCH_PATH.problem()),
    }
    Ok(next.run(Request::from_parts(parts, body)).await)
}

/// Asks the permission table, and then checks the other conditions. An invisible object stays
/// invisible whatever else is wrong.
fn permit(rule: &Rule, found: &Authenticated, place: Place, is_safe: bool) -> Result<(), Problem> {
    let who = rule.operation.who;
    let verdict = permissions::decide(who, found.principal.kind(), &found.standing, place);
    if verdict == Verdict::Invisible {
        return Err(NOT_FOUND.problem());
    }
    let in_tenant = place != Place::Platform;
    if in_tenant && found.lacks_mfa {
        return Err(MFA_NEEDED.problem());
    }
    if verdict == Verdict::Forbidden {
        return Err(FORBIDDEN.because(who.text()));
    }
    let scope = Scope::of(&rule.noun, !is_safe);
    if !scopes::include(&found.scopes, &scope) {
        return Err(SCOPE_NEEDED.because(format!("It needs the scope `{scope}`.")));
    }
    let suspended =
        found.status == tenant::Status::Suspended && found.principal.kind() != CallerKind::Operator;
    if in_tenant && suspended && !is_safe {
        return Err(TENANT_SUSPENDED.problem());
    }
    Ok(())
}

/// The bearer of a token, and its standing in the tenant of the path.
struct Authenticated {
    principal: Principal,
    standing: Standing,
    scopes: Vec<Scope>,
    expires_at: Option<DateTime<Utc>>,
    root: Root,
    status: tenant::Status,
    /// The tenant asks for a second factor, and the session has none.
    lacks_mfa: bool,
}

impl Authenticated {
    fn new(principal: Principal, root: Root) -> Self {
        Self {
            principal,
            standing: Standing::default(),
            scopes: Vec::new(),
            expires_at: None,
            root,
            status: tenant::Status::Active,
            lacks_mfa: false,
        }
    }
}

async fn authenticate(
    app: &App,
    headers: &HeaderMap,
    tenant: Option<TenantId>,
) -> Result<Authenticated, Problem> {
    match bearer(headers)? {
        Presented::Operator(token) => {
            let found = app.store.authenticate(&token.digest()).await?.ok_or(&INVALID_TOKEN)?;
            Ok(Authenticated::new(
                Principal::Operator { token: found.id },
                Root::of_token(token.reveal()),
            ))
        }
        Presented::Service(token) => service(app, &token, tenant).await,
        Presented::Access(token) => account(app, &token, tenant).await,
    }
}

async fn account(
    app: &App,
    token: &str,
    tenant: Option<TenantId>,
) -> Result<Authenticated, Problem> {
    let claims = app.access_tokens.verify(token, (app.clock)()).await?.ok_or(&INVALID_TOKEN)?;
    let found = app.store.authenticate_account(claims.account, claims.session, tenant).await?;
    let found = found.ok_or(&INVALID_TOKEN)?;
    let principal = Principal::Account { account: claims.account, session: claims.session };
    let root = Root::of_account(app.secrets.as_deref(), claims.account);
    let lacks_mfa = found.require_mfa && !found.mfa;
    Ok(Authenticated {
        standing: found.standing,
        status: found.status,
        lacks_mfa,
        ..Authenticated::new(principal, root)
    })
}

async fn service(
    app: &App,
    token: &ServiceToken,
    tenant: Option<TenantId>,
) -> Result<Authenticated, Problem> {
    let found = app.store.authenticate_service(&token.digest()).await?.ok_or(&INVALID_TOKEN)?;
    if !found.is_noted {
        app.last_used.note(found.tenant, found.id);
    }
    let mut caller =
        Authenticated::new(Principal::Service { token: found.id }, Root::of_token(token.reveal()));
    // Elsewhere it is nothing.
    if tenant == Some(found.tenant) {
        caller.standing = found.standing;
    }
    // Stored scopes were checked; a scope that is none any more is left out, and never stands for
    // all.
    let scopes: Vec<Scope> = found.scopes.iter().filter_map(|scope| scope.parse().ok()).collect();
    if scopes.len() != found.scopes.len() && scopes.is_empty() {
        return Err(INVALID_TOKEN.problem());
    }
    Ok(Authenticated { scopes, expires_at: found.expires_at, status: found.status, ..caller })
}

/// A bearer token, by its form.
enum Presented {
    Operator(OperatorToken),
    Service(ServiceToken),
    /// Three parts that dots join; nothing is known of its signature.
    Access(String),
}

impl Presented {
    fn parse(text: &str) -> Option<Self> {
        let access = || (text.split('.').count() == 3).then(|| Self::Access(text.to_owned()));
        let operator = || OperatorToken::parse(text).map(Self::Operator);
        operator().or_else(|| ServiceToken::parse(text).map(Self::Service)).or_else(access)
    }
}

/// The bearer token of a request (RFC 6750 section 2.1). The scheme is case-insensitive (RFC 9110
/// section 11.1).
fn bearer(headers: &HeaderMap) -> Result<Presented, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(&MISSING_TOKEN)?;
    if values.next().is_some() {
        return Err(INVALID_TOKEN.problem());
    }
    let value = value.to_str().map_err(|_| &INVALID_TOKEN)?;
    let (scheme, token) = value.split_once(' ').ok_or(&MISSING_TOKEN)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(MISSING_TOKEN.problem());
    }
    Presented::parse(token.trim()).ok_or(INVALID_TOKEN.problem())
}
