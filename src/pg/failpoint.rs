//! Points at which a test ends the process, as `kill -9` would, or lets it panic: behind each answer of the target's.
//!
//! Nothing of it is in a build without the feature `failpoints`.

/// A point is reached: the process ends here if it is the one that was armed.
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

    /// Points that are still to be passed; 0: none is armed.
    static LEFT: AtomicU64 = AtomicU64::new(0);

    /// The words of a panic; none: the process ends at once.
    static WORDS: OnceLock<String> = OnceLock::new();

    /// The process will end at the n-th point from here on, counted from 1 over all lanes; by a panic, where it has words.
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
