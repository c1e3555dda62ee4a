//! Where credentials come from: the same places, in the same order, as Google's own libraries look.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use yup_oauth2::ServiceAccountKey;
use yup_oauth2::authorized_user::AuthorizedUserSecret;

use super::AuthError;

/// Host name of the metadata server on Google Cloud.
const METADATA_HOST: &str = "metadata.google.internal";
const LOGIN: &str = "run `gcloud auth application-default login`, or create a key for a service account";

/// What signs the engine in. Its `Debug` shows where it came from and no secret.
pub enum Credentials {
    /// A service account's key file.
    ServiceAccount {
        /// The file it was read from.
        file: PathBuf,
        /// Its content.
        key: Box<ServiceAccountKey>,
    },
    /// A user's application-default credentials, as `gcloud auth application-default login` writes them.
    AuthorizedUser {
        /// The file it was read from.
        file: PathBuf,
        /// Its content.
        secret: Box<AuthorizedUserSecret>,
    },
    /// The service account attached to the machine, asked of its metadata server.
    Metadata {
        /// Host name, and port where it is not 80.
        host: String,
    },
}

impl fmt::Debug for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Credentials({self})")
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Credentials::ServiceAccount { file, .. } => write!(out, "service-account key {}", file.display()),
            Credentials::AuthorizedUser { file, .. } => write!(out, "user credentials {}", file.display()),
            Credentials::Metadata { host } => write!(out, "metadata server {host}"),
        }
    }
}

/// What the environment says about credentials.
#[derive(Debug, Clone, Default)]
pub struct AuthEnvironment {
    /// `GOOGLE_APPLICATION_CREDENTIALS`: a key file, or a user's credentials.
    pub application_credentials: Option<PathBuf>,
    /// The folder of gcloud's settings: `CLOUDSDK_CONFIG`, else `~/.config/gcloud`.
    pub gcloud_folder: Option<PathBuf>,
    /// `GCE_METADATA_HOST`: another metadata server.
    pub metadata_host: Option<String>,
}

impl AuthEnvironment {
    /// Reads the process's environment. Variables that are set but empty count as absent.
    pub fn from_process() -> Self {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty());
        let home = || variable("HOME").map(|home| Path::new(&home).join(".config/gcloud"));
        AuthEnvironment {
            application_credentials: variable("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from),
            gcloud_folder: variable("CLOUDSDK_CONFIG").map(PathBuf::from).or_else(home),
            metadata_host: variable("GCE_METADATA_HOST").and_then(|host| host.into_string().ok()),
        }
    }
}

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Credentials {
    /// Finds credentials: the file `set` where given; else what `GOOGLE_APPLICATION_CREDENTIALS` names; else gcloud's
    /// well-known file; else the metadata server (whether there is one shows only when it is asked for a token).
    ///
    /// # Errors
    /// Where a file that was named is absent or unusable. A file that is there is never passed over.
    pub fn discover(set: Option<&Path>, environment: &AuthEnvironment) -> Result<Self, AuthError> {
        if let Some(file) = set {
            return Self::from_file(file, "gcs.credentials");
        }
        if let Some(file) = &environment.application_credentials {
            return Self::from_file(file, "GOOGLE_APPLICATION_CREDENTIALS");
        }
        let well_known = environment
            .gcloud_folder
            .as_ref()
            .map(|folder| folder.join("application_default_credentials.json"))
            .filter(|file| file.exists());
        if let Some(file) = well_known {
            return Self::from_file(&file, "gcloud's settings folder");
        }
        let host = environment.metadata_host.clone().unwrap_or_else(|| METADATA_HOST.into());
        Ok(Credentials::Metadata { host })
    }

    /// Reads a key file or a user's credentials; `named_by` says which setting led there.
    fn from_file(file: &Path, named_by: &str) -> Result<Self, AuthError> {
        let unusable =
            |cause: String| AuthError::File { file: file.into(), named_by: named_by.into(), cause };
        let text = fs::read(file).map_err(|error| unusable(format!("cannot be read ({error}); {LOGIN}")))?;
        // Never the parser's own words: they may quote the file, which holds a secret.
        let malformed = |what: &str| unusable(format!("is not {what}; {LOGIN}"));
        let Kind { kind } = serde_json::from_slice(&text).map_err(|_| malformed("credentials in JSON"))?;
        match kind.as_deref() {
            Some("service_account") => {
                let key: ServiceAccountKey =
                    serde_json::from_slice(&text).map_err(|_| malformed("a whole service-account key"))?;
                Ok(Credentials::ServiceAccount { file: file.into(), key: Box::new(key) })
            }
            Some("authorized_user") => {
                let secret =
                    serde_json::from_slice(&text).map_err(|_| malformed("a whole authorized_user file"))?;
                Ok(Credentials::AuthorizedUser { file: file.into(), secret: Box::new(secret) })
            }
            Some(other) => Err(unusable(format!(
                "holds credentials of type {other:?}; supported are service_account and authorized_user, and the metadata server"
            ))),
            None => Err(malformed("a credentials file (it has no \"type\")")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str =
        r#"{"type":"authorized_user","client_id":"c","client_secret":"hush-1","refresh_token":"hush-2"}"#;
    const KEY: &str =
        r#"{"type":"service_account","private_key":"hush-3","client_email":"a@b","token_uri":"http://t"}"#;

    fn folder() -> (tempfile::TempDir, AuthEnvironment) {
        let folder = tempfile::tempdir().unwrap();
        let environment =
            AuthEnvironment { gcloud_folder: Some(folder.path().into()), ..AuthEnvironment::default() };
        (folder, environment)
    }

    #[test]
    fn looks_in_the_order_of_googles_libraries() {
        let (folder, mut environment) = folder();
        environment.metadata_host = Some("127.0.0.1:1".into());
        let found = |set: Option<&Path>, environment: &_| {
            Credentials::discover(set, environment).unwrap().to_string()
        };
        assert_eq!(found(None, &environment), "metadata server 127.0.0.1:1");
        fs::write(folder.path().join("application_default_credentials.json"), USER).unwrap();
        assert!(found(None, &environment).starts_with("user credentials "));
        let key = folder.path().join("key.json");
        fs::write(&key, KEY).unwrap();
        environment.application_credentials = Some(key);
        assert!(found(None, &environment).ends_with("key.json"));
        let set = folder.path().join("set.json");
        fs::write(&set, USER).unwrap();
        assert!(found(Some(&set), &environment).ends_with("set.json"));
    }

    #[test]
    fn unusable_files_are_named_with_a_remedy_and_without_their_secret() {
        let (folder, environment) = folder();
        let file = folder.path().join("bad.json");
        let missing = Credentials::discover(Some(&file), &environment).unwrap_err().to_string();
        assert!(missing.contains("bad.json") && missing.contains("gcloud auth"), "{missing}");
        for text in [
            "hush",
            "{}",
            r#"{"type":"service_account","private_key":"hush"}"#,
            r#"{"type":"authorized_user","client_id":7,"client_secret":"hush"}"#,
            r#"{"type":"external_account","secret":"hush"}"#,
        ] {
            fs::write(&file, text).unwrap();
            let error = Credentials::discover(Some(&file), &environment).unwrap_err().to_string();
            assert!(error.contains("bad.json") && !error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let (folder, environment) = folder();
        let file = folder.path().join("file.json");
        for text in [USER, KEY] {
            fs::write(&file, text).unwrap();
            let shown = format!("{:?}", Credentials::discover(Some(&file), &environment).unwrap());
            assert!(shown.contains("file.json") && !shown.contains("hush"), "{shown}");
        }
    }
}
