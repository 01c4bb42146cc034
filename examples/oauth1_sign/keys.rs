//! The private keys of a folder.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use tower_oauth::oauth1::RsaPrivateKey;

use super::failure::Failure;

/// Keys are read when they are first asked for.
pub struct Keys {
    folder: Option<PathBuf>,
    read: HashMap<String, RsaPrivateKey>,
}

impl Keys {
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, read: HashMap::new() }
    }

    /// The key of the file `<name>.pem`.
    pub fn get(&mut self, name: &str) -> Result<RsaPrivateKey, Failure> {
        if let Some(key) = self.read.get(name) {
            return Ok(key.clone());
        }
        let missing = |message: String| Failure::new("missing_key", message);
        let folder =
            self.folder.as_ref().ok_or_else(|| missing("give a folder with `--keys DIR`".to_owned()))?;
        // A name, and no way out of the folder.
        if name.is_empty() || name.contains(['/', '\\', '\0']) {
            return Err(missing(format!("`{}` is not the name of a key", name.escape_debug())));
        }
        let file = folder.join(format!("{name}.pem"));
        let pem = std::fs::read(&file).map_err(|error| match error.kind() {
            ErrorKind::NotFound => missing(format!("there is no {}", file.display())),
            _ => Failure::new("unreadable_key", format!("{}: {error}", file.display())),
        })?;
        let key = RsaPrivateKey::from_pem(pem)?;
        self.read.insert(name.to_owned(), key.clone());
        Ok(key)
    }
}
