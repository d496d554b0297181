//! Arguments, variables and working directory of a program, handed over when it asks for them.
//!
//! Most requests are answered without a look at them, and copying them for each fresh instance would
//! cost dozens of allocations.

use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::p2::bindings::cli::environment;
use wasmtime_wasi::p3::bindings::cli::environment as environment3;

use crate::engine::Level;
use crate::host::Host;
use crate::scope::Scope;

/// Names and values in one piece of memory: every container has a dozen variables, which are read
/// seldom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variables {
    text: Box<str>,
    /// Where names and values, by turns, end in the text.
    ends: Box<[usize]>,
}

impl Variables {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let mut parts = starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end]);
        std::iter::from_fn(move || Some((parts.next()?, parts.next()?)))
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Variables {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(variables: T) -> Self {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for part in variables.into_iter().flat_map(|(name, value)| [name, value]) {
            text.push_str(part);
            ends.push(text.len());
        }
        Self { text: text.into(), ends: ends.into() }
    }
}

struct HasScope;

impl HasData for HasScope {
    type Data<'a> = &'a Scope;
}

/// Puts the late answers in the place of the engine's own interface.
///
/// # Errors
/// If the linker does not allow shadowing.
pub(crate) fn add_to_linker(linker: &mut Linker<Host>, level: Level) -> wasmtime::Result<()> {
    environment::add_to_linker::<_, HasScope>(linker, scope)?;
    if level == Level::Three {
        environment3::add_to_linker::<_, HasScope>(linker, scope)?;
    }
    Ok(())
}

fn scope(host: &mut Host) -> &Scope {
    &host.scope
}

impl Scope {
    fn variables(&self) -> Vec<(String, String)> {
        self.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl environment::Host for &Scope {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.variables())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.args.clone())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.working_dir.clone())
    }
}

impl environment3::Host for &Scope {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.variables())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.args.clone())
    }

    fn get_initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.working_dir.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_come_out_as_they_went_in() {
        for case in [&[][..], &[("A", "1")], &[("A", ""), ("", ""), ("LÄNGE", "a=b\nc")]] {
            let variables: Variables = case.iter().copied().collect();
            assert!(variables.iter().eq(case.iter().copied()), "{case:?}: {variables:?}");
        }
    }
}
