//! `cargo xtask up` and `down`, as a new user meets them.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use stack::ports;
use stack::postgres::DatabaseServer;

/// The deployment has this much time to come up or to end: far more than it takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// A home of its own, and ports of its own.
struct Deployment {
    home: tempfile::TempDir,
    port_base: String,
}

impl Deployment {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        // PostgreSQL's account has to get through.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755))
            .expect("our own folder");
        Self { home, port_base: ports::base().to_string() }
    }

    fn xtask(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(args)
            .env("TENANTRY_HOME", self.home.path())
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.xtask(args).output().expect("xtask starts")
    }

    fn up_detached(&self) -> Output {
        self.run(&["up", "--detach", "--port-base", &self.port_base])
    }

    /// Starts `up` in the foreground, and waits until it serves.
    fn up_in_foreground(&self) -> Child {
        let mut up = self.xtask(&["up", "--port-base", &self.port_base]);
        let mut child =
            up.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("xtask starts");
        let started = Instant::now();
        while !self.home.path().join("up.json").exists() {
            assert!(started.elapsed() < PATIENCE, "`up` does not serve");
            assert!(child.try_wait().expect("a child").is_none(), "`up` has ended");
            sleep(Duration::from_millis(50));
        }
        child
    }

    fn up_json(&self) -> Value {
        let path = self.home.path().join("up.json");
        let mode = fs::metadata(&path).expect("up.json").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "up.json holds secrets");
        serde_json::from_slice(&fs::read(path).expect("up.json")).expect("JSON")
    }
}

/// An empty database on the server of this test run, owned by a role that is no superuser; its URL.
async fn named_database(server: &DatabaseServer, name: &str) -> String {
    server.drop_database(name).await.expect("a server");
    server.ensure_database(name, None).await.expect("a database");
    server.database(name).owner_url()
}

/// The pid of a child of this process by its program's name.
fn child_of(parent: u32, name: &str) -> Option<Pid> {
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let (program, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let is_child = rest.split_ascii_whitespace().nth(1)?.parse() == Ok(parent);
        (is_child && program == name).then(|| Pid::from_raw(pid))
    })
}

fn ended(mut child: Child) -> (bool, String) {
    let mut stderr = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
    (child.wait().expect("a child").success(), stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs the curl lines of the screen; each follows a comment that ends in the status that it gives.
fn paste_curl_lines(screen: &str) -> usize {
    let lines: Vec<_> = screen.lines().collect();
    let pasted =
        lines.windows(2).filter(|pair| pair[0].starts_with("# ") && pair[1].starts_with("curl "));
    pasted
        .map(|pair| {
            let line = format!("{} -s -o /dev/null -w '%{{http_code}}'", pair[1]);
            let output = Command::new("sh").args(["-c", &line]).output().expect("a shell");
            assert!(
                pair[0].ends_with(&text(&output.stdout)),
                "{} gave {}",
                pair[0],
                text(&output.stdout)
            );
        })
        .count()
}

fn gateway_is_closed(up: &Value) -> bool {
    let url = up["gateway_http"].as_str().unwrap_or_default();
    url.trim_start_matches("http://").parse().is_ok_and(ports::is_free)
}

#[test]
fn a_new_user_brings_it_up_and_down() {
    let deployment = Deployment::new();
    let up = deployment.up_detached();
    assert!(up.status.success(), "{}", text(&up.stderr));
    assert_eq!(paste_curl_lines(&text(&up.stdout)), 5);
    let first = deployment.up_json();
    let texts = ["gateway_http", "admin", "envoy_admin", "xds_grpc", "echo_address"];
    for field in texts.into_iter().chain(["database_url", "operator_token"]) {
        assert!(first[field].is_string(), "{field} in up.json");
    }
    for field in ["gateway_port", "echo_port"] {
        assert!(first[field].is_u64(), "{field} in up.json");
    }
    for field in ["tenant_id", "site_id", "hostname", "api_key", "path"] {
        assert!(first["demo"][1][field].is_string(), "{field} in the second demo tenant");
    }

    let again = deployment.up_detached();
    assert!(
        !again.status.success() && text(&again.stderr).contains("running already"),
        "{}",
        text(&again.stderr)
    );
    assert!(deployment.run(&["down"]).status.success());
    assert!(gateway_is_closed(&first) && !deployment.home.path().join("up.json").exists());
    assert!(deployment.run(&["down"]).status.success(), "nothing to stop is no failure");

    // The data is found again, and Ctrl-C stops the parts in order.
    let up = deployment.up_in_foreground();
    assert_eq!(deployment.up_json()["demo"], first["demo"]);
    kill(Pid::from_raw(up.id().cast_signed()), Signal::SIGINT).expect("`up` is running");
    let (success, said) = ended(up);
    assert!(success, "{said}");
    let order = [
        "Stopping Envoy",
        "Stopping tenantry-xds",
        "Stopping tenantry-admin",
        "Stopping PostgreSQL",
    ];
    let places: Vec<_> = order
        .iter()
        .map(|step| said.find(step).unwrap_or_else(|| panic!("{step} in {said}")))
        .collect();
    assert!(places.is_sorted(), "{said}");
    assert!(gateway_is_closed(&first));
}

#[test]
fn a_part_that_dies_takes_the_others_along_and_is_named() {
    let deployment = Deployment::new();
    let up = deployment.up_in_foreground();
    let json = deployment.up_json();
    kill(child_of(up.id(), "tenantry-xds").expect("tenantry-xds is a part"), Signal::SIGKILL)
        .expect("a kill");
    let (success, said) = ended(up);
    assert!(!success, "{said}");
    assert!(
        said.contains("error: tenantry-xds") && said.contains("applied changes"),
        "who, and its log: {said}"
    );
    assert!(
        gateway_is_closed(&json) && !Path::new(&deployment.home.path().join("up.json")).exists()
    );
}

#[test]
fn the_database_that_is_named_is_used() {
    let url =
        std::env::var("TENANTRY_TEST_DATABASE_URL").expect("run the tests with `cargo xtask test`");
    let server = DatabaseServer::from_url(&url).expect("a URL");
    let name = format!("up_{}", std::process::id());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let database_url = runtime.block_on(named_database(&server, &name));
    let deployment = Deployment::new();
    let mut up = deployment.xtask(&["up", "--detach", "--port-base", &deployment.port_base]);
    let up = up.env("DATABASE_URL", &database_url).output().expect("xtask starts");
    assert!(up.status.success(), "{}", text(&up.stderr));
    assert_eq!(paste_curl_lines(&text(&up.stdout)), 5);
    assert!(deployment.up_json()["database_url"].as_str().is_some_and(|url| url.contains(&name)));
    assert!(!deployment.home.path().join("postgres").exists(), "a private server was made as well");
    assert!(deployment.run(&["down"]).status.success());
    runtime.block_on(server.drop_database(&name)).expect("nobody uses it any more");
}
