//! Who used the processors? What a server used for its requests, and whether the machine was quiet.
//!
//! Linux says so; elsewhere there is no answer, and the report leaves it out.

use std::time::{Duration, Instant};

/// The processor time that the living threads of a process have used.
pub(crate) fn cpu_time_of(process: u32) -> Option<Duration> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let of_one = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    tasks.map(of_one).sum::<Option<u64>>().map(Duration::from_nanos)
}

/// The processor time that this process has used, threads that have ended included.
fn own_cpu_time() -> Option<Duration> {
    #[cfg(target_os = "linux")]
    {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        time.try_into().ok()
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// What all processors had done at one time, and this process and its server of it.
pub(crate) struct Usage {
    at: Instant,
    /// In ticks since the system began, as `/proc/stat` counts.
    idle: u64,
    all: u64,
    /// What we used.
    ours: Duration,
}

impl Usage {
    /// As it is now.
    pub(crate) fn now(server: u32) -> Option<Self> {
        let text = std::fs::read_to_string("/proc/stat").ok()?;
        // proc_stat(5): user nice system idle iowait irq softirq steal; guests are in user.
        let numbers = text.lines().next()?.split_whitespace().skip(1).take(8);
        let ticks: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>().ok()?;
        Some(Self {
            at: Instant::now(),
            idle: ticks.get(3)? + ticks.get(4)?,
            all: ticks.iter().sum(),
            ours: cpu_time_of(server)? + own_cpu_time()?,
        })
    }

    /// The share of all processors that others used since, the host of a virtual machine included.
    pub(crate) fn of_others_until(&self, later: &Self, cores: usize) -> f64 {
        let share = |part: u64| part as f64 / (later.all - self.all) as f64;
        let whole = (later.at - self.at).as_secs_f64() * cores as f64;
        let ours = (later.ours - self.ours).as_secs_f64() / whole;
        (1.0 - share(later.idle.saturating_sub(self.idle)) - ours).max(0.0)
    }
}
