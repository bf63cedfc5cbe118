//! What the process is told by its surroundings before anything else: environment, signals, memory. And how it ends when
//! it cannot end by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::{heap, report, terminal};

/// More threads than this are a mistake: each has a stack, and the system ends whoever asks for too many.
const MOST_THREADS: usize = 1024;

/// How long cancelled work may take to stop by itself; then the process ends.
const GRACE: Duration = Duration::from_millis(500);

/// Called first, while there is one thread.
pub fn settle() {
    // Mesa's device-selection layer writes to stderr where a session has no runtime folder (containers, batch jobs).
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() && std::env::var_os("NODEVICE_SELECT").is_none() {
        // SAFETY: nothing else runs yet, so no other thread can read the environment.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
    for name in ["RAYON_NUM_THREADS", "RAYON_RS_NUM_CPUS"] {
        // What is not a number is overlooked by its reader; a number that no machine has would end the process.
        let wanted = std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
        if let Some(wanted) = wanted.filter(|n| *n > most_threads()) {
            report::warning(&format!("{name} is {wanted}, {} threads are taken", most_threads()));
            // SAFETY: as above.
            unsafe { std::env::set_var(name, most_threads().to_string()) };
        }
    }
    #[cfg(unix)]
    // SAFETY: ignoring a signal needs no handler. A limit on the size of files then is an error of writing.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
    pevatron::io::protect_inputs();
    heap::bound(pevatron::memory::available_bytes());
}

/// The largest number of threads that makes sense here.
pub fn most_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    MOST_THREADS.max(4 * cores)
}

/// Ends cancelled work that does not stop by itself: it waits for a pipe or a disk, or is in the middle of a long step.
pub fn end_after_grace() -> ! {
    std::thread::sleep(GRACE);
    pevatron::io::abandon();
    terminal::err("error: cancelled");
    end(report::CANCELLED)
}

/// Ends the process where there is no room for what it asked for; called by the allocator.
pub fn end_for_memory(needed_bytes: usize) -> ! {
    static ENDING: AtomicBool = AtomicBool::new(false);
    if ENDING.swap(true, Ordering::SeqCst) {
        // Another thread is at it, or saying it needed memory, too.
        end(1);
    }
    pevatron::io::abandon();
    let text = pevatron::memory::readable;
    let (needed, free) = (text(needed_bytes as u64), text(pevatron::memory::available_bytes()));
    terminal::err(&format!("error: {needed} of memory are needed at once, {free} are free"));
    end(1)
}

/// Ends the process without the exit handlers of drivers, which other threads may still use.
fn end(code: u8) -> ! {
    #[cfg(unix)]
    // SAFETY: ends the process; outputs are whole files or none.
    unsafe {
        libc::_exit(i32::from(code))
    }
    #[cfg(not(unix))]
    std::process::exit(i32::from(code))
}
