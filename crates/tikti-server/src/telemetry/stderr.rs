//! How do lines reach standard error whole, without one waiting for another?
//!
//! Each line is one write, and the kernel keeps such a write to a pipe together up to [`WHOLE_BYTES`]. So lines of
//! that length need no lock: with the one of `std::io::Stderr`, a thread that loses its processor inside a write
//! keeps every other from its requests. A longer line waits for the others of the log, and they for it.
//!
//! Source: POSIX, `write`; pipe(7), "PIPE_BUF". Why: docs/decisions/0049.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::{PoisonError, RwLock};

/// What is written to a pipe at once and as a whole.
const WHOLE_BYTES: usize = if cfg!(target_os = "linux") { 4096 } else { 512 };

/// Takes whole lines, one a write.
pub(super) struct WholeLines {
    place: File,
    /// Held by many for short lines, and by one for a long one.
    long: RwLock<()>,
}

impl WholeLines {
    /// To standard error.
    pub(super) fn to_stderr() -> io::Result<Self> {
        Ok(Self::to(File::from(io::stderr().as_fd().try_clone_to_owned()?)))
    }

    fn to(place: File) -> Self {
        Self { place, long: RwLock::new(()) }
    }
}

impl Write for &WholeLines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.write_all(line).map(|()| line.len())
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

    /// How often each thread writes a line of each length.
    const TIMES: usize = 20;
    /// Lengths without the end of the line; a pipe holds 64 KiB, so that a writer of long lines waits inside of one.
    const LENGTHS: [usize; 7] =
        [1, 100, WHOLE_BYTES - 1, WHOLE_BYTES, 3 * WHOLE_BYTES, 30_000, 200_000];

    #[test]
    fn lines_of_any_length_from_many_threads_stay_whole_in_a_full_pipe() {
        let (reader, writer) = io::pipe().unwrap();
        let lines = WholeLines::to(File::from(OwnedFd::from(writer)));
        let read = thread::spawn(move || {
            BufReader::new(reader).split(b'\n').map(Result::unwrap).collect::<Vec<_>>()
        });
        let letters = *b"abcd";
        thread::scope(|scope| {
            for letter in letters {
                let mut lines = &lines;
                scope.spawn(move || {
                    for length in LENGTHS.repeat(TIMES) {
                        lines.write_all(&[vec![letter; length], b"\n".to_vec()].concat()).unwrap();
                    }
                });
            }
        });
        // The end of what is read.
        drop(lines);
        let found = read.join().unwrap();
        for letter in letters {
            let is_of_one = |line: &&Vec<u8>| line.iter().all(|byte| *byte == letter);
            let mut lengths: Vec<_> = found.iter().filter(is_of_one).map(Vec::len).collect();
            lengths.sort_unstable();
            assert_eq!(lengths, LENGTHS.map(|length| [length; TIMES]).concat());
        }
        assert_eq!(found.len(), letters.len() * LENGTHS.len() * TIMES);
    }
}
