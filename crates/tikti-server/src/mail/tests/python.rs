//! Where do the tests find a Python with the packages of `.ci/requirements.txt`?
//!
//! The one on the path, where it has them; else one in an environment beside the test programs, made
//! once. Invariant: the environment appears in its place complete, also when several make it at once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// Such a Python.
pub(super) fn python() -> &'static Path {
    static PYTHON: LazyLock<PathBuf> = LazyLock::new(find);
    &PYTHON
}

fn find() -> PathBuf {
    let system = PathBuf::from("python3");
    if has_packages(&system) {
        return system;
    }
    let place = std::env::current_exe().unwrap().with_file_name("python-of-tests");
    let python = place.join("bin/python");
    if !has_packages(&python) {
        make(&place);
    }
    assert!(has_packages(&python), "no Python with aiosmtpd: install it for python3, run again");
    python
}

fn has_packages(python: &Path) -> bool {
    let mut command = Command::new(python);
    command.args(["-c", "import aiosmtpd"]).output().is_ok_and(|ended| ended.status.success())
}

fn make(place: &Path) {
    let beside = place.with_file_name(format!("python-of-tests.{}", std::process::id()));
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/requirements.txt");
    run(Command::new("python3").args(["-m", "venv"]).arg(&beside));
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    run(Command::new(beside.join("bin/python")).args(install).arg(requirements));
    // Whoever was first has put it there; then this one is not needed.
    if std::fs::rename(&beside, place).is_err() {
        std::fs::remove_dir_all(&beside).unwrap();
    }
}

fn run(command: &mut Command) {
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{command:?} (Debian: python3-venv): {said}");
}
