//! Links in letters: they lead to pages of the operator's, with the token in the fragment, which no
//! browser sends to a server: so no log on the way has it.

use std::str::FromStr;
use std::sync::Arc;

use axum::http::Uri;

/// The purpose of a link in a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// To prove an address.
    Verify,
    /// To choose another password.
    Reset,
    /// To accept an invitation.
    Invitation,
}

impl Page {
    /// The path of the page, below the base of the links.
    fn path(self) -> &'static str {
        match self {
            Self::Verify => "/verify",
            Self::Reset => "/reset-password",
            Self::Invitation => "/invitation",
        }
    }

    /// The call that takes the token, for installations without pages.
    fn call(self) -> &'static str {
        match self {
            Self::Verify => "POST /v1/signup/verify",
            Self::Reset => "POST /v1/auth/password-reset/confirm, with the new password",
            Self::Invitation => "POST /v1/me/invitations, logged in with this address",
        }
    }
}

/// The URL that links in letters begin with.
#[derive(Clone, Debug)]
pub struct LinkBase(Arc<str>);

impl FromStr for LinkBase {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "links begin with a URL such as https://console.example.com, without a query \
                     and a fragment";
        let uri: Uri = text.parse().map_err(|_| wrong)?;
        let is_web = matches!(uri.scheme_str(), Some("https" | "http"));
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if !is_web || has_user || text.contains(['?', '#']) || uri.host().is_none_or(str::is_empty)
        {
            return Err(wrong);
        }
        Ok(Self(text.trim_end_matches('/').into()))
    }
}

/// The part of a letter that tells the use of its token.
#[derive(Clone, Debug, Default)]
pub struct Links(pub Option<LinkBase>);

impl Links {
    /// A link to a page; or the token, and the call that takes it.
    pub fn to(&self, page: Page, token: &str) -> String {
        match &self.0 {
            Some(LinkBase(base)) => {
                format!("Open this link:\n\n    {base}{}#token={token}\n", page.path())
            }
            None => format!("Send this token by {}:\n\n    {token}\n", page.call()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_in_the_fragment_of_a_link() {
        let links = Links(Some("https://console.example.com/app/".parse().unwrap()));
        let text = links.to(Page::Verify, "tne_x");
        assert!(
            text.contains("    https://console.example.com/app/verify#token=tne_x\n"),
            "{text}"
        );
        let text = Links::default().to(Page::Verify, "tne_x");
        assert!(text.contains("POST /v1/signup/verify") && text.contains("    tne_x\n"), "{text}");
    }

    #[test]
    fn links_begin_with_a_plain_url() {
        for (text, good) in [
            ("https://console.example.com", true),
            ("http://127.0.0.1:8080/console", true),
            ("console.example.com", false),
            ("https://", false),
            ("ftp://a.example", false),
            ("https://a.example?x=y", false),
            ("https://a.example/#x", false),
            ("https://a@a.example", false),
        ] {
            assert_eq!(text.parse::<LinkBase>().is_ok(), good, "{text}");
        }
    }
}
