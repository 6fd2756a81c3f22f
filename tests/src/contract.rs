//! An API against its OpenAPI document: requests that the document allows and requests that it
//! forbids, made by Schemathesis.

use std::{fs, path::Path};

use tempfile::TempDir;
use tokio::process::Command;

/// The checks on every answer: it is no fault of the service; the document knows its status, media
/// type, body and headers; other methods are refused as they should be; nothing works without a
/// token, or with a removed object.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_schema_conformance,response_headers_conformance,unsupported_method,\
    allow_header_conformance,ignored_auth,use_after_free";

/// The caller and its target.
pub struct Asker<'a> {
    pub base: &'a str,
    /// The bearer token.
    pub token: &'a str,
    /// Values of path parameters that name an object, so that not every request is answered 404.
    pub parameters: &'a [(&'a str, &'a str)],
    /// Operations that are left out, since they would remove the objects that `parameters` name.
    pub without: &'a [&'a str],
    /// A regular expression for the paths that are tried; all paths if there is none.
    pub only: Option<&'a str>,
    /// The number of requests that are made up for each operation, beside those that try each
    /// constraint of its parameters.
    pub examples: u32,
}

/// The number of requests that were sent.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    pub cases: u64,
}

impl Asker<'_> {
    /// Sends requests one after the other. Returns their number if no answer was wrong.
    ///
    /// # Panics
    /// Panics with the findings of Schemathesis, or with the reason why it could not run.
    pub async fn ask(&self) -> Asked {
        let folder = TempDir::new().unwrap_or_else(|error| panic!("a folder: {error}"));
        let config = folder.path().join("schemathesis.toml");
        fs::write(&config, self.config())
            .unwrap_or_else(|error| panic!("{}: {error}", config.display()));
        // Schemathesis keeps files of its own in its working folder.
        let output = self.command(&config).current_dir(folder.path()).output().await;
        let output = output.unwrap_or_else(|error| panic!("starting schemathesis: {error}"));
        let printed = String::from_utf8_lossy(&output.stdout);
        let wrong = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}\n{wrong}");
        Asked {
            cases: cases(&printed)
                .unwrap_or_else(|| panic!("no count of test cases in\n{printed}")),
        }
    }

    fn command(&self, config: &Path) -> Command {
        let tools = std::env::var_os("TENANTRY_PYTHON_TOOLS")
            .unwrap_or_else(|| panic!("TENANTRY_PYTHON_TOOLS is not set: run `cargo xtask test`"));
        let mut command = Command::new(Path::new(&tools).join("schemathesis"));
        command
            .arg("--config-file")
            .arg(config)
            .arg("run")
            .arg(format!("{}/openapi.json", self.base));
        command.args([
            "--checks",
            CHECKS,
            "--phases",
            "examples,coverage,fuzzing,stateful",
            "--no-color",
        ]);
        command.args([
            "--max-examples",
            &self.examples.to_string(),
            "--continue-on-failure",
            "--seed",
            "1",
        ]);
        command.args([
            "--generation-database",
            "none",
            "--suppress-health-check",
            "all",
            "--warnings",
            "off",
        ]);
        command.args(self.only.iter().flat_map(|paths| ["--include-path-regex", paths]));
        command.args(self.without.iter().flat_map(|id| ["--exclude-operation-id", id]));
        // Not an argument: those can be read by all users of the machine.
        command.env("TENANTRY_TOKEN", self.token).kill_on_drop(true);
        command
    }

    fn config(&self) -> String {
        let parameters =
            self.parameters.iter().map(|(name, value)| format!("\"path.{name}\" = \"{value}\"\n"));
        let parameters: String = parameters.collect();
        format!(
            "headers = {{ Authorization = \"Bearer \
            ${{TENANTRY_TOKEN}}\" }}\n\n[parameters]\n{parameters}"
        )
    }
}

/// Reads the count from the last lines that Schemathesis prints.
fn cases(printed: &str) -> Option<u64> {
    let line = printed.lines().map(str::trim).find_map(|line| line.split_once(" generated"))?;
    line.0.parse().ok()
}
