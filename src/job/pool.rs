//! The tasks of a phase, taken from one queue by lanes that work at the same time.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use super::Stop;

/// A queue that several lanes take tasks from. The first error ends it: no task begins after it.
pub struct TaskQueue<T> {
    state: Mutex<QueueState<T>>,
}

struct QueueState<T> {
    tasks: VecDeque<T>,
    stop: Option<Stop>,
}

impl<T> TaskQueue<T> {
    /// Returns a queue of these tasks, the first one next.
    pub fn new(tasks: impl IntoIterator<Item = T>) -> TaskQueue<T> {
        TaskQueue { state: Mutex::new(QueueState { tasks: tasks.into_iter().collect(), stop: None }) }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Performs tasks in this lane until none is left or a lane stopped. `work` gets true with the last task of the queue.
    pub fn work(&self, mut work: impl FnMut(T, bool) -> Result<(), Stop>) {
        loop {
            let mut state = self.lock();
            let Some(task) = state.tasks.pop_front() else { return };
            let is_last = state.tasks.is_empty();
            drop(state);
            if let Err(stop) = work(task, is_last) {
                return self.stop(stop);
            }
        }
    }

    /// Records the first reason to stop, and removes the remaining tasks.
    pub fn stop(&self, stop: Stop) {
        let mut state = self.lock();
        state.tasks.clear();
        state.stop.get_or_insert(stop);
    }

    /// Returns after all lanes have ended.
    ///
    /// # Errors
    /// The first reason to stop.
    pub fn finish(self) -> Result<(), Stop> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).stop.map_or(Ok(()), Err)
    }
}

/// Performs tasks that need no connection in a number of lanes. Returns the results in the order of the tasks.
///
/// # Errors
/// The first error. No task begins after it.
pub fn each<T: Sync, R: Send>(
    jobs: usize,
    tasks: &[T],
    work: impl Fn(&T) -> Result<R, Stop> + Sync,
) -> Result<Vec<R>, Stop> {
    let queue = TaskQueue::new(tasks.iter().enumerate());
    let results: Mutex<Vec<Option<R>>> = Mutex::new(tasks.iter().map(|_| None).collect());
    let lane = || {
        queue.work(|(place, task), _| {
            let result = work(task)?;
            results.lock().unwrap_or_else(PoisonError::into_inner)[place] = Some(result);
            Ok(())
        });
    };
    thread::scope(|scope| {
        for _ in 1..jobs.min(tasks.len()) {
            scope.spawn(lane);
        }
        lane();
    });
    queue.finish()?;
    Ok(results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect())
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

    #[test]
    fn the_last_task_is_marked_as_the_last() {
        let queue = TaskQueue::new(0..3);
        let mut seen = Vec::new();
        queue.work(|task, is_last| {
            seen.push((task, is_last));
            Ok(())
        });
        assert_eq!(seen, [(0, false), (1, false), (2, true)]);
        assert!(queue.finish().is_ok());
    }
}
