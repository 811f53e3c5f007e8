//! stet for Rust: stet.h as far as it is needed here, and types that own the handles and say what may cross threads.

use std::ffi::{CStr, CString};
use std::fmt;
use std::os::raw::c_char;
use std::os::unix::io::{AsRawFd, RawFd};
use std::time::Duration;

pub use ffi::{E_BUSY, E_CANCELLED, E_DEADLINE, E_INVALID, E_SHUTDOWN, HEALTH_DRAINING, HEALTH_READY};

/// Written by hand; bindgen makes the same of stet.h.
#[allow(non_camel_case_types)]
mod ffi {
    use std::os::raw::{c_char, c_int};

    pub enum stet_model {}
    pub enum stet_engine {}
    pub enum stet_cq {}
    pub enum stet_result {}

    // Plain integers: a status that a later version adds would be undefined behaviour in a Rust enum.
    pub type stet_status = i32;
    pub const OK: stet_status = 0;
    pub const E_INVALID: stet_status = -1;
    pub const E_BUSY: stet_status = -3;
    pub const E_DEADLINE: stet_status = -4;
    pub const E_CANCELLED: stet_status = -5;
    pub const E_SHUTDOWN: stet_status = -9;
    pub const HEALTH_READY: i32 = 0;
    pub const HEALTH_DRAINING: i32 = 1;
    pub const UNIT_BYTE: u32 = 0;

    #[repr(C)]
    pub struct stet_error {
        pub struct_size: u32,
        pub code: stet_status,
        pub retry_after_ms: u32,
        pub reserved: u32,
        pub message: [c_char; 496],
    }
    #[repr(C)]
    pub struct stet_option {
        pub key: *const c_char,
        pub value: *const c_char,
    }
    #[repr(C)]
    pub struct stet_request {
        pub struct_size: u32,
        pub flags: u32,
        pub text: *const c_char,
        pub len: usize,
        pub tokens: *const i32,
        pub n_tokens: usize,
        pub tag: u64,
        pub deadline_ns: u64,
        pub priority: i32,
        pub reserved: u32,
        pub prompt: *const c_char,
    }
    #[repr(C)]
    pub struct stet_event {
        pub id: u64,
        pub tag: u64,
        pub status: stet_status,
        pub reserved: u32,
        pub result: *mut stet_result,
        pub message: [c_char; 240],
    }
    #[repr(C)]
    pub struct stet_edit {
        pub src_off: u64,
        pub src_len: u64,
        pub out_off: u64,
        pub out_len: u64,
        pub text: *const c_char,
        pub text_len: usize,
        pub score: f32,
        pub sentence: u32,
    }

    #[rustfmt::skip]
    #[link(name = "stet")]
    extern "C" {
        pub fn stet_clock_ns() -> u64;
        pub fn stet_status_name(s: stet_status) -> *const c_char;
        pub fn stet_model_load(path: *const c_char, options: *const stet_option, n: usize,
                               out: *mut *mut stet_model, err: *mut stet_error) -> stet_status;
        pub fn stet_model_release(model: *mut stet_model);
        pub fn stet_engine_create(model: *mut stet_model, options: *const stet_option, n: usize,
                                  out: *mut *mut stet_engine, err: *mut stet_error) -> stet_status;
        pub fn stet_engine_drain(engine: *mut stet_engine, deadline_ns: u64, err: *mut stet_error) -> stet_status;
        pub fn stet_engine_destroy(engine: *mut stet_engine);
        pub fn stet_engine_health(engine: *const stet_engine) -> i32;
        pub fn stet_correct_batch(engine: *mut stet_engine, requests: *const stet_request, n: usize,
                                  results: *mut *mut stet_result, statuses: *mut stet_status,
                                  err: *mut stet_error) -> stet_status;
        pub fn stet_cq_create(out: *mut *mut stet_cq, err: *mut stet_error) -> stet_status;
        pub fn stet_cq_destroy(cq: *mut stet_cq);
        pub fn stet_cq_fd(cq: *mut stet_cq) -> c_int;
        pub fn stet_cq_poll(cq: *mut stet_cq, events: *mut stet_event, event_size: usize, max: usize,
                            timeout_us: i64) -> i64;
        pub fn stet_cq_wakeup(cq: *mut stet_cq);
        pub fn stet_submit(engine: *mut stet_engine, cq: *mut stet_cq, requests: *const stet_request, n: usize,
                           ids: *mut u64, accepted: *mut usize, err: *mut stet_error) -> stet_status;
        pub fn stet_cancel(engine: *mut stet_engine, id: u64) -> stet_status;
        pub fn stet_result_release(result: *mut stet_result);
        pub fn stet_result_text(result: *const stet_result, len: *mut usize) -> *const c_char;
        pub fn stet_result_edits(result: *const stet_result, unit: u32, out: *mut stet_edit, edit_size: usize,
                                 first: usize, cap: usize) -> i64;
    }
}

