// client_cgo MODEL SENTENCES - stet in a Go program: many goroutines hand in requests and wait for
// their own answer, one goroutine takes the events and gives each answer to the goroutine it is for.
package main

/*
#cgo LDFLAGS: -lstet
#include <stdlib.h>
#include <stet.h>

// Go memory that C is given may not hold pointers to other Go memory, as a stet_request there would.
// On C's stack it may.
static stet_status submit_one(stet_engine *engine, stet_cq *cq, const char *text, size_t len,
                              uint64_t tag, uint64_t deadline_ns, uint64_t *id, stet_error *err)
{
    stet_request r = {.struct_size = sizeof r,
                      .text = text,
                      .len = len,
                      .tag = tag,
                      .deadline_ns = deadline_ns};
    return stet_submit(engine, cq, &r, 1, id, NULL, err);
}
*/
import "C"

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	calls   = 1000
	workers = 128
	timeout = 120 * time.Second
)

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "client_cgo: "+format+"\n", args...)
	os.Exit(1)
}

func check(good bool, what string) {
	if !good {
		fail("does not hold: %s", what)
	}
}

// ---- What to copy: the client ----

// Error is a status that is not STET_OK, with its message.
type Error struct {
	Status  C.stet_status
	Message string
}

func (e *Error) Error() string {
	return C.GoString(C.stet_status_name(e.Status)) + ": " + e.Message
}

// Client is an engine with a completion queue. All methods but Close may be called from any goroutine.
type Client struct {
	model    *C.stet_model
	engine   *C.stet_engine
	queue    *C.stet_cq
	busy     int64
	freed    chan struct{} // a request was completed: there may be room for another
	closing  int32
	polled   chan struct{} // closed when the poller has ended
	mutex    sync.Mutex
	lastTag  uint64
	inFlight map[uint64]*Call // by tag
}

// Call is a request that was accepted.
type Call struct {
	client      *Client
	id, eventID C.uint64_t
	done        chan struct{}
	text        string
	err         *Error
}

func newError() C.stet_error {
	return C.stet_error{struct_size: C.sizeof_stet_error}
}

func asError(status C.stet_status, e *C.stet_error) *Error {
	if status == C.STET_OK {
		return nil
	}
	return &Error{status, C.GoString(&e.message[0])}
}

// cOptions returns memory that C may keep for the call, and what frees it.
func cOptions(pairs ...string) ([]C.stet_option, func()) {
	options := make([]C.stet_option, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		options = append(options, C.stet_option{key: C.CString(pairs[i]), value: C.CString(pairs[i+1])})
	}
	return options, func() {
		for _, o := range options {
			C.free(unsafe.Pointer(o.key))
			C.free(unsafe.Pointer(o.value))
		}
	}
}

// Open loads the model of a folder and starts the goroutine that takes the events.
func Open(folder string) (*Client, *Error) {
	c := &Client{freed: make(chan struct{}, 1), polled: make(chan struct{}), inFlight: map[uint64]*Call{}}
	path := C.CString(folder)
	defer C.free(unsafe.Pointer(path))
	modelOptions, freeModelOptions := cOptions("device", "cpu", "intra_threads", "1")
	defer freeModelOptions()
	options, freeOptions := cOptions("queue_size", "64", "max_decoding_length", "48")
	defer freeOptions()
	e := newError()
	status := C.stet_model_load(path, &modelOptions[0], C.size_t(len(modelOptions)), &c.model, &e)
	if status == C.STET_OK {
		status = C.stet_engine_create(c.model, &options[0], C.size_t(len(options)), &c.engine, &e)
	}
	if status == C.STET_OK {
		status = C.stet_cq_create(&c.queue, &e)
	}
	if status != C.STET_OK {
		c.destroy()
		return nil, asError(status, &e)
	}
	go c.poll()
	return c, nil
}

func (c *Client) destroy() {
	C.stet_engine_destroy(c.engine)
	C.stet_cq_destroy(c.queue)
	C.stet_model_release(c.model)
}

