//! Commands that documents print, run as a reader would paste them.
//!
//! Each `sh` block of a document is run by one bash, in a folder that has the `.tenantry/up.json`
//! of a running stack. A line that ends in `# <status>` claims the status of the last request that
//! was made until there; every other request has to succeed.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use stack::{Stack, workspace_root};
use tenantry_tests::{echo, finish, start};

/// Runs before the commands: `curl` also writes the status of each request to `$STATUSES`, and
/// `claim <line> <status>` compares the last one.
const PRELUDE: &str = r#"
set -euo pipefail
STATUSES=$PWD/statuses
: >"$STATUSES"
curl() {
  command curl --noproxy '*' --max-time 30 --write-out '%{stderr}STATUS %{http_code}\n' "$@" \
    2>>"$STATUSES"
}
succeeded() {
  if grep -v '^STATUS 2' "$1" | grep -q '^STATUS'; then
    echo "line $2: a request before it failed: $(grep '^STATUS' "$1" | tr '\n' ' ')" >&2
    exit 1
  fi
}
claim() {
  local last
  last=$(grep '^STATUS' "$STATUSES" | tail -n 1)
  if [ "$last" != "STATUS $2" ]; then
    echo "line $1: claims $2, and the request was answered: $last" >&2
    exit 1
  fi
  grep '^STATUS' "$STATUSES" | head -n -1 >"$STATUSES.before"
  succeeded "$STATUSES.before" "$1"
  : >"$STATUSES"
}
"#;

/// The commands of a document, and how many statuses they claim.
struct Printed {
    script: String,
    claims: usize,
}

impl Printed {
    /// Takes the `sh` blocks of a document. Those that start or stop a gateway are left out: a
    /// stack is running already.
    fn of(document: &Path) -> Printed {
        let text = std::fs::read_to_string(document)
            .unwrap_or_else(|error| panic!("{}: {error}", document.display()));
        let mut printed = Printed { script: PRELUDE.to_owned(), claims: 0 };
        let mut block: Option<Vec<(usize, &str)>> = None;
        for (index, line) in text.lines().enumerate() {
            match (&mut block, line.trim_end()) {
                (None, "```sh") => block = Some(Vec::new()),
                (Some(lines), "```") => {
                    printed.add(lines);
                    block = None;
                }
                (Some(lines), line) => lines.push((index + 1, line)),
                (None, _) => {}
            }
        }
        assert!(block.is_none(), "{} ends within a block", document.display());
        printed.script.push_str("succeeded \"$STATUSES\" end\n");
        printed
    }

    fn add(&mut self, block: &[(usize, &str)]) {
        if block.iter().all(|(_, line)| line.is_empty() || line.starts_with("cargo xtask ")) {
            return;
        }
        for (number, line) in block {
            let _ = writeln!(self.script, "{line}");
            if let Some(status) = claimed(line) {
                let _ = writeln!(self.script, "claim {number} {status}");
                self.claims += 1;
            }
        }
    }

    /// Runs the commands in a folder.
    fn run(&self, name: &str, folder: &Path) {
        let output = Command::new("bash")
            .args(["-c", &self.script])
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .expect("bash");
        let statuses = std::fs::read_to_string(folder.join("statuses")).unwrap_or_default();
        assert!(
            output.status.success(),
            "the commands of {name} ended with {}\n{}\n{}\nsince the last claim:\n{statuses}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
    }
}

/// The status that a line claims by a comment such as `# 403: no key`.
fn claimed(line: &str) -> Option<u16> {
    let (_, comment) = line.rsplit_once(" # ")?;
    let status = comment.get(..3)?.parse().ok()?;
    comment[3..].chars().next().is_none_or(|next| !next.is_alphanumeric()).then_some(status)
}

#[test]
fn a_comment_with_a_status_is_a_claim_and_no_other_is() {
    assert_eq!(claimed("curl -i $URL # 403"), Some(403));
    assert_eq!(claimed("curl -i $URL     # 200: here the key tells the site"), Some(200));
    assert_eq!(claimed("api GET $S/status  # live or on its way"), None);
    assert_eq!(claimed("sleep 3 # 2000 ms are not enough"), None);
    assert_eq!(claimed("curl -i $URL"), None);
}

#[tokio::test]
async fn the_commands_of_the_documents_do_what_is_said() {
    let stack = start(Stack::builder("printed")).await;
    let upstream = echo("orders");
    for (document, claims) in [("README.md", 4), ("docs/use/first-hour.md", 8)] {
        let folder = tempfile::tempdir().expect("a folder");
        let envoy = &stack.envoys[0].settings;
        let up = json!({
            "gateway_http": format!("http://{}", envoy.gateway),
            "gateway_port": envoy.gateway.port(),
            "admin": stack.api.base(),
            "operator_token": stack.api.token(),
            "echo_address": upstream.addr.ip(),
            "echo_port": upstream.addr.port(),
        });
        std::fs::create_dir(folder.path().join(".tenantry")).expect("a folder");
        std::fs::write(folder.path().join(".tenantry/up.json"), up.to_string()).expect("a file");
        let printed = Printed::of(&workspace_root().join(document));
        assert_eq!(printed.claims, claims, "the statuses that {document} claims");
        let path = folder.path().to_owned();
        tokio::task::spawn_blocking(move || printed.run(document, &path)).await.expect("no panic");
    }
    finish(stack).await;
}