/// By the clock that deadlines are given in.
pub fn clock_ns() -> u64 {
    unsafe { ffi::stet_clock_ns() }
}

#[derive(Debug)]
pub struct Error {
    pub status: ffi::stet_status,
    pub retry_after: Duration,
    pub message: String,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let name = unsafe { CStr::from_ptr(ffi::stet_status_name(self.status)) };
        write!(f, "{}: {}", name.to_string_lossy(), self.message)
    }
}

impl std::error::Error for Error {}

/// Calls into stet with room for an error, and makes a `Result` of the status.
fn call(f: impl FnOnce(*mut ffi::stet_error) -> ffi::stet_status) -> Result<(), Error> {
    let mut err: ffi::stet_error = unsafe { std::mem::zeroed() };
    err.struct_size = std::mem::size_of::<ffi::stet_error>() as u32;
    match f(&mut err) {
        ffi::OK => Ok(()),
        status => Err(Error {
            status,
            retry_after: Duration::from_millis(err.retry_after_ms.into()),
            message: c_text(&err.message),
        }),
    }
}

fn c_text(message: &[c_char]) -> String {
    unsafe { CStr::from_ptr(message.as_ptr()) }.to_string_lossy().into_owned()
}

/// Options with the strings that they point to.
struct Options {
    _strings: Vec<(CString, CString)>,
    raw: Vec<ffi::stet_option>,
}

fn c_options(pairs: &[(&str, &str)]) -> Options {
    let c_string = |s: &str| CString::new(s).expect("an option without NUL");
    let strings: Vec<_> = pairs.iter().map(|(k, v)| (c_string(k), c_string(v))).collect();
    let raw = strings.iter().map(|(k, v)| ffi::stet_option { key: k.as_ptr(), value: v.as_ptr() }).collect();
    Options { _strings: strings, raw }
}

fn request(text: &[u8], tag: u64, deadline_ns: u64) -> ffi::stet_request {
    ffi::stet_request {
        struct_size: std::mem::size_of::<ffi::stet_request>() as u32,
        flags: 0,
        text: text.as_ptr().cast(),
        len: text.len(),
        tokens: std::ptr::null(),
        n_tokens: 0,
        tag,
        deadline_ns,
        priority: 0,
        reserved: 0,
        prompt: std::ptr::null(),
    }
}

pub struct Model(*mut ffi::stet_model);
pub struct Engine(*mut ffi::stet_engine);
pub struct Queue(*mut ffi::stet_cq);
pub struct Corrected(*mut ffi::stet_result);

// stet.h: models, engines and results may be used by any thread, also at the same time, and any number
// of threads may take from a queue. That none uses what is being destroyed, borrowing makes sure.
unsafe impl Send for Model {}
unsafe impl Sync for Model {}
unsafe impl Send for Engine {}
unsafe impl Sync for Engine {}
unsafe impl Send for Queue {}
unsafe impl Sync for Queue {}
unsafe impl Send for Corrected {}
unsafe impl Sync for Corrected {}

impl Drop for Model {
    fn drop(&mut self) {
        unsafe { ffi::stet_model_release(self.0) }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        unsafe { ffi::stet_engine_destroy(self.0) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        unsafe { ffi::stet_cq_destroy(self.0) }
    }
}

impl Drop for Corrected {
    fn drop(&mut self) {
        unsafe { ffi::stet_result_release(self.0) }
    }
}

impl Model {
    pub fn load(folder: &str, options: &[(&str, &str)]) -> Result<Model, Error> {
        let path = CString::new(folder).expect("a path without NUL");
        let o = c_options(options);
        let mut raw = std::ptr::null_mut();
        call(|e| unsafe { ffi::stet_model_load(path.as_ptr(), o.raw.as_ptr(), o.raw.len(), &mut raw, e) })?;
        Ok(Model(raw))
    }
}

impl Engine {
    /// The engine keeps its own reference to the model.
    pub fn new(model: &Model, options: &[(&str, &str)]) -> Result<Engine, Error> {
        let o = c_options(options);
        let mut raw = std::ptr::null_mut();
        call(|e| unsafe { ffi::stet_engine_create(model.0, o.raw.as_ptr(), o.raw.len(), &mut raw, e) })?;
        Ok(Engine(raw))
    }