// Close completes what is in flight and frees everything.
func (c *Client) Close() *Error {
	if err := c.Drain(); err != nil {
		return err
	}
	atomic.StoreInt32(&c.closing, 1)
	C.stet_cq_wakeup(c.queue)
	<-c.polled
	check(len(c.inFlight) == 0, "every accepted request has an event")
	c.destroy()
	return nil
}

// Drain refuses new requests and waits for those in flight.
func (c *Client) Drain() *Error {
	e := newError()
	return asError(C.stet_engine_drain(c.engine, 0, &e), &e)
}

// Health is one of C.STET_HEALTH_...
func (c *Client) Health() C.int32_t {
	return C.stet_engine_health(c.engine)
}

// Submit hands in a text; while the engine is busy it waits. The zero time is no deadline.
func (c *Client) Submit(text string, deadline time.Time) (*Call, *Error) {
	call := &Call{client: c, done: make(chan struct{})}
	c.mutex.Lock()
	c.lastTag++
	tag := c.lastTag
	c.inFlight[tag] = call // before handing in: the event may come at once
	c.mutex.Unlock()
	deadlineNs := clockNs(deadline)
	bytes := append([]byte(text), 0) // never without a first byte to point to
	for {
		e := newError()
		var id C.uint64_t
		status := C.submit_one(c.engine, c.queue, (*C.char)(unsafe.Pointer(&bytes[0])), C.size_t(len(text)),
			C.uint64_t(tag), deadlineNs, &id, &e)
		if status == C.STET_OK {
			call.id = id
			return call, nil
		}
		if status != C.STET_E_BUSY {
			c.mutex.Lock()
			delete(c.inFlight, tag)
			c.mutex.Unlock()
			return nil, asError(status, &e)
		}
		atomic.AddInt64(&c.busy, 1)
		select {
		case <-c.freed:
		case <-time.After(time.Duration(e.retry_after_ms) * time.Millisecond):
		}
	}
}

// clockNs is a time of Go on stet's clock.
func clockNs(t time.Time) C.uint64_t {
	if t.IsZero() {
		return 0
	}
	return C.uint64_t(int64(C.stet_clock_ns()) + int64(time.Until(t)))
}

// Cancel ends the call; it has an outcome all the same, which Wait returns.
func (call *Call) Cancel() {
	check(C.stet_cancel(call.client.engine, call.id) == C.STET_OK, "cancelling is always legal")
}

// Wait returns the corrected text.
func (call *Call) Wait() (string, *Error) {
	<-call.done
	check(call.id == call.eventID, "tag and id belong together")
	return call.text, call.err
}

func (c *Client) poll() {
	defer close(c.polled)
	events := make([]C.stet_event, 16) // a call into C costs more than one of Go: take many at once
	for {
		// Read before the queue is, which is complete when it says yes: so no event is missed.
		closing := atomic.LoadInt32(&c.closing) != 0
		wait := C.int64_t(-1)
		if closing {
			wait = 0
		}
		n := C.stet_cq_poll(c.queue, &events[0], C.sizeof_stet_event, C.size_t(len(events)), wait)
		check(n >= 0, "stet_cq_poll succeeds")
		for i := range events[:n] {
			c.complete(&events[i])
		}
		if n == 0 && closing {
			return
		}
		select {
		case c.freed <- struct{}{}:
		default:
		}
	}
}

func (c *Client) complete(event *C.stet_event) {
	c.mutex.Lock()
	call := c.inFlight[uint64(event.tag)]
	delete(c.inFlight, uint64(event.tag))
	c.mutex.Unlock()
	check(call != nil, "an event is for a request in flight, and there is one for each")
	check((event.status == C.STET_OK) == (event.result != nil), "a result comes with success")
	call.eventID = event.id
	if event.status == C.STET_OK {
		call.text = resultText(event.result)
	} else {
		call.err = &Error{event.status, C.GoString(&event.message[0])}
	}
	close(call.done)
}

// resultText copies the text and releases the result.
func resultText(result *C.stet_result) string {
	defer C.stet_result_release(result)
	var length C.size_t
	text := C.stet_result_text(result, &length)
	return C.GoStringN(text, C.int(length))
}

