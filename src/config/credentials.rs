//! Credentials by reference: a file or an environment variable, read once and wrapped; or a secret that was fetched before.

use std::{fs, path::Path};

use super::{
    amazon::{Amazon, NOT_BUILT},
    value::Reference,
};
use crate::model::secret::Secret;

/// Longest secret file that is read: a larger file is no password, and the wrong one to load.
const LIMIT: u64 = 64 * 1024;

/// Fetches the secret a reference names; `None` if it lies in Secrets Manager and was not fetched yet. `base` is where relative files
/// start. The error is a sentence and a hint, and never holds anything of the secret.
pub fn fetch(
    reference: &Reference,
    base: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
    amazon: &Amazon,
) -> Result<Option<Secret>, Refused> {
    let text = match reference {
        Reference::File(path) => read(&base.join(path))?,
        Reference::Environment(variable) => environment(variable).ok_or_else(|| {
            Refused::new(
                format!("the variable {variable} is not set"),
                "set it for this command, or name a file",
            )
        })?,
        Reference::SecretsManager(stored) => {
            if amazon.tokens.is_none() {
                return Err(Refused {
                    unavailable: true,
                    ..Refused::new(
                        format!("secretsmanager is not available: {}", NOT_BUILT.0),
                        "use file or env",
                    )
                });
            }
            match amazon.secrets.get(stored) {
                Some(secret) => secret.reveal().to_owned(),
                None => return Ok(None),
            }
        }
    };
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(Refused::new(
            format!("the secret is empty: {reference}"),
            "put the password there",
        ));
    }
    Ok(Some(Secret::new(text)))
}

/// Why a secret or certificate could not be had.
#[derive(Debug)]
pub struct Refused {
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Whether this version cannot do it at all.
    pub unavailable: bool,
}

impl Refused {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: hint.into(),
            unavailable: false,
        }
    }
}

fn read(path: &Path) -> Result<String, Refused> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        Refused::new(
            format!("{shown} cannot be read: {}", words(&error)),
            "relative files start beside the migration file",
        )
    };
    if fs::metadata(path).map_err(unreadable)?.len() > LIMIT {
        return Err(Refused::new(
            format!("{shown} is too large for a password"),
            "name the file that holds only the password",
        ));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|_| {
        Refused::new(
            format!("{shown} is not UTF-8 text"),
            "save it as plain text",
        )
    })
}

/// Reads PEM certificates to trust; checks only that there are some.
pub fn certificates(path: &Path) -> Result<Vec<u8>, Refused> {
    let shown = path.display();
    let pem = fs::read(path).map_err(|error| {
        Refused::new(
            format!("{shown} cannot be read: {}", words(&error)),
            "relative files start beside the migration file",
        )
    })?;
    if !pem
        .windows(27)
        .any(|window| window == b"-----BEGIN CERTIFICATE-----")
    {
        return Err(Refused::new(
            format!("{shown} holds no PEM certificate"),
            "it must hold -----BEGIN CERTIFICATE----- blocks",
        ));
    }
    Ok(pem)
}

/// The system's words for an error, without the number behind them.
pub fn words(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::secret::Stored;

    #[test]
    fn a_trailing_newline_is_not_part_of_the_password() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("pw"), "hunter2\r\n").unwrap();
        let reference = Reference::File("pw".into());
        let secret = fetch(&reference, folder.path(), &|_| None, &Amazon::default()).unwrap();
        let secret = secret.expect("a file is read at once");
        assert_eq!(secret.reveal(), "hunter2");
        assert_eq!(format!("{secret:?} {secret}"), "*** ***");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let none = Amazon::default();
        let refused =
            |reference: &Reference| fetch(reference, Path::new("/"), &|_| None, &none).unwrap_err();
        let nowhere = refused(&Reference::File("none".into()));
        assert_eq!(nowhere.message, "/none cannot be read: no such file");
        let unset = refused(&Reference::Environment("PW".into()));
        assert_eq!(unset.message, "the variable PW is not set");
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf";
        let stored = Stored::new(arn, None).unwrap();
        assert!(refused(&Reference::SecretsManager(stored)).unavailable);
    }
}
