//! The nouns of the API: the tags of the OpenAPI document, and the names in scopes.

/// Nouns, in the order in which they are set up.
pub const TAGS: &[(&str, &str)] = &[
    ("Login", "How people prove who they are."),
    ("Sign-up", "How organisations become tenants by themselves, if the operator lets them."),
    ("Account", "What somebody who has logged in sees and changes of their own."),
    ("Cells", "Groups of gateways that serve the same tenants."),
    ("Platform plans", "How much of everything a tenant may have. Each tenant has one of them."),
    ("Tenants", "Customer organisations: the unit of isolation."),
    ("Members", "The people of a tenant, and what each may do there."),
    ("Invitations", "How people become members."),
    (
        "Service tokens",
        "What a tenant's programs have. Only their hash is kept; a token is shown once.",
    ),
    ("Sites", "A tenant's gateway workspaces, each with its own hostnames, APIs and keys."),
    ("Hostnames", "Names that resolve to a site."),
    ("Upstreams", "Where traffic goes."),
    ("APIs", "What a site publishes under a base path."),
    ("Versions", "The versions of an API."),
    ("Routes", "Methods and path templates of a version."),
    ("Import", "Making routes out of an OpenAPI description."),
    ("Plans", "Tiers of rate limits and quotas that consumers subscribe to."),
    ("Issuers", "Whose JSON Web Tokens a site accepts."),
    ("Consumers", "Applications that call the APIs."),
    ("Keys", "The API keys of a consumer. Only their hash is kept; a key is shown once."),
    ("Signing keys", "The keys with which a consumer signs its requests (RFC 9421)."),
    ("Usage", "What the requests of a tenant add up to, by the hour."),
    ("Status", "How far changes have come, and on which Envoys."),
    (
        "Audit",
        "Who changed what, when and from where: a chain of hashes for each tenant, which can be verified.",
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