// CorrectBatch waits for all texts together.
func (c *Client) CorrectBatch(texts []string) ([]string, *Error) {
	n := C.size_t(len(texts))
	memory := C.calloc(n, C.sizeof_stet_request)
	defer C.free(memory)
	requests := unsafe.Slice((*C.stet_request)(memory), len(texts))
	for i, text := range texts {
		requests[i] = C.stet_request{struct_size: C.sizeof_stet_request, text: C.CString(text),
			len: C.size_t(len(text))}
		defer C.free(unsafe.Pointer(requests[i].text))
	}
	results := make([]*C.stet_result, len(texts))
	e := newError()
	status := C.stet_correct_batch(c.engine, &requests[0], n, &results[0], nil, &e)
	corrected := make([]string, 0, len(texts))
	for _, result := range results {
		if result != nil {
			corrected = append(corrected, resultText(result))
		}
	}
	return corrected, asError(status, &e)
}

// ---- The test ----

type counts struct {
	done, cancelled, deadline int64
}

func (n *counts) correctOne(c *Client, i int, text, expected string) {
	var deadline time.Time
	switch i % 10 {
	case 3:
		deadline = time.Now().Add(-time.Millisecond)
	case 8:
		deadline = time.Now().Add(300 * time.Microsecond)
	}
	call, err := c.Submit(text, deadline)
	corrected := ""
	if err == nil {
		if i%7 == 6 {
			time.Sleep(time.Duration(i%3) * 300 * time.Microsecond)
			call.Cancel()
		}
		corrected, err = call.Wait()
	}
	switch {
	case err == nil:
		check(i%10 != 3, "what is too late is not done")
		check(corrected == expected, "same as the blocking call")
		atomic.AddInt64(&n.done, 1)
	case err.Status == C.STET_E_CANCELLED && i%7 == 6:
		atomic.AddInt64(&n.cancelled, 1)
	case err.Status == C.STET_E_DEADLINE && !deadline.IsZero():
		atomic.AddInt64(&n.deadline, 1)
	default:
		fail("request %d: %v", i, err)
	}
}

func (n *counts) correctAll(c *Client, lines, expected []string) {
	var group sync.WaitGroup
	numbers := make(chan int)
	for w := 0; w < workers; w++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range numbers {
				n.correctOne(c, i, lines[i%len(lines)], expected[i%len(lines)])
			}
		}()
	}
	for i := 0; i < calls; i++ {
		numbers <- i
	}
	close(numbers)
	group.Wait()
}

func readLines(path string) []string {
	data, err := os.ReadFile(path)
	if err != nil {
		fail("%v", err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func main() {
	time.AfterFunc(timeout, func() { fail("not ready after %v", timeout) })
	if len(os.Args) != 3 {
		fail("usage: client_cgo MODEL SENTENCES")
	}
	lines := readLines(os.Args[2])
	c, err := Open(os.Args[1])
	if err != nil {
		fail("%v", err)
	}
	check(c.Health() == C.STET_HEALTH_READY, "a new engine is ready")
	expected, err := c.CorrectBatch(lines)
	if err != nil {
		fail("%v", err)
	}
	changed := 0
	for i := range lines {
		if lines[i] != expected[i] {
			changed++
		}
	}
	check(changed >= 5, "the model changes enough for a comparison")
	var n counts
	n.correctAll(c, lines, expected)
	check(c.Drain() == nil && c.Health() == C.STET_HEALTH_DRAINING, "the engine drains")
	_, err = c.Submit("Bace.", time.Time{})
	check(err != nil && err.Status == C.STET_E_SHUTDOWN, "a drained engine accepts nothing")
	if err := c.Close(); err != nil {
		fail("%v", err)
	}
	check(n.done+n.cancelled+n.deadline == calls, "one outcome for each request")
	check(n.done > 0 && n.cancelled > 0 && n.deadline > 0 && c.busy > 0, "all cases came up")
	fmt.Printf("ok: %d done, %d cancelled, %d deadline, %d busy\n", n.done, n.cancelled, n.deadline, c.busy)
}
