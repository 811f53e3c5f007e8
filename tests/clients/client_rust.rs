//! client_rust MODEL SENTENCES - stet in a Rust program: four threads hand in requests, and one waits for the
//! queue's descriptor, as an event loop does.

mod stet;

use std::os::raw::{c_int, c_short, c_ulong};
use std::os::unix::io::AsRawFd;
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use stet::{Engine, Event, Model, Queue};

const CALLS: usize = 1000;
const SUBMITTERS: usize = 4;
const CANCEL_LAG: usize = 3;
const PAST: u64 = 1;

fn fail(message: &str) -> ! {
    eprintln!("client_rust: {}", message);
    exit(1);
}

fn check(good: bool, what: &str) {
    if !good {
        fail(&format!("does not hold: {}", what));
    }
}

#[repr(C)]
struct PollFd {
    fd: c_int,
    events: c_short,
    revents: c_short,
}

extern "C" {
    /// Of the C library, which the standard library has no safe form of; `mio` and `tokio` take the descriptor too.
    fn poll(fds: *mut PollFd, n: c_ulong, timeout_ms: c_int) -> c_int;
}

fn wait_readable(source: &impl AsRawFd) {
    const POLLIN: c_short = 1;
    let mut wanted = PollFd { fd: source.as_raw_fd(), events: POLLIN, revents: 0 };
    let n = unsafe { poll(&mut wanted, 1, -1) };
    check(n == 1 && wanted.revents == POLLIN, "the queue's descriptor is readable");
}

struct Call {
    number: usize,
    deadline_ns: u64,
    cancelled: bool,
    id: Option<u64>,
}

/// What the threads share.
struct Service {
    engine: Engine,
    queue: Queue,
    lines: Vec<Vec<u8>>,
    busy: AtomicUsize,
    stopping: AtomicBool,
}

impl Service {
    fn text(&self, number: usize) -> &[u8] {
        &self.lines[number % self.lines.len()]
    }

    fn submit(&self, number: usize) -> Call {
        let deadline_ns = match number % 10 {
            3 => PAST,
            8 => stet::clock_ns() + 300_000,
            _ => 0,
        };
        loop {
            let outcome = self.engine.submit(&self.queue, self.text(number), number as u64, deadline_ns);
            match outcome {
                Ok(id) => return Call { number, deadline_ns, cancelled: false, id: Some(id) },
                Err(e) if e.status == stet::E_BUSY => {
                    self.busy.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(e.retry_after.max(Duration::from_millis(1)));
                }
                Err(e) if e.status == stet::E_DEADLINE && deadline_ns != 0 => {
                    return Call { number, deadline_ns, cancelled: false, id: None };
                }
                Err(e) => fail(&format!("request {}: {}", number, e)),
            }
        }
    }

    fn submit_share(&self, first: usize) -> Vec<Call> {
        let mut calls: Vec<Call> = Vec::new();
        for number in (first..CALLS).step_by(SUBMITTERS) {
            calls.push(self.submit(number));
            let late = calls.len().saturating_sub(CANCEL_LAG + 1);
            if let Call { number, id: Some(id), cancelled: false, .. } = calls[late] {
                if number % 7 == 6 {
                    calls[late].cancelled = true;
                    check(self.engine.cancel(id).is_ok(), "cancelling is always legal");
                }
            }
        }
        calls
    }

    fn take_events(&self) -> Vec<Event> {
        let mut all = Vec::new();
        loop {
            // The flag is set when all events are in the queue. It must be read before the queue is: then no
            // event is missed, and when the wake-up was taken with the old flag, nothing waits a second time.
            let stopping = self.stopping.load(Ordering::SeqCst);
            if !stopping {
                wait_readable(&self.queue);
            }
            let events = self.queue.take();
            if events.is_empty() && stopping {
                return all;
            }
            all.extend(events);
        }
    }

    fn run(&self) -> (Vec<Call>, Vec<Event>) {
        thread::scope(|scope| {
            let consumer = scope.spawn(|| self.take_events());
            let submitters: Vec<_> =
                (0..SUBMITTERS).map(|first| scope.spawn(move || self.submit_share(first))).collect();
            let calls = submitters.into_iter().flat_map(|s| s.join().unwrap()).collect();
            check(self.engine.drain().is_ok(), "draining");
            self.stopping.store(true, Ordering::SeqCst);
            self.queue.wakeup();
            (calls, consumer.join().unwrap())
        })
    }
}

#[derive(Default)]
struct Counts {
    done: usize,
    cancelled: usize,
    deadline: usize,
}

