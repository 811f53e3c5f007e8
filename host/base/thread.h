/* thread.h - a small pool that runs one parallel loop at a time.
 *
 * The caller takes part in the work. Workers spin for a bounded while after a loop (a hand-off
 * costs tens of nanoseconds then) and sleep afterwards (a wake-up costs tens of microseconds), so
 * an idle engine uses no processor time.
 */
#ifndef STETI_THREAD_H
#define STETI_THREAD_H

#include <pthread.h>
#include <stdint.h>

#include "status.h"

/* Starts a thread that receives no signal: the host program's handlers run on its own threads.
 * Returns 0 or what pthread_create says. */
int steti_thread_start(pthread_t *thread, void *(*main)(void *), void *arg);

/* A condition variable whose timed waits count by steti_clock_system(). 0 or an error number. */
int steti_cond_init(pthread_cond_t *cond);
/* Until a signal or the clock shows end_ns: then ETIMEDOUT. */
int steti_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t end_ns);

struct steti_pool;

/* One part of a loop. `part` is 0 .. n_parts - 1. Must not fail and must not call
 * steti_pool_run. */
typedef void (*steti_pool_fn)(void *ctx, int part, int n_parts);

/* n_threads >= 1, the caller included; 1 starts no thread. */
stet_status steti_pool_open(int n_threads, struct steti_pool **out, stet_error *err);
void steti_pool_close(struct steti_pool *p); /* NULL is legal; joins the threads */
int steti_pool_threads(const struct steti_pool *p);

/* Calls fn(ctx, i, n_parts) for every i and returns when all are done. n_parts <= threads.
 * One caller at a time. What the caller wrote before is seen by all parts, and the other way
 * round. */
void steti_pool_run(struct steti_pool *p, steti_pool_fn fn, void *ctx, int n_parts);

/* Processors this process may run on (affinity mask), at least 1. */
int steti_cpu_count(void);

#endif
