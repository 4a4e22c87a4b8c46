//! The protocol of batches and ledger as a small model, explored completely: every interleaving of two processes, lost
//! connections, lost answers, commits that land late, server crashes and kills, up to a number of accidents.
//!
//! It models the rules, not the code: the same rules without one of the safeguards must be found to lose or double
//! a row, else the exploration would prove nothing.

use std::collections::{BTreeSet, VecDeque};

/// Batches of the one part.
const BATCHES: usize = 3;

/// The number of accidents on one path.
const ACCIDENTS: u8 = 3;

/// A safeguard that can be taken away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Without {
    Nothing,
    /// The ledger's row is unique, and a second one waits for the first.
    UniqueRow,
    /// A batch that is there counts as done.
    Taken,
    /// After a reconnection a lane resumes from the ledger.
    Rereading,
    /// Rows and the ledger's row are one transaction.
    OneTransaction,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Process {
    /// Not begun, or begun again after a kill.
    Out,
    /// Connected, and knows nothing yet.
    Connected,
    /// Knows its epoch and the next batch.
    Ready {
        epoch: u8,
        next: usize,
    },
    /// Its transaction is open on the server.
    Open {
        epoch: u8,
        next: usize,
    },
    /// It said COMMIT and waits for the answer.
    Waiting {
        epoch: u8,
        next: usize,
    },
    /// Its connection is lost.
    Lost {
        epoch: u8,
        next: usize,
    },
    Done,
    Fenced,
}

/// A transaction of the server's that no client waits for any more: it ends one way or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Orphan {
    /// The session that holds the lock; none for another lane's.
    process: Option<usize>,
    batch: usize,
    /// COMMIT is on its way.
    may_commit: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    /// Ledger rows committed for each batch; data of each batch.
    ledger: [u8; BATCHES],
    data: [u8; BATCHES],
    epoch: u8,
    lock: Option<usize>,
    processes: [Process; 2],
    orphans: Vec<Orphan>,
    accidents: u8,
}

impl World {
    fn new() -> World {
        World {
            ledger: [0; BATCHES],
            data: [0; BATCHES],
            epoch: 0,
            lock: None,
            processes: [Process::Out; 2],
            orphans: Vec::new(),
            accidents: 0,
        }
    }

    fn next_of_ledger(&self) -> usize {
        self.ledger.iter().position(|n| *n == 0).unwrap_or(BATCHES)
    }

    /// Returns true if a transaction with this batch's row is open.
    fn holds(&self, batch: usize) -> bool {
        self.orphans.iter().any(|o| o.batch == batch)
            || self
                .processes
                .iter()
                .any(|p| matches!(p, Process::Open { next, .. } | Process::Waiting { next, .. } if *next == batch))
    }

    /// Returns true if the lock still belongs to its lost session, not to a live one.
    fn waits_for_orphan(&self, n: usize) -> bool {
        self.orphans.iter().any(|o| o.process == Some(n))
    }

    fn any_open(&self) -> bool {
        (0..BATCHES).any(|batch| self.holds(batch))
    }

    fn commit(&mut self, batch: usize) {
        self.ledger[batch] += 1;
        self.data[batch] += 1;
    }

    /// A connection of a process ends; what the server still does for it continues without it. A lane's leaves the lock
    /// where it is, with the process's first session.
    fn cut(&mut self, n: usize, may_commit: bool, of_lane: bool) {
        if let Process::Open { next, .. } | Process::Waiting { next, .. } = self.processes[n] {
            let may_commit = may_commit && matches!(self.processes[n], Process::Waiting { .. });
            self.orphans.push(Orphan { process: (!of_lane).then_some(n), batch: next, may_commit });
            self.orphans.sort();
        } else if self.lock == Some(n) && !of_lane {
            self.lock = None;
        }
    }

    /// Every state that can follow.
    fn follow(&self, without: Without) -> Vec<World> {
        let mut all = Vec::new();
        for n in 0..2 {
            self.step(n, without, &mut all);
        }
        for (at, orphan) in self.orphans.iter().enumerate() {
            for commits in [false, true] {
                if commits && !orphan.may_commit {
                    continue;
                }
                let mut world = self.clone();
                world.orphans.remove(at);
                if commits {
                    world.commit(orphan.batch);
                }
                if orphan.process.is_some() && world.lock == orphan.process {
                    world.lock = None;
                }
                all.push(world);
            }
        }
        if self.accidents < ACCIDENTS {
            self.accident(&mut all);
        }
        all
    }

