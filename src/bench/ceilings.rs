//! What the CPU reaches at best: fused multiply-adds and copies, on as many threads as the engine has.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::multiply_adds::multiply_adds;
use super::report::Ceilings;
use crate::control::Control;
use crate::error::Result;

/// Time that each ceiling is measured for.
const TIME: Duration = Duration::from_millis(150);
/// Rounds of which the best counts.
const ROUNDS: usize = 2;

/// Measures arithmetic and memory with `threads` threads, with `bytes` for each of two buffers.
///
/// # Errors
/// [`crate::Error::Cancelled`].
pub fn cpu_ceilings(threads: usize, bytes: u64, control: &Control) -> Result<Ceilings> {
    let threads = threads.max(1);
    let (mut flops, mut copied) = (0.0f64, 0.0f64);
    let each = (bytes.max(1 << 20) as usize / threads).next_multiple_of(64);
    for _ in 0..ROUNDS {
        control.check()?;
        flops = flops.max(sum_of(threads, || multiply_adds(TIME)));
        control.check()?;
        copied = copied.max(sum_of(threads, || copies(each, control)));
    }
    control.check()?;
    Ok(Ceilings {
        flops_per_second: flops,
        copy_bytes_per_second: copied,
        in_bytes_per_second: None,
        out_bytes_per_second: None,
        clock: "host".to_string(),
    })
}

/// Rates of all threads together, each working at the same time.
fn sum_of(threads: usize, rate: impl Fn() -> f64 + Sync) -> f64 {
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(&rate)).collect();
        // A thread that failed did nothing.
        workers.into_iter().map(|worker| worker.join().unwrap_or(0.0)).sum()
    })
}

/// Bytes per second, read and written, of one thread that copies `bytes`.
fn copies(bytes: usize, control: &Control) -> f64 {
    let from = vec![1u8; bytes];
    let mut to = vec![0u8; bytes];
    // Pages are given at the first touch, which is not copying.
    to.copy_from_slice(black_box(&from));
    let mut moved = 0u64;
    let begun = Instant::now();
    while moved == 0 || begun.elapsed() < TIME && !control.is_cancelled() {
        to.copy_from_slice(black_box(&from));
        black_box(&mut to);
        moved += 2 * bytes as u64;
    }
    moved as f64 / begun.elapsed().as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_are_what_a_machine_of_this_century_has() {
        let ceilings = cpu_ceilings(1, 8 << 20, &Control::new()).unwrap();
        assert!(ceilings.flops_per_second > 1e8 && ceilings.flops_per_second < 1e13, "{ceilings:?}");
        assert!(ceilings.copy_bytes_per_second > 1e8 && ceilings.copy_bytes_per_second < 1e13, "{ceilings:?}");
    }

    #[test]
    fn cancelled_before_the_first_round() {
        let control = Control::new();
        control.cancel();
        assert!(cpu_ceilings(1, 1 << 20, &control).is_err());
    }
}
