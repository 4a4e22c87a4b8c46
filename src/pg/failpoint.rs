//! Points at which a test ends the process, as `kill -9` would, or makes it panic: after each answer of the target.
//!
//! A build without the feature `failpoints` contains none of it.

/// Ends the process if this is the point that was armed.
#[inline]
pub fn reach() {
    #[cfg(feature = "failpoints")]
    armed::reach();
}

#[cfg(feature = "failpoints")]
pub use armed::arm;

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// The number of points to pass before the process ends; 0 if no point is armed.
    static LEFT: AtomicU64 = AtomicU64::new(0);

    /// The message of the panic; unset if the process ends without one.
    static WORDS: OnceLock<String> = OnceLock::new();

    /// Arms the n-th point from now on, counted from 1 over all lanes. The process panics there if `words` are given.
    pub fn arm(nth: u64, words: Option<&str>) {
        if let Some(words) = words {
            WORDS.get_or_init(|| words.to_owned());
        }
        LEFT.store(nth, Ordering::SeqCst);
    }

    pub(super) fn reach() {
        let before = LEFT.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if before == Ok(1) {
            match WORDS.get() {
                Some(words) => std::panic::panic_any(words.clone()),
                None => std::process::abort(),
            }
        }
    }
}