fn apply_edits(source: &[u8], corrected: &stet::Corrected) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    for (range, text) in corrected.edits() {
        out.extend(&source[at..range.start]);
        out.extend(text);
        at = range.end;
    }
    out.extend(&source[at..]);
    out
}

impl Counts {
    fn check_call(&mut self, call: &Call, events: &[Event], source: &[u8], expected: &[u8]) {
        check(events.len() == call.id.is_some() as usize, "one event for each accepted request");
        let event = match events.first() {
            None => {
                self.deadline += 1;
                return;
            }
            Some(event) => event,
        };
        check(Some(event.id) == call.id, "tag and id belong together");
        match &event.outcome {
            Ok(corrected) => {
                check(call.deadline_ns != PAST, "what is too late is not done");
                check(corrected.text() == expected, "same as the blocking call");
                check(corrected.text() == apply_edits(source, corrected), "the edits give the text");
                self.done += 1;
            }
            Err(e) if e.status == stet::E_CANCELLED && call.cancelled => self.cancelled += 1,
            Err(e) if e.status == stet::E_DEADLINE && call.deadline_ns != 0 => self.deadline += 1,
            Err(e) => fail(&format!("request {}: {}", call.number, e)),
        }
    }
}

fn correct_blocking(engine: &Engine, lines: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, stet::Error> {
    let texts: Vec<&[u8]> = lines.iter().map(|l| l.as_slice()).collect();
    let expected: Vec<Vec<u8>> = engine.correct_batch(&texts)?.iter().map(|r| r.text().to_vec()).collect();
    let changed = lines.iter().zip(&expected).filter(|(line, text)| line != text).count();
    check(changed >= 5, "the model changes enough for a comparison");
    Ok(expected)
}

fn open_service(folder: &str, path: &str) -> Result<Service, Box<dyn std::error::Error>> {
    let data = std::fs::read(path)?;
    let lines = data.strip_suffix(b"\n").unwrap_or(&data).split(|b| *b == b'\n').map(|l| l.to_vec()).collect();
    let model = Model::load(folder, &[("device", "cpu"), ("intra_threads", "1")])?;
    let engine = Engine::new(&model, &[("queue_size", "64"), ("max_decoding_length", "48")])?;
    let (busy, stopping) = (AtomicUsize::new(0), AtomicBool::new(false));
    Ok(Service { engine, queue: Queue::new()?, lines, busy, stopping })
}

fn run(folder: &str, path: &str) -> Result<(), Box<dyn std::error::Error>> {
    let service = open_service(folder, path)?;
    check(service.engine.health() == stet::HEALTH_READY, "a new engine is ready");
    let expected = correct_blocking(&service.engine, &service.lines)?;
    let (calls, events) = service.run();
    check(service.engine.health() == stet::HEALTH_DRAINING, "the engine is draining");
    let late = service.engine.submit(&service.queue, b"Bace.", 0, 0);
    check(matches!(late, Err(e) if e.status == stet::E_SHUTDOWN), "a drained engine accepts nothing");
    let unknown = service.engine.cancel(u64::MAX);
    check(matches!(unknown, Err(e) if e.status == stet::E_INVALID), "an unknown id cannot be cancelled");

    let mut by_call: Vec<Vec<Event>> = (0..CALLS).map(|_| Vec::new()).collect();
    for event in events {
        check(event.tag < CALLS as u64, "the tag is one of ours");
        by_call[event.tag as usize].push(event);
    }
    let mut n = Counts::default();
    for call in &calls {
        let text = &expected[call.number % expected.len()];
        n.check_call(call, &by_call[call.number], service.text(call.number), text);
    }
    let busy = service.busy.load(Ordering::Relaxed);
    drop(service); // its engine first, then its queue; the results in the events live on
    drop(by_call);
    check(n.done + n.cancelled + n.deadline == CALLS, "one outcome for each request");
    check(n.done > 0 && n.cancelled > 0 && n.deadline > 0 && busy > 0, "all cases came up");
    println!("ok: {} done, {} cancelled, {} deadline, {} busy", n.done, n.cancelled, n.deadline, busy);
    Ok(())
}

fn main() {
    thread::spawn(|| {
        thread::sleep(Duration::from_secs(120));
        fail("not ready after 120 s");
    });
    let args: Vec<String> = std::env::args().collect();
    if args.len() != 3 {
        fail("usage: client_rust MODEL SENTENCES");
    }
    if let Err(e) = run(&args[1], &args[2]) {
        fail(&e.to_string());
    }
}
