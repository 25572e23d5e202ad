//! Pictures made ahead of who needs them, on threads of their own, in an order that is fixed.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use super::Pictures;
use super::source::{Scratch, Source};
use crate::Error;

/// Batches that are ready or in work while another is used: the second evens out what varies in size
/// and in the speed of a disk, more would only take memory.
const AHEAD: usize = 2;

/// Batches of pictures to be made.
pub(crate) struct Work<'a> {
    /// Where files that cannot be read are counted.
    pub(crate) source: Source<'a>,
    /// Pictures in all.
    pub(crate) pictures: usize,
    /// Pictures of a batch; the last one has what is left.
    pub(crate) batch: usize,
    /// Makes the picture at a position, over all of its bytes.
    pub(crate) make: &'a Make<'a>,
}

/// Takes a position, scratch memory and the place of the pixels.
pub(crate) type Make<'a> =
    dyn Fn(usize, &mut Scratch, &mut [u8]) -> Result<Made, Error> + Sync + 'a;

/// What became of a position.
#[derive(Debug)]
pub(crate) struct Made {
    /// Of the picture; none where the position stays empty.
    pub(crate) label: Option<u16>,
    /// Pictures of the source that cannot be read, and why.
    pub(crate) damaged: Vec<(usize, String)>,
}

/// Makes all batches and hands them over one after the other, the next ones being made meanwhile.
///
/// There are as many makers as rayon has threads; they sleep while enough is ready. What they make
/// depends on the position alone, and what is refused is the first in order, however many they are.
pub(crate) fn batches<E: From<Error>>(
    work: &Work<'_>,
    each: &mut dyn FnMut(&Pictures) -> Result<(), E>,
) -> Result<(), E> {
    let queue =
        Queue { work, state: Mutex::default(), ready: Condvar::new(), room: Condvar::new() };
    let makers = rayon::current_num_threads().min(work.pictures);
    std::thread::scope(|scope| {
        let _stop = StopAtEnd(&queue);
        for _ in 0..makers {
            scope.spawn(|| queue.make());
        }
        for _ in 0..work.pictures.div_ceil(work.batch) {
            let mut batch = queue.take();
            for (picture_idx, reason) in batch.damaged() {
                work.source.skip(picture_idx, &reason)?;
            }
            if let Some((_, error)) = batch.error.take() {
                return Err(error.into());
            }
            let pictures = batch.pictures(work.source);
            each(&pictures)?;
            queue.give_back(pictures.pixels);
        }
        Ok(())
    })
}

struct Queue<'a> {
    work: &'a Work<'a>,
    state: Mutex<State>,
    /// A batch is whole, or all is over.
    ready: Condvar,
    /// A batch was used, or all is over.
    room: Condvar,
}

#[derive(Default)]
struct State {
    /// The position that is made next.
    next: usize,
    /// Batches that were taken and used.
    used: usize,
    /// Those in work or whole, in order.
    batches: VecDeque<Batch>,
    /// Memory of batches that were used.
    spare: Vec<Vec<u8>>,
    over: bool,
}

/// A batch in work.
struct Batch {
    pixels: Vec<u8>,
    /// By position; none where it is not made yet.
    made: Vec<Option<Made>>,
    left: usize,
    /// The first in order, with its position.
    error: Option<(usize, Error)>,
}

/// Wakes and ends the makers on every way out, so that nobody waits for those who are gone.
struct StopAtEnd<'a>(&'a Queue<'a>);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.state().over = true;
        self.0.ready.notify_all();
        self.0.room.notify_all();
    }
}

