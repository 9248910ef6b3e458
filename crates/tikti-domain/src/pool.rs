//! Threads for work that takes the processor for long: hashing passwords, signing tokens.
//!
//! A pool has a fixed number of threads and a bounded queue. A full queue, or a wait that has
//! become too long, is refused at once, so that a flood of sign-ins cannot make everything else
//! wait.
//!
//! Spec: Operations, "Overload"; Performance, "How".

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::{Code, Error, InternalError, Refusal};

/// How a pool is sized.
#[derive(Clone, Copy, Debug)]
pub struct PoolSize {
    /// Threads; at least one is made.
    pub threads: usize,
    /// Jobs that may wait.
    pub queue: usize,
    /// Longest wait in the queue; a job that waited longer is refused instead of run.
    pub longest_wait: Duration,
    /// How much lower than the rest the operating system ranks the threads (0 to 19); on Linux only.
    pub niceness: i32,
}

/// A bounded pool of threads; dropping it waits for the running jobs.
#[derive(Debug)]
pub struct Pool {
    name: &'static str,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    size: PoolSize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "State({} waiting)", self.jobs.len())
    }
}

type Job = Box<dyn FnOnce() + Send>;

impl Shared {
    /// The state stays consistent whatever panics: every job is moved out before it runs.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self) {
        // Linux ranks each thread by itself; elsewhere this would lower the whole process, once for
        // every thread.
        if cfg!(target_os = "linux") && self.size.niceness > 0 {
            // Best effort: without the right to lower itself, the thread runs as any other.
            let _ = rustix::process::nice(self.size.niceness);
        }
        while let Some(job) = self.next() {
            // A panic ends this job only: its reply channel is dropped, the caller is told.
            let _ = catch_unwind(AssertUnwindSafe(job));
        }
    }
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`InternalError::Thread`], where the operating system gives no thread.
    pub fn start(name: &'static str, size: PoolSize) -> Result<Self, InternalError> {
        let shared = Arc::new(Shared { state: Mutex::default(), work: Condvar::new(), size });
        let threads = (0..size.threads.max(1))
            .map(|number| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("{name}-{number}"))
                    .spawn(move || shared.work())
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| InternalError::Thread { pool: name, source })?;
        Ok(Self { name, shared, threads })
    }

    /// Runs `work` on one of the threads and waits for its result.
    ///
    /// # Errors
    /// `OVERLOADED` with a time to retry after, where the queue is full or the wait became too
    /// long; [`InternalError::PoolStopped`] where the job panicked or the pool has ended.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (reply, result) = oneshot::channel();
        let (start, started) = oneshot::channel();
        self.enqueue(Box::new(move || {
            // Nobody waits any more: the work is spared.
            if start.send(()).is_ok() && !reply.is_closed() {
                let _ = reply.send(work());
            }
        }))?;
        match timeout(self.shared.size.longest_wait, started).await {
            Ok(_) => result.await.map_err(|_| InternalError::PoolStopped(self.name).into()),
            Err(_) => Err(self.overloaded().into()),
        }
    }

    fn enqueue(&self, job: Job) -> Result<(), Error> {
        let mut state = self.shared.lock();
        if state.jobs.len() >= self.shared.size.queue {
            return Err(self.overloaded().into());
        }
        state.jobs.push_back(job);
        drop(state);
        self.shared.work.notify_one();
        Ok(())
    }

    fn overloaded(&self) -> Refusal {
        Refusal::of(Code::Overloaded).retry_after(1)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn pool(queue: usize, longest_wait: Duration) -> Pool {
        Pool::start("test", PoolSize { threads: 1, queue, longest_wait, niceness: 0 }).unwrap()
    }

    #[tokio::test]
    async fn gives_back_what_the_work_gives() {
        assert_eq!(pool(1, Duration::from_secs(10)).run(|| 6 * 7).await.unwrap(), 42);
    }

    #[tokio::test]
    async fn refuses_at_once_when_the_queue_is_full() {
        let pool = pool(1, Duration::from_secs(10));
        let (release, held) = mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let busy = pool.run(move || {
            let _ = started.send(());
            let _ = held.recv();
        });
        let checks = async {
            running.await.unwrap();
            let (waiting, ()) = tokio::join!(pool.run(|| ()), async {
                let refused = pool.run(|| ()).await.unwrap_err();
                assert_eq!(refused.code(), Code::Overloaded);
                release.send(()).unwrap();
            });
            waiting
        };
        let (busy, waiting) = tokio::join!(busy, checks);
        assert!(busy.is_ok() && waiting.is_ok());
    }

    #[tokio::test]
    async fn refuses_what_waits_too_long_while_it_still_waits() {
        let pool = pool(4, Duration::from_millis(1));
        let (release, held) = mpsc::channel::<()>();
        pool.enqueue(Box::new(move || {
            let _ = held.recv();
        }))
        .unwrap();
        let refused = pool.run(|| ()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Overloaded);
        release.send(()).unwrap();
    }

    /// The niceness of every thread of this process whose name begins like this, as the kernel says.
    #[cfg(target_os = "linux")]
    fn niceness_of(name: &str) -> Vec<i32> {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        // A thread of another test may have ended meanwhile.
        let stats =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("stat")).ok());
        let of_one = |stat: String| {
            // proc_pid_stat(5): pid (comm) state …; niceness is field 19, the 17th after the name.
            let (before, after) = stat.rsplit_once(") ").unwrap();
            let (_, comm) = before.split_once('(').unwrap();
            let niceness = after.split(' ').nth(16).unwrap().parse().unwrap();
            comm.starts_with(name).then_some(niceness)
        };
        stats.filter_map(of_one).collect()
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn the_threads_for_passwords_rank_lower_and_nobody_else() {
        let ours = rustix::process::nice(0).unwrap();
        let shipped = crate::settings::Settings::shipped("https://tikti.example.org").unwrap();
        let threads = 3;
        let hashing = PoolSize { threads, ..shipped.password_pool };
        let signing = PoolSize { threads, ..shipped.signing_pool };
        let pools = [("lower", hashing, 10), ("equal", signing, 0)];
        for (name, size, lower) in pools {
            assert_eq!(size.niceness, lower);
            let pool = Pool::start(name, size).unwrap();
            // A thread that has begun a job has its rank; each holds its job until all have begun.
            let all_begun = Arc::new(std::sync::Barrier::new(threads));
            let begin = || {
                let all_begun = Arc::clone(&all_begun);
                pool.run(move || all_begun.wait().is_leader())
            };
            tokio::try_join!(begin(), begin(), begin()).unwrap();
            assert_eq!(niceness_of(&format!("{name}-")), vec![(ours + lower).min(19); threads]);
        }
        assert_eq!(rustix::process::nice(0).unwrap(), ours);
    }

    #[tokio::test]
    async fn a_panic_ends_one_job_only() {
        let pool = pool(4, Duration::from_secs(10));
        let broken = pool.run(|| panic!("on purpose")).await.unwrap_err();
        assert_eq!(broken.code(), Code::Internal);
        assert_eq!(pool.run(|| 1).await.unwrap(), 1);
    }
}
