//! One thing wrong with what the user wrote, and many of them as one failure.

use crate::{error::Failure, exit::Exit};

/// One thing wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Byte offset in the file, for the order.
    pub order: usize,
    /// `migration.toml:3:1`, or the variable or flag.
    pub place: String,
    /// Stable code.
    pub code: &'static str,
    /// What is wrong, without the place.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// The migration file cannot be read.
pub const NO_FILE: &str = "K001";
/// Several different things are wrong with the settings.
pub const SEVERAL: &str = "K002";
/// The file is not TOML.
pub const SYNTAX: &str = "K003";
/// A key that does not exist.
pub const UNKNOWN_KEY: &str = "K010";
/// A value of the wrong type.
pub const WRONG_TYPE: &str = "K011";
/// A value out of range or badly written.
pub const BAD_VALUE: &str = "K012";
/// A required value is missing.
pub const MISSING: &str = "K013";
/// A secret stands in the file.
pub const LITERAL_SECRET: &str = "K014";
/// A referenced file or variable cannot be read.
pub const UNREADABLE: &str = "K015";
/// A file that is to be written stands there already.
pub const EXISTS: &str = "K018";
/// A file that is to be written cannot be.
pub const UNWRITABLE: &str = "K019";
/// Part of the format, but not of this version.
pub const UNAVAILABLE: &str = "K016";

impl Fault {
    fn line(&self) -> String {
        let hint = self
            .hint
            .as_ref()
            .map(|hint| format!("; {hint}"))
            .unwrap_or_default();
        format!("{}: {}{hint}", self.place, self.message)
    }
}

/// All faults as one failure; `None` if there are none.
pub fn failure(file: &str, mut faults: Vec<Fault>) -> Option<Failure> {
    faults.sort_by_key(|fault| fault.order);
    let first = faults.first()?;
    if faults.len() == 1 {
        let failure = Failure::new(
            Exit::Usage,
            first.code,
            format!("{}: {}", first.place, first.message),
        );
        return Some(match &first.hint {
            Some(hint) => failure.hint(hint.clone()),
            None => failure,
        });
    }
    let code = if faults.iter().all(|fault| fault.code == first.code) {
        first.code
    } else {
        SEVERAL
    };
    let message = format!("{} errors in the settings, read from {file}", faults.len());
    let failure = Failure::new(Exit::Usage, code, message);
    Some(
        faults
            .iter()
            .fold(failure, |failure, fault| failure.cause(fault.line())),
    )
}
