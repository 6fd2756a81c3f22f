//! Reading a document on a thread of its own, with a stack that is known to be enough.

use tokio::sync::oneshot;

use super::stop::Stop;
use super::{Format, ImportError, Imported, import};

/// The stack of a thread that parses. The parsers recurse: a document that is as deep as they allow
/// takes some 6 MiB of it without optimisation, and a stack that is too small ends the process. A
/// stack takes memory only as far as it is used.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Reads a description on a thread of its own. `held` is kept until that has ended, also if nobody
/// waits any more: then the work stops where it is.
///
/// # Errors
/// Those of [`import`], and [`ImportError::NoThread`].
pub async fn import_apart<B, H>(bytes: B, format: Format, held: H) -> Result<Imported, ImportError>
where
    B: AsRef<[u8]> + Send + 'static,
    H: Send + 'static,
{
    let stop = Stop::default();
    let _waiting = stop.unless_waited_for();
    let (done, outcome) = oneshot::channel();
    std::thread::Builder::new()
        .name("import".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(move || {
            let imported = import(bytes.as_ref(), format, &stop);
            drop((bytes, held));
            // Nobody may be there to hear it.
            let _ = done.send(imported);
        })
        .map_err(|_| ImportError::NoThread)?;
    outcome.await.unwrap_or(Err(ImportError::NoThread))
}
