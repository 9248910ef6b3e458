//! How do lines reach standard error whole, without one waiting for another?
//!
//! Each line is one write, and the kernel keeps such a write to a pipe together up to [`WHOLE_BYTES`]. So lines of
//! that length need no lock: with the one of `std::io::Stderr`, a thread that loses its processor inside a write
//! keeps every other from its requests. Longer lines have the place for themselves.
//!
//! Source: POSIX, `write`; pipe(7), "PIPE_BUF". Why: docs/decisions/0049.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::{PoisonError, RwLock};

/// What is written to a pipe at once and as a whole.
const WHOLE_BYTES: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// Takes whole lines.
pub(super) struct Lines {
    place: File,
    /// Held by many for short lines, and by one for a long one.
    long: RwLock<()>,
}

impl Lines {
    /// To standard error.
    pub(super) fn to_stderr() -> io::Result<Self> {
        Ok(Self::to(File::from(io::stderr().as_fd().try_clone_to_owned()?)))
    }

    fn to(place: File) -> Self {
        Self { place, long: RwLock::new(()) }
    }
}

impl Write for &Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.place).write(bytes)
    }

    fn write_all(&mut self, line: &[u8]) -> io::Result<()> {
        if line.len() <= WHOLE_BYTES {
            let _with_others = self.long.read().unwrap_or_else(PoisonError::into_inner);
            return (&self.place).write_all(line);
        }
        let _alone = self.long.write().unwrap_or_else(PoisonError::into_inner);
        (&self.place).write_all(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::os::fd::OwnedFd;
    use std::thread;

    use super::*;

    #[test]
    fn lines_of_any_length_from_many_threads_stay_whole_in_a_full_pipe() {
        let (reader, writer) = io::pipe().unwrap();
        let lines = Lines::to(File::from(OwnedFd::from(writer)));
        // A pipe holds 64 KiB: every thread waits for the reader in the middle of a long line.
        let written = |letter: u8| {
            let lengths = [1, 100, 4095, 30_000, 200_000];
            lengths.map(|length| [vec![letter; length], b"\n".to_vec()].concat())
        };
        let letters = *b"abcd";
        let found: Vec<Vec<u8>> = thread::scope(|scope| {
            for letter in letters {
                let mut lines = &lines;
                scope.spawn(move || {
                    for _ in 0..20 {
                        written(letter).iter().for_each(|line| lines.write_all(line).unwrap());
                    }
                });
            }
            let read = BufReader::new(reader).split(b'\n').take(letters.len() * 20 * 5);
            read.map(Result::unwrap).collect()
        });
        for letter in letters {
            let of_one: Vec<_> = found.iter().filter(|line| line[0] == letter).collect();
            assert_eq!(of_one.len(), 100);
            assert!(of_one.iter().all(|line| line.iter().all(|byte| *byte == letter)));
        }
    }
}
