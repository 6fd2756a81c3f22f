//! The state directory: one base, and the journal that goes with it.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::frame::{Coder, FRAME_BYTES, Fault, Role, Sealing};
use super::record::{Commit, Entry, FrameBody, State};

/// Held locked while a program uses the directory.
const LOCK: &str = "lock";
const BASE: &str = "base";
const JOURNAL: &str = "journal";
/// The end of the name of a base that is being written.
const UNFINISHED: &str = ".tmp";

/// Why the state on disk cannot be used.
#[derive(Debug, Error)]
pub enum StateError {
    /// Another program uses the directory.
    #[error(
        "{} is in use by another tenantry-xds: give each a --state-dir of its own",
        dir.display()
    )]
    InUse {
        /// The directory.
        dir: PathBuf,
    },
    /// The file system refuses.
    #[error("{} cannot be read or written", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A file has changed since it was written.
    #[error(
        "{} is damaged at byte {offset}, and nothing of it is used; remove it, and look at the \
         disk",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The offset of the fault, or shortly before.
        offset: usize,
    },
    /// A file is of another release.
    #[error("{} was written by another release of this program, and is not used", path.display())]
    OtherFormat {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be opened with the secrets key that there is, or without one.
    #[error(
        "{} is sealed with another secrets key than that of --secrets-key-file, and is not used",
        path.display()
    )]
    NotOpened {
        /// The file.
        path: PathBuf,
    },
    /// A resource is too large for a file.
    #[error("a resource is too large to be stored")]
    TooLarge,
}

/// A state directory, used by this program alone.
#[derive(Debug)]
pub struct StateDir {
    dir: PathBuf,
    sealing: Sealing,
    _lock: File,
}

/// The content of the files.
#[derive(Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The state.
    pub state: State,
    /// The bytes at the end of the journal that belong to a transaction that was never complete.
    pub torn_bytes: usize,
}

/// The journal of the base that was written last.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    coder: Coder,
    len_bytes: u64,
    base_len_bytes: u64,
}

impl StateDir {
    /// Takes a directory, and makes it if it is not there.
    ///
    /// # Errors
    /// [`StateError::InUse`], or what the file system says.
    pub fn open(dir: &Path, sealing: Sealing) -> Result<Self, StateError> {
        let at = |path: &Path| io_error(path.to_owned());
        DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(at(dir))?;
        let path = dir.join(LOCK);
        let lock = writable().truncate(false).open(&path).map_err(at(&path))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StateError::InUse { dir: dir.to_owned() },
            TryLockError::Error(source) => StateError::Io { path, source },
        })?;
        Ok(Self { dir: dir.to_owned(), sealing, _lock: lock })
    }

    /// Reads the state that was stored last; `None` if there is none.
    ///
    /// # Errors
    /// Those that make the state unusable.
    pub fn load(&self) -> Result<Option<Loaded>, StateError> {
        let Some(generation) = self.generations(BASE)?.into_iter().max() else { return Ok(None) };
        let mut loaded = Loaded { state: State::default(), torn_bytes: 0 };
        let torn_bytes = self.read(Role::Base, generation, &mut loaded.state)?;
        let path = self.path(BASE, generation);
        if torn_bytes > 0 || loaded.state.commit.is_none() {
            // It was whole when it got its name.
            let offset = fs::metadata(&path).map_or(0, |file| file.len() as usize);
            return Err(StateError::Damaged { path, offset });
        }
        loaded.torn_bytes = self.read(Role::Journal, generation, &mut loaded.state)?;
        Ok(Some(loaded))
    }

    /// Writes everything as a new base, begins a journal for it, and removes the files before.
    ///
    /// # Errors
    /// Those of the file system; what was there before is still there then.
    pub fn begin<'a>(
        &self,
        entries: impl IntoIterator<Item = Entry<'a>>,
        commit: Commit,
    ) -> Result<Journal, StateError> {
        let generation = self.generations(BASE)?.into_iter().max().map_or(1, |newest| newest + 1);
        let path = self.path(BASE, generation);
        let unfinished = PathBuf::from(format!("{}{UNFINISHED}", path.display()));
        let at = || io_error(unfinished.clone());
        let mut base = BufWriter::new(writable().truncate(true).open(&unfinished).map_err(at())?);
        let mut coder = Coder::new(self.sealing.clone(), Role::Base, generation);
        base.write_all(&coder.header()).map_err(at())?;
        transaction(&mut coder, entries, commit, |frame| base.write_all(&frame).map_err(at()))?;
        let base = base.into_inner().map_err(|error| at()(error.into_error()))?;
        base.sync_all().map_err(at())?;
        let base_len_bytes = base.metadata().map_err(at())?.len();
        // A journal of this number may be left over from a base that did not last.
        let journal = self.begin_journal(generation, base_len_bytes)?;
        fs::rename(&unfinished, &path).map_err(io_error(path))?;
        self.sync()?;
        self.remove_all_but(generation)?;
        Ok(journal)
    }

    fn begin_journal(&self, generation: u64, base_len_bytes: u64) -> Result<Journal, StateError> {
        let path = self.path(JOURNAL, generation);
        let coder = Coder::new(self.sealing.clone(), Role::Journal, generation);
        let header = coder.header();
        let mut file = writable().truncate(true).open(&path).map_err(io_error(path.clone()))?;
        file.write_all(&header).and_then(|()| file.sync_all()).map_err(io_error(path.clone()))?;
        Ok(Journal { path, file, coder, len_bytes: header.len() as u64, base_len_bytes })
    }

    /// Applies all whole transactions of a file that is there. Returns how many bytes are torn off
    /// at its end.
    fn read(&self, role: Role, generation: u64, state: &mut State) -> Result<usize, StateError> {
        let path = self.path(if role == Role::Base { BASE } else { JOURNAL }, generation);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if role == Role::Journal && error.kind() == io::ErrorKind::NotFound => {
                return Ok(0);
            }
            Err(source) => return Err(StateError::Io { path, source }),
        };
        let (whole, fault) =
            read_transactions(Coder::new(self.sealing.clone(), role, generation), &bytes, state);
        match fault {
            None | Some(Fault::Torn) => Ok(bytes.len() - whole),
            Some(Fault::Damaged) => Err(StateError::Damaged { path, offset: whole }),
            Some(Fault::OtherFormat) => Err(StateError::OtherFormat { path }),
            Some(Fault::NotOpened) => Err(StateError::NotOpened { path }),
        }
    }

    /// The numbers of the files of this kind.
    fn generations(&self, kind: &str) -> Result<Vec<u64>, StateError> {
        Ok(self
            .names()?
            .iter()
            .filter_map(|name| name.strip_prefix(kind)?.strip_prefix('-')?.parse().ok())
            .collect())
    }

    fn remove_all_but(&self, generation: u64) -> Result<(), StateError> {
        let kept = [BASE, JOURNAL].map(|kind| file_name(kind, generation));
        for name in self.names()? {
            let ours = [BASE, JOURNAL].iter().any(|kind| name.starts_with(&format!("{kind}-")));
            if ours && !kept.contains(&name) {
                let path = self.dir.join(name);
                fs::remove_file(&path).map_err(io_error(path))?;
            }
        }
        Ok(())
    }

    fn names(&self) -> Result<Vec<String>, StateError> {
        let entries = fs::read_dir(&self.dir).map_err(io_error(self.dir.clone()))?;
        Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn path(&self, kind: &str, generation: u64) -> PathBuf {
        self.dir.join(file_name(kind, generation))
    }

    /// Makes names last.
    fn sync(&self) -> Result<(), StateError> {
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(io_error(self.dir.clone()))
    }
}

