//! The nouns of the API: the tags of the OpenAPI document, and the names in scopes.

/// Nouns, in the order in which they are set up.
pub const TAGS: &[(&str, &str)] = &[
    ("Login", "Login of people, and the renewal of their tokens."),
    ("Sign-up", "Organisations become tenants by themselves, if the operator allows it."),
    ("Account", "The account of the caller: profile, sessions, password and second factor."),
    ("Cells", "Groups of gateways that serve the same tenants."),
    ("Platform plans", "The limits of tenants. Each tenant has one plan."),
    ("Tenants", "Customer organisations: the unit of isolation."),
    ("Members", "The people of a tenant, and their roles."),
    ("Invitations", "People become members by invitation."),
    (
        "Service tokens",
        "Tokens of a tenant's programs. Only their hash is kept; a token is shown once.",
    ),
    ("Sites", "A tenant's gateway workspaces, each with its own hostnames, APIs and keys."),
    ("Hostnames", "Names that resolve to a site."),
    ("Upstreams", "The destinations of traffic."),
    ("APIs", "APIs that a site publishes, each under a base path."),
    ("Versions", "The versions of an API."),
    ("Routes", "Methods and path templates of a version."),
    ("Import", "Imports make routes out of an OpenAPI description."),
    ("Plans", "Tiers of rate limits and quotas that consumers subscribe to."),
    ("Issuers", "Issuers of the JSON Web Tokens that a site accepts."),
    ("Consumers", "Applications that call the APIs."),
    ("Keys", "The API keys of a consumer. Only their hash is kept; a key is shown once."),
    ("Signing keys", "The keys with which a consumer signs its requests (RFC 9421)."),
    ("Usage", "Sums over the requests of a tenant, by the hour."),
    ("Status", "The progress of changes, by Envoy."),
    (
        "Audit",
        "Every change, with actor, time and address: a chain of hashes for each tenant, which can \
         be verified.",
    ),
    ("Service", "Probes, metrics and this document."),
];

/// The noun of a tag, as scopes name it: in lower case and with hyphens.
pub fn noun(tag: &str) -> String {
    tag.to_ascii_lowercase().replace(' ', "-")
}

/// True if there are operations with this noun.
pub fn is_noun(text: &str) -> bool {
    TAGS.iter().any(|(tag, _)| noun(tag) == text)
}