impl Queue<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the state, and each change of it is whole.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// What each maker does.
    fn make(&self) {
        let mut scratch = Scratch::default();
        let mut pixels = vec![0; self.work.source.shape().elements()];
        while let Some(position) = self.claim() {
            // A panic of a maker ends all: the thread that waits would wait for ever.
            let stop = StopAtEnd(self);
            let made = (self.work.make)(position, &mut scratch, &mut pixels);
            std::mem::forget(stop);
            self.put(position, &pixels, made);
        }
    }

    /// The next position; waits while enough is ready.
    fn claim(&self) -> Option<usize> {
        let work = self.work;
        let mut state = self.state();
        loop {
            if state.over || work.pictures <= state.next {
                return None;
            }
            if state.next / work.batch <= state.used + AHEAD {
                break;
            }
            state = self.room.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        let position = state.next;
        state.next += 1;
        if position.is_multiple_of(work.batch) {
            let n = work.batch.min(work.pictures - position);
            let mut pixels = state.spare.pop().unwrap_or_default();
            pixels.resize(n * work.source.shape().elements(), 0);
            let made = (0..n).map(|_| None).collect();
            state.batches.push_back(Batch { pixels, made, left: n, error: None });
        }
        Some(position)
    }

    fn put(&self, position: usize, pixels: &[u8], made: Result<Made, Error>) {
        let mut state = self.state();
        let taken = state.next.div_ceil(self.work.batch) - state.batches.len();
        let batch = &mut state.batches[position / self.work.batch - taken];
        let place = position % self.work.batch;
        match made {
            Ok(made) => {
                batch.pixels[place * pixels.len()..(place + 1) * pixels.len()]
                    .copy_from_slice(pixels);
                batch.made[place] = Some(made);
            }
            Err(error) => {
                if batch.error.as_ref().is_none_or(|&(first, _)| place < first) {
                    batch.error = Some((place, error));
                }
            }
        }
        batch.left -= 1;
        if batch.left == 0 {
            self.ready.notify_all();
        }
    }

    /// The next batch in order, when it is whole.
    fn take(&self) -> Batch {
        let mut state = self.state();
        while state.batches.front().is_none_or(|batch| 0 < batch.left) {
            assert!(!state.over, "a maker has panicked");
            state = self.ready.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        state.batches.pop_front().expect("there is one in front")
    }

    fn give_back(&self, pixels: Vec<u8>) {
        let mut state = self.state();
        state.spare.push(pixels);
        state.used += 1;
        self.room.notify_all();
    }
}

impl Batch {
    /// What its positions found out about files, in order, up to a refusal.
    fn damaged(&mut self) -> Vec<(usize, String)> {
        let end = self.error.as_ref().map_or(self.made.len(), |&(place, _)| place);
        let made = self.made[..end].iter_mut().flatten();
        made.flat_map(|made| std::mem::take(&mut made.damaged)).collect()
    }

    /// The pictures, closed up where positions stay empty.
    fn pictures(self, source: Source<'_>) -> Pictures {
        let shape = source.shape();
        let elements = shape.elements();
        let mut pictures = Pictures { shape, pixels: self.pixels, labels: Vec::new() };
        for (place, made) in self.made.into_iter().enumerate() {
            let Some(label) = made.and_then(|made| made.label) else { continue };
            let to = pictures.labels.len() * elements;
            pictures.pixels.copy_within(place * elements..(place + 1) * elements, to);
            pictures.labels.push(label);
        }
        pictures.pixels.truncate(pictures.labels.len() * elements);
        pictures
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use tridot_sim::network::Shape;

    use super::*;

    const BATCH: usize = 4;

    /// While a batch is used the next two are made, however long that takes, and no more.
    #[test]
    fn two_batches_are_made_ahead_and_no_more() {
        let shape = Shape::new(1, 1, 1);
        let none = Pictures { shape, pixels: Vec::new(), labels: Vec::new() };
        let made = AtomicUsize::new(0);
        let make = |position: usize, _: &mut Scratch, out: &mut [u8]| {
            out[0] = u8::try_from(position).unwrap();
            made.fetch_add(1, Ordering::SeqCst);
            Ok(Made { label: Some(0), damaged: Vec::new() })
        };
        let work = Work { source: (&none).into(), pictures: 30, batch: BATCH, make: &make };
        let mut used = 0;
        batches(&work, &mut |batch| {
            let wanted = (30).min((used + 1 + AHEAD) * BATCH);
            let start = Instant::now();
            while made.load(Ordering::SeqCst) < wanted {
                assert!(start.elapsed() < Duration::from_mins(1), "nothing is made meanwhile");
                std::thread::yield_now();
            }
            // Time enough for one more, were there room.
            std::thread::sleep(Duration::from_millis(2));
            assert_eq!(made.load(Ordering::SeqCst), wanted, "batch {used}");
            let first = u8::try_from(used * BATCH).unwrap();
            assert!(batch.pixels.iter().copied().eq((first..30).take(BATCH)), "{:?}", batch.pixels);
            used += 1;
            Ok::<(), Error>(())
        })
        .unwrap();
        assert_eq!(used, 8);
    }

    #[test]
    #[should_panic(expected = "a maker has panicked")]
    fn a_panic_while_making_ends_the_waiting() {
        let none = Pictures { shape: Shape::new(1, 1, 1), pixels: Vec::new(), labels: Vec::new() };
        let make = |position: usize, _: &mut Scratch, _: &mut [u8]| {
            assert!(position < 6, "as a fault would");
            Ok(Made { label: Some(0), damaged: Vec::new() })
        };
        let work = Work { source: (&none).into(), pictures: 30, batch: BATCH, make: &make };
        batches(&work, &mut |_| Ok::<(), Error>(())).unwrap();
    }
}