impl Journal {
    /// Appends a transaction. After an error the journal is of no use: begin a new base.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn append<'a>(
        &mut self,
        entries: impl IntoIterator<Item = Entry<'a>>,
        commit: Commit,
    ) -> Result<(), StateError> {
        let mut bytes = Vec::new();
        transaction(&mut self.coder, entries, commit, |mut frame| {
            bytes.append(&mut frame);
            Ok(())
        })?;
        self.file
            .write_all(&bytes)
            .and_then(|()| self.file.sync_data())
            .map_err(io_error(self.path.clone()))?;
        self.len_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Its size.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// The size of its base.
    pub fn base_len_bytes(&self) -> u64 {
        self.base_len_bytes
    }
}

/// Encodes a transaction in frames of bounded size.
fn transaction<'a>(
    coder: &mut Coder,
    entries: impl IntoIterator<Item = Entry<'a>>,
    commit: Commit,
    mut write: impl FnMut(Vec<u8>) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let mut body = FrameBody::default();
    let mut size = 0;
    for entry in entries {
        size += FrameBody::size_of(&entry);
        body.add(&entry);
        if size >= FRAME_BYTES {
            write(coder.encode(&std::mem::take(&mut body)).ok_or(StateError::TooLarge)?)?;
            size = 0;
        }
    }
    body.commit(commit);
    write(coder.encode(&body).ok_or(StateError::TooLarge)?)
}

/// Applies the whole transactions of a file. Returns how many bytes those are, and the fault of the
/// rest.
fn read_transactions(mut coder: Coder, file: &[u8], state: &mut State) -> (usize, Option<Fault>) {
    let mut rest = match coder.read_header(file) {
        Ok(rest) => rest,
        Err(fault) => return (0, Some(fault)),
    };
    let mut whole = file.len() - rest.len();
    let mut frames = Vec::new();
    loop {
        match coder.read_frame(&mut rest) {
            Ok(Some(frame)) => {
                let last = frame.is_last();
                frames.push(frame);
                if last {
                    if state.apply(std::mem::take(&mut frames)).is_none() {
                        return (whole, Some(Fault::Damaged));
                    }
                    whole = file.len() - rest.len();
                }
            }
            Ok(None) => return (whole, None),
            Err(fault) => return (whole, Some(fault)),
        }
    }
}

fn file_name(kind: &str, generation: u64) -> String {
    format!("{kind}-{generation}")
}

/// For this program's account alone.
fn writable() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

fn io_error(path: PathBuf) -> impl FnOnce(io::Error) -> StateError {
    |source| StateError::Io { path, source }
}
