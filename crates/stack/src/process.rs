//! One child process: its output in a log file, signalled by its own pid alone, never outliving
//! this program.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getpid, getppid};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::account::Account;

/// The part of a log's end that goes into a failure message.
const TAIL_LINES: usize = 40;
const TAIL_BYTES: u64 = 32 * 1024;

/// A dropped process is killed if it has not ended after this time.
const DROP_GRACE: Duration = Duration::from_secs(5);

/// A program that is to be started.
#[derive(Debug, Clone)]
pub struct Launch {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub envs: Vec<(String, String)>,
    pub dir: Option<PathBuf>,
    /// Another account to run as; only root can ask for it.
    pub account: Option<Account>,
    /// Output and errors are appended here.
    pub log: PathBuf,
    /// Asks the process to end: on [`Process::stop`], when it is dropped, and when this program
    /// dies.
    pub end_signal: Signal,
}

impl Launch {
    pub fn new(program: impl Into<PathBuf>, log: impl Into<PathBuf>) -> Launch {
        Launch {
            program: program.into(),
            args: Vec::new(),
            envs: Vec::new(),
            dir: None,
            account: None,
            log: log.into(),
            end_signal: Signal::SIGTERM,
        }
    }

    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Launch {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Launch {
        self.envs.push((name.to_owned(), value.into()));
        self
    }

    pub fn start(&self) -> Result<Process> {
        let log = open_log(&self.log)?;
        let mut command = Command::new(&self.program);
        command.args(&self.args).envs(self.envs.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // A process group of its own: Ctrl-C in a terminal reaches this program alone, which then
        // ends its parts in order.
        command.process_group(0);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        if let Some(account) = &self.account {
            command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
        }
        die_with_parent(&mut command, self.end_signal);
        let child = spawn_on_lasting_thread(command)
            .with_context(|| format!("starting {}", self.program.display()))?;
        Process::watch(child, self.log.clone(), self.end_signal)
    }

    /// Runs it to its end; a failure carries the end of its log.
    pub async fn run(&self) -> Result<()> {
        let process = self.start()?;
        let status = process.wait().await;
        if status.success() {
            return Ok(());
        }
        Err(anyhow!("{} ended with {status}\n{}", self.program.display(), tail(&self.log)))
    }
}

/// A started child. Dropping it ends it.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    log: PathBuf,
    end_signal: Signal,
    /// True once the pid may belong to somebody else; held while a signal is sent.
    reaped: Arc<Mutex<bool>>,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    fn watch(mut child: Child, log: PathBuf, end_signal: Signal) -> Result<Process> {
        let pid = Pid::from_raw(i32::try_from(child.id())?);
        let reaped = Arc::new(Mutex::new(false));
        let (sender, exit) = watch::channel(None);
        let gate = Arc::clone(&reaped);
        // A thread, not a task: the process may be shared by tests that each have a runtime of
        // their own.
        thread::Builder::new().name(format!("wait-{pid}")).spawn(move || {
            while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)
                == Err(Errno::EINTR)
            {}
            let mut reaped = gate.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            *reaped = true;
            sender.send_replace(child.wait().ok().or(Some(ExitStatus::default())));
        })?;
        Ok(Process { pid, log, end_signal, reaped, exit })
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// The status, once it has ended.
    pub fn exited(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    pub async fn wait(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        match exit.wait_for(Option::is_some).await {
            Ok(status) => status.unwrap_or_default(),
            Err(_) => ExitStatus::default(),
        }
    }

    /// Sends `signal`, unless it has ended already.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let reaped = self.reaped.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if *reaped {
            return Ok(());
        }
        kill(self.pid, signal).with_context(|| format!("sending {signal} to {}", self.pid))
    }

    /// Asks it to end, and kills it after `grace`.
    pub async fn stop(&self, grace: Duration) -> Result<ExitStatus> {
        self.signal(self.end_signal)?;
        match timeout(grace, self.wait()).await {
            Ok(status) => Ok(status),
            Err(_) => self.kill().await,
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub async fn kill(&self) -> Result<ExitStatus> {
        self.signal(Signal::SIGKILL)?;
        Ok(self.wait().await)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.signal(self.end_signal);
        let step = Duration::from_millis(10);
        for _ in 0..DROP_GRACE.as_millis() / step.as_millis() {
            if self.exited().is_some() {
                return;
            }
            thread::sleep(step);
        }
        let _ = self.signal(Signal::SIGKILL);
    }
}

/// The last lines of a log, for a failure message.
pub fn tail(log: &Path) -> String {
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_else(|error| format!("(the log cannot be read: {error})"));
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    format!("--- the end of {}\n{}\n---", log.display(), last.join("\n"))
}

fn open_log(path: &Path) -> Result<File> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))
}

/// Has the kernel send `signal` to the child when its parent dies, even by `kill -9`.
#[expect(unsafe_code, reason = "only `pre_exec` runs code between fork and exec")]
fn die_with_parent(command: &mut Command, signal: Signal) {
    let parent = getpid();
    let ask = move || -> io::Result<()> {
        prctl::set_pdeathsig(signal)?;
        // The parent may have died before the call above: then nobody would ever send the signal.
        if getppid() == parent { Ok(()) } else { Err(io::Error::from(Errno::ESRCH)) }
    };
    // SAFETY: between fork and exec the closure makes two system calls; it takes no lock and
    // allocates nothing.
    unsafe {
        command.pre_exec(ask);
    }
}

type Job = (Command, mpsc::Sender<io::Result<Child>>);

/// Spawns on a thread that lasts as long as this program. The kernel sends the parent-death signal
/// when the *thread* that forked ends (prctl(2), `PR_SET_PDEATHSIG`), and the threads of tests and
/// runtimes come and go.
fn spawn_on_lasting_thread(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = mpsc::channel::<Job>();
        thread::spawn(move || {
            for (mut command, answer) in jobs {
                let _ = answer.send(command.spawn());
            }
        });
        sender
    });
    let (answer, result) = mpsc::channel();
    let gone = || io::Error::other("the thread that starts processes is gone");
    spawner.send((command, answer)).map_err(|_| gone())?;
    result.recv().map_err(|_| gone())?
}
