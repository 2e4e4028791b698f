//! The one directory that snapshots may be written to and read from.
//!
//! Paths come from the network. They are resolved relative to an open descriptor of the root, by a library that follows
//! no link and no `..` out of it, so that neither a clever path nor a link swapped in at the right moment leads
//! elsewhere.

use std::path::{Component, Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rag_core::index_name::IndexName;

use crate::error::{Fault, StoreError};

/// What KAITO's client sends as the path when its caller gave none, wherever the root is.
const CLIENT_DEFAULT: &str = "storage";

/// The configured root.
pub(super) struct PersistRoot {
    configured: PathBuf,
    absolute: PathBuf,
}

/// A place inside the root.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SnapshotPath {
    /// Relative to the root, at least one component, all of them plain names.
    pub(super) relative: PathBuf,
    /// As a message shows it to the user.
    pub(super) shown: String,
}

impl PersistRoot {
    /// Makes the root at start-up, so that the default configuration works.
    pub(super) fn prepare(configured: &Path) -> Result<Self, Fault> {
        std::fs::create_dir_all(configured).map_err(Fault::file("create", configured))?;
        let absolute = configured.canonicalize().map_err(Fault::file("resolve", configured))?;
        Ok(Self {
            configured: configured.to_owned(),
            absolute,
        })
    }

    /// Opens the root. Fails when it has been removed.
    pub(super) fn open(&self) -> Result<Dir, StoreError> {
        Dir::open_ambient_dir(&self.absolute, ambient_authority()).map_err(|error| StoreError::ResolvePath {
            path: self.configured.display().to_string(),
            reason: format!(
                "the persist root cannot be opened ({error}); create it or set DEFAULT_VECTOR_DB_PERSIST_DIR"
            ),
        })
    }

    /// Where a request's path leads. Without a path, or with the root itself as KAITO's clients send it, that is a
    /// directory named after the index.
    pub(super) fn resolve(&self, path: Option<&str>, name: &IndexName) -> Result<SnapshotPath, StoreError> {
        let configured = self.configured.display().to_string();
        match path {
            None => Ok(self.default_place(name)),
            Some(path) if path == configured || path == CLIENT_DEFAULT => Ok(self.default_place(name)),
            Some(path) => self.explicit_place(path),
        }
    }

    fn default_place(&self, name: &IndexName) -> SnapshotPath {
        let component = directory_component(name);
        let shown = self.configured.join(&component).display().to_string();
        SnapshotPath {
            relative: component.into(),
            shown,
        }
    }

    fn explicit_place(&self, path: &str) -> Result<SnapshotPath, StoreError> {
        let refuse = |reason: &str| StoreError::ResolvePath {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let given = Path::new(path);
        let inside = given
            .strip_prefix(&self.configured)
            .or_else(|_| given.strip_prefix(&self.absolute));
        let inside = match inside {
            Ok(inside) => inside,
            Err(_) if given.is_absolute() => {
                return Err(refuse(
                    "it lies outside the persist root (DEFAULT_VECTOR_DB_PERSIST_DIR)",
                ));
            }
            Err(_) => given,
        };
        let mut relative = PathBuf::new();
        for component in inside.components() {
            match component {
                Component::Normal(name) => relative.push(name),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(refuse("it must not contain '..'"));
                }
            }
        }
        if relative.as_os_str().is_empty() {
            return Err(refuse("name a directory inside the persist root"));
        }
        Ok(SnapshotPath {
            relative,
            shown: path.to_owned(),
        })
    }
}

/// The index's name as one harmless path component. Ordinary names stay as they are, as KAITO's clients expect.
fn directory_component(name: &IndexName) -> String {
    let name = name.as_str();
    let mut component = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '/' | '\\' | '%' | '\0' => component.push_str(&format!("%{:02X}", u32::from(character))),
            _ => component.push(character),
        }
    }
    if component.starts_with('.') {
        component.replace_range(..1, "%2E");
    }
    if component.len() > 255 {
        return IndexName::directory_name(&IndexName::try_from(name).expect("the name was an index name before"));
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> IndexName {
        IndexName::try_from(text).unwrap()
    }

    fn root() -> (tempfile::TempDir, PersistRoot) {
        let directory = tempfile::tempdir().unwrap();
        let root = PersistRoot::prepare(directory.path()).unwrap();
        (directory, root)
    }

    #[test]
    fn without_a_path_the_snapshot_is_named_after_the_index() {
        let (directory, root) = root();
        let place = root.resolve(None, &name("docs")).unwrap();
        assert_eq!(place.relative, PathBuf::from("docs"));
        assert_eq!(place.shown, directory.path().join("docs").display().to_string());
        assert_eq!(
            root.resolve(Some(&directory.path().display().to_string()), &name("docs"))
                .unwrap(),
            place
        );
    }

    #[test]
    fn a_name_that_looks_like_a_path_stays_one_component() {
        let (_directory, root) = root();
        for (index, component) in [("..", "%2E."), ("a/b", "a%2Fb"), ("a%2Fb", "a%252Fb"), ("日本", "日本")] {
            assert_eq!(
                root.resolve(None, &name(index)).unwrap().relative,
                PathBuf::from(component)
            );
        }
    }

    #[test]
    fn relative_and_absolute_paths_inside_the_root_are_taken() {
        let (directory, root) = root();
        let absolute = directory.path().join("a/b").display().to_string();
        assert_eq!(
            root.resolve(Some(&absolute), &name("x")).unwrap().relative,
            PathBuf::from("a/b")
        );
        assert_eq!(
            root.resolve(Some("./a/b"), &name("x")).unwrap().relative,
            PathBuf::from("a/b")
        );
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        let (_directory, root) = root();
        for path in ["/etc", "../x", "a/../../x", "", ".", "/"] {
            assert!(
                matches!(
                    root.resolve(Some(path), &name("x")),
                    Err(StoreError::ResolvePath { .. })
                ),
                "{path:?}"
            );
        }
    }
}