    fn step(&self, n: usize, without: Without, all: &mut Vec<World>) {
        let mut world = self.clone();
        match self.processes[n] {
            // The session lock; refused processes come again later.
            Process::Lost { epoch, next } if self.lock == Some(n) && !self.waits_for_orphan(n) => {
                let next = if without == Without::Rereading { next } else { self.next_of_ledger() };
                world.processes[n] = Process::Ready { epoch, next };
            }
            Process::Out | Process::Lost { .. } if self.lock.is_none() => {
                world.lock = Some(n);
                world.processes[n] = match self.processes[n] {
                    Process::Lost { epoch, next } if without == Without::Rereading => Process::Ready { epoch, next },
                    Process::Lost { epoch, .. } => Process::Ready { epoch, next: self.next_of_ledger() },
                    _ => Process::Connected,
                };
            }
            // The new epoch waits for open batches, which hold the run's row.
            Process::Connected if !self.any_open() => {
                world.epoch += 1;
                world.processes[n] = Process::Ready { epoch: world.epoch, next: self.next_of_ledger() };
            }
            Process::Ready { next: BATCHES, .. } => {
                world.processes[n] = Process::Done;
                world.lock = None;
            }
            Process::Ready { epoch, .. } if epoch != self.epoch => {
                world.processes[n] = Process::Fenced;
                world.lock = world.lock.filter(|holder| *holder != n);
            }
            Process::Ready { epoch, next } => {
                let is_there = self.ledger[next] > 0 && without != Without::UniqueRow;
                if is_there && without != Without::Taken {
                    world.processes[n] = Process::Ready { epoch, next: next + 1 };
                } else if self.holds(next) && without != Without::UniqueRow {
                    return;
                } else {
                    world.processes[n] = Process::Open { epoch, next };
                    if without == Without::OneTransaction {
                        world.ledger[next] += 1;
                    }
                }
            }
            Process::Open { epoch, next } => world.processes[n] = Process::Waiting { epoch, next },
            Process::Waiting { epoch, next } => {
                if without == Without::OneTransaction {
                    world.data[next] += 1;
                } else {
                    world.commit(next);
                }
                world.processes[n] = Process::Ready { epoch, next: next + 1 };
            }
            _ => return,
        }
        all.push(world);
    }

    fn accident(&self, all: &mut Vec<World>) {
        for n in 0..2 {
            let (Process::Ready { epoch, next } | Process::Open { epoch, next } | Process::Waiting { epoch, next }) =
                self.processes[n]
            else {
                continue;
            };
            // The cable, with the COMMIT on its way or not; and a kill.
            for (may_commit, killed, of_lane) in [
                (false, false, false),
                (true, false, false),
                (true, true, false),
                (false, false, true),
                (true, false, true),
            ] {
                let mut world = self.clone();
                world.accidents += 1;
                world.cut(n, may_commit, of_lane);
                world.processes[n] = if killed { Process::Out } else { Process::Lost { epoch, next } };
                all.push(world);
            }
            // The commit is done and its answer is lost.
            if let Process::Waiting { .. } = self.processes[n] {
                let mut world = self.clone();
                world.accidents += 1;
                world.commit(next);
                world.lock = world.lock.filter(|holder| *holder != n);
                world.processes[n] = Process::Lost { epoch, next };
                all.push(world);
            }
        }
        // The server stops at once: nothing open stays, and the last commit may be lost though it was acknowledged.
        for forgets in [false, true] {
            let mut world = self.clone();
            world.accidents += 1;
            world.orphans.clear();
            world.lock = None;
            let last = self.ledger.iter().rposition(|n| *n > 0);
            if let (true, Some(last)) = (forgets, last) {
                if self.processes.contains(&Process::Done) {
                    continue;
                }
                world.ledger[last] -= 1;
                world.data[last] = world.data[last].saturating_sub(1);
            }
            for process in &mut world.processes {
                if let Process::Ready { epoch, next }
                | Process::Open { epoch, next }
                | Process::Waiting { epoch, next } = *process
                {
                    *process = Process::Lost { epoch, next };
                } else if *process == Process::Connected {
                    *process = Process::Out;
                }
            }
            all.push(world);
        }
    }

    fn wrong(&self) -> Option<&'static str> {
        if self.data.iter().any(|n| *n > 1) {
            return Some("a batch is there twice");
        }
        let done = self.processes.contains(&Process::Done);
        (done && self.data.contains(&0)).then_some("a batch is missing at the end")
    }
}

/// All states that can be reached; what is wrong in the first bad one.
fn explore(without: Without) -> (usize, Option<String>) {
    let mut seen = BTreeSet::from([World::new()]);
    let mut queue = VecDeque::from([World::new()]);
    while let Some(world) = queue.pop_front() {
        if let Some(wrong) = world.wrong() {
            return (seen.len(), Some(format!("{wrong}: {world:?}")));
        }
        let following = world.follow(without);
        let ended = world.processes.iter().all(|p| matches!(p, Process::Done | Process::Fenced));
        if following.is_empty() && !ended {
            return (seen.len(), Some(format!("no process can continue: {world:?}")));
        }
        for world in following {
            if seen.insert(world.clone()) {
                queue.push_back(world);
            }
        }
    }
    (seen.len(), None)
}

#[test]
fn no_interleaving_loses_or_doubles_a_batch_or_gets_stuck() {
    let (states, wrong) = explore(Without::Nothing);
    assert_eq!(wrong, None);
    assert!(states > 1_000, "only {states} states were explored");
}

#[test]
fn the_exploration_finds_the_loss_if_any_one_safeguard_is_removed() {
    for (without, what) in [
        (Without::UniqueRow, "the unique row"),
        (Without::Taken, "reading what is there as done"),
        (Without::Rereading, "resuming from the ledger"),
        (Without::OneTransaction, "one transaction"),
    ] {
        let (_, wrong) = explore(without);
        assert!(wrong.is_some(), "without {what} nothing went wrong: the model cannot fail");
    }
}