    /// Hands in one text, which is copied. A queue may be dropped while requests are in flight.
    pub fn submit(&self, queue: &Queue, text: &[u8], tag: u64, deadline_ns: u64) -> Result<u64, Error> {
        let r = request(text, tag, deadline_ns);
        let (mut id, mut accepted) = (0, 0);
        call(|e| unsafe { ffi::stet_submit(self.0, queue.0, &r, 1, &mut id, &mut accepted, e) })?;
        Ok(id)
    }

    pub fn cancel(&self, id: u64) -> Result<(), Error> {
        call(|_| unsafe { ffi::stet_cancel(self.0, id) })
    }

    pub fn correct_batch(&self, texts: &[&[u8]]) -> Result<Vec<Corrected>, Error> {
        let requests: Vec<_> = texts.iter().map(|t| request(t, 0, 0)).collect();
        let mut raw = vec![std::ptr::null_mut(); texts.len()];
        let outcome = call(|e| unsafe {
            let statuses = std::ptr::null_mut();
            ffi::stet_correct_batch(self.0, requests.as_ptr(), requests.len(), raw.as_mut_ptr(), statuses, e)
        });
        let results = raw.into_iter().filter(|r| !r.is_null()).map(Corrected).collect();
        outcome.map(|()| results)
    }

    pub fn drain(&self) -> Result<(), Error> {
        call(|e| unsafe { ffi::stet_engine_drain(self.0, 0, e) })
    }

    pub fn health(&self) -> i32 {
        unsafe { ffi::stet_engine_health(self.0) }
    }
}

/// Of a request that was accepted.
pub struct Event {
    pub id: u64,
    pub tag: u64,
    pub outcome: Result<Corrected, Error>,
}

impl From<ffi::stet_event> for Event {
    fn from(e: ffi::stet_event) -> Event {
        let outcome = match e.status {
            ffi::OK => Ok(Corrected(e.result)),
            status => Err(Error { status, retry_after: Duration::ZERO, message: c_text(&e.message) }),
        };
        Event { id: e.id, tag: e.tag, outcome }
    }
}

impl Queue {
    pub fn new() -> Result<Queue, Error> {
        let mut raw = std::ptr::null_mut();
        call(|e| unsafe { ffi::stet_cq_create(&mut raw, e) })?;
        Ok(Queue(raw))
    }

    /// What is there, at most 16 events; never waits.
    pub fn take(&self) -> Vec<Event> {
        let mut events = Vec::with_capacity(16);
        let size = std::mem::size_of::<ffi::stet_event>();
        let n = unsafe { ffi::stet_cq_poll(self.0, events.as_mut_ptr(), size, 16, 0) };
        assert!(n >= 0, "stet_cq_poll: status {}", n);
        unsafe { events.set_len(n as usize) };
        events.into_iter().map(Event::from).collect()
    }

    pub fn wakeup(&self) {
        unsafe { ffi::stet_cq_wakeup(self.0) }
    }
}

/// For an event loop; the descriptor belongs to the queue.
impl AsRawFd for Queue {
    fn as_raw_fd(&self) -> RawFd {
        unsafe { ffi::stet_cq_fd(self.0) }
    }
}

impl Corrected {
    pub fn text(&self) -> &[u8] {
        let mut len = 0;
        unsafe {
            let text = ffi::stet_result_text(self.0, &mut len);
            std::slice::from_raw_parts(text.cast(), len)
        }
    }
    /// Byte offsets in the source, and what stands there instead.
    pub fn edits(&self) -> Vec<(std::ops::Range<usize>, &[u8])> {
        let (size, nowhere) = (std::mem::size_of::<ffi::stet_edit>(), std::ptr::null_mut());
        let n = unsafe { ffi::stet_result_edits(self.0, ffi::UNIT_BYTE, nowhere, size, 0, 0) };
        let n = usize::try_from(n).expect("a number of edits");
        let mut raw: Vec<ffi::stet_edit> = Vec::with_capacity(n);
        unsafe {
            ffi::stet_result_edits(self.0, ffi::UNIT_BYTE, raw.as_mut_ptr(), size, 0, n);
            raw.set_len(n);
        }
        let range = |e: &ffi::stet_edit| e.src_off as usize..(e.src_off + e.src_len) as usize;
        let text = |e: &ffi::stet_edit| match e.text_len {
            0 => &[], // where text points to then, stet.h does not say
            n => unsafe { std::slice::from_raw_parts(e.text.cast(), n) },
        };
        raw.iter().map(|e| (range(e), text(e))).collect()
    }
}
