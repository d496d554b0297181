//! The place where the open database is kept, and replaced after a failure.

use std::sync::Arc;

use parking_lot::RwLock;
use redb::{Builder, Database, ReadableDatabase as _};
use tracing::{info, warn};
use wk_store::{Revision, StoreError};

use crate::options::Options;
use crate::schema::{self, COMPACTED, FORMAT, FORMAT_NUMBER, KEYS, META, TRIMMED, VERSIONS};
use crate::session::{Fault, Medium, Session, store_error};

/// What the file said when it was opened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub(crate) current: Revision,
    pub(crate) compacted: Revision,
    pub(crate) trimmed: Revision,
}

/// The database, or why there is none at the moment.
#[derive(Debug)]
pub(crate) struct DatabaseSlot {
    /// What the open database lies on. Changed only together with `state`, under its lock.
    medium: RwLock<Arc<Medium>>,
    cache_bytes: usize,
    state: RwLock<State>,
}

#[derive(Debug)]
enum State {
    Open {
        database: Database,
        session: Session,
    },
    /// Opening it again failed; to be tried once more.
    Down(Session),
    Closed,
}

impl DatabaseSlot {
    /// Opens the database on the disk; makes one on an empty disk.
    pub(crate) fn open(
        medium: Arc<Medium>,
        options: &Options,
    ) -> Result<(Self, Found), StoreError> {
        let session = Session::new(Arc::clone(&medium));
        let (database, found) =
            open(&session, options.cache_bytes).map_err(|error| explain(error, session.fault()))?;
        let state = RwLock::new(State::Open { database, session });
        let medium = RwLock::new(medium);
        Ok((Self { medium, cache_bytes: options.cache_bytes, state }, found))
    }

    pub(crate) fn medium(&self) -> Arc<Medium> {
        Arc::clone(&self.medium.read())
    }

    pub(crate) fn cache_bytes(&self) -> usize {
        self.cache_bytes
    }

    /// Does something with another database, that of `session`.
    #[expect(clippy::unused_self, reason = "errors are explained in one place")]
    pub(crate) fn explained<T>(
        &self,
        session: &Session,
        work: impl FnOnce() -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        work().map_err(|error| explain(error, session.fault()))
    }

    /// Puts another database in the place of the present one. Waits for readers.
    pub(crate) fn put(&self, database: Database, session: Session, medium: Arc<Medium>) {
        let mut state = self.state.write();
        *self.medium.write() = medium;
        let old = std::mem::replace(&mut *state, State::Open { database, session });
        drop(state);
        if let State::Open { session, .. } = &old {
            // Nobody reads it any more, so that it need not be closed cleanly.
            session.cut_off();
        }
    }

    /// Does something with the database. It is not replaced meanwhile.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        match &*self.state.read() {
            State::Open { database, session } => {
                work(database).map_err(|error| explain(error, session.fault()))
            }
            State::Down(session) => Err(session.fault().map_or(StoreError::Closed, Fault::error)),
            State::Closed => Err(StoreError::Closed),
        }
    }

    /// Whether there is a database that works, as far as is known.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        // Nobody waits here while it is being replaced; how that ends is not known yet.
        match self.state.try_read().as_deref() {
            None | Some(State::Open { .. }) => Ok(()),
            Some(State::Down(session)) => {
                Err(session.fault().map_or(StoreError::Closed, Fault::error))
            }
            Some(State::Closed) => Err(StoreError::Closed),
        }
    }

    /// Whether the database has to be opened again.
    pub(crate) fn is_down(&self) -> bool {
        match &*self.state.read() {
            State::Open { session, .. } => session.fault().is_some(),
            State::Down(_) => true,
            State::Closed => false,
        }
    }

    /// Opens the database again after a failure and says what it holds now. Waits for readers,
    /// whose session ends with the failed one.
    pub(crate) fn reopen(&self) -> Result<Found, StoreError> {
        let mut state = self.state.write();
        let session = match std::mem::replace(&mut *state, State::Closed) {
            State::Open { database, session } => {
                // After a failure redb writes nothing when it is dropped; this makes sure of it
                // also when the failure was not the disk's.
                session.cut_off();
                drop(database);
                session
            }
            State::Down(session) => session,
            State::Closed => return Err(StoreError::Closed),
        };
        let medium = self.medium();
        let settled = medium.settle().map_err(store_error);
        let next = Session::new(medium);
        let opened = settled.and_then(|()| {
            open(&next, self.cache_bytes).map_err(|error| explain(error, next.fault()))
        });
        match opened {
            Ok((database, found)) => {
                info!(current = found.current.0, "opened the database again after a failure");
                *state = State::Open { database, session: next };
                Ok(found)
            }
            Err(error) => {
                warn!(%error, "the database cannot be opened again yet");
                *state = State::Down(session);
                Err(error)
            }
        }
    }

    /// Closes the database cleanly.
    pub(crate) fn close(&self) {
        *self.state.write() = State::Closed;
    }
}

fn open(session: &Session, cache_bytes: usize) -> Result<(Database, Found), redb::Error> {
    let mut builder = Builder::new();
    builder.set_cache_size(cache_bytes);
    let database = builder.create_with_backend(session.clone())?;
    let format = match database.begin_read()?.open_table(META) {
        Ok(meta) => schema::number(&meta, FORMAT)?,
        Err(redb::TableError::TableDoesNotExist(_)) => {
            initialise(&database)?;
            FORMAT_NUMBER
        }
        Err(error) => return Err(error.into()),
    };
    if format != FORMAT_NUMBER {
        let what = format!("its format is number {format}, this program knows {FORMAT_NUMBER}");
        return Err(redb::Error::Corrupted(what));
    }
    let read = database.begin_read()?;
    let meta = read.open_table(META)?;
    let found = Found {
        current: schema::newest(&read.open_table(VERSIONS)?)?,
        compacted: Revision(schema::number(&meta, COMPACTED)?),
        trimmed: Revision(schema::number(&meta, TRIMMED)?),
    };
    Ok((database, found))
}

fn initialise(database: &Database) -> Result<(), redb::Error> {
    let write = database.begin_write()?;
    write.open_table(VERSIONS)?;
    write.open_table(KEYS)?;
    write.open_table(META)?.insert(FORMAT, FORMAT_NUMBER)?;
    write.commit()?;
    Ok(())
}

/// What redb's error means; the disk's own fault says more than redb's repetition of it.
pub(crate) fn explain(error: redb::Error, fault: Option<&Fault>) -> StoreError {
    match (error, fault) {
        (redb::Error::Corrupted(what), _) => StoreError::Corrupt { what },
        (_, Some(fault)) => fault.error(),
        (redb::Error::Io(error), None) => store_error(error),
        (error, None) => StoreError::Corrupt { what: error.to_string() },
    }
}
