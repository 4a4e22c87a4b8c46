//! Workers that take tasks from a queue, each in a thread of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::Stop;

/// Performs tasks in several lanes. Returns the results in the order of the tasks. The first error wins, and no task begins
/// after it.
pub fn each<T: Sync, R: Send>(
    jobs: usize,
    tasks: &[T],
    work: impl Fn(&T) -> Result<R, Stop> + Sync,
) -> Result<Vec<R>, Stop> {
    let next = AtomicUsize::new(0);
    let found: Mutex<(Vec<Option<R>>, Option<Stop>)> = Mutex::new((tasks.iter().map(|_| None).collect(), None));
    let lane = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = tasks.get(n) else { return };
            let done = work(task);
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            match done {
                Ok(result) => found.0[n] = Some(result),
                Err(stop) => {
                    found.1.get_or_insert(stop);
                    next.store(tasks.len(), Ordering::Relaxed);
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..jobs.min(tasks.len()) {
            scope.spawn(lane);
        }
        lane();
    });
    match found.into_inner().unwrap_or_else(PoisonError::into_inner) {
        (_, Some(stop)) => Err(stop),
        (results, None) => Ok(results.into_iter().flatten().collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_the_order_of_their_tasks() {
        let tasks: Vec<usize> = (0..100).collect();
        let found = each(4, &tasks, |n| Ok(n * 2)).unwrap_or_default();
        assert_eq!(found, tasks.iter().map(|n| n * 2).collect::<Vec<_>>());
    }

    #[test]
    fn no_task_begins_after_an_error() {
        let tasks: Vec<usize> = (0..100).collect();
        let found = each(1, &tasks, |n| {
            if *n == 3 {
                Err(Stop::Fenced)
            } else {
                assert!(*n < 3);
                Ok(())
            }
        });
        assert!(matches!(found, Err(Stop::Fenced)));
    }
}
