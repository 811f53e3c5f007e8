#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "alloc.h"
#include "clock.h"

#if defined(__x86_64__) || defined(__i386__)
#define cpu_relax() __builtin_ia32_pause()
#else
#define cpu_relax() atomic_signal_fence(memory_order_seq_cst)
#endif

/* How often a waiting thread looks before it sleeps: some tens of microseconds. */
#define SPIN_LIMIT 4000
#define NS_PER_S 1000000000u
#define LOOK_AROUND 64 /* spins between looks at where the others run */

/* A worker that shares a processor with the caller moves to another one, at most this often. */
#define MOVE_NS 1000000u

struct worker_arg {
    struct steti_pool *pool;
    int index;
    uint64_t moved_ns;
    _Atomic int cpu; /* where it last began a part */
};

/* A loop is published by raising `epoch`; each worker with index < n_parts runs its part and lowers
 * `pending`. `sleepers` is only touched under the mutex, so a worker cannot miss the epoch it goes
 * to sleep on. */
struct steti_pool {
    int n_threads; /* the caller included */
    int started;
    pthread_t *threads;
    struct worker_arg *args; /* [n_threads] */
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int sleepers;
    _Atomic uint32_t epoch;
    _Atomic int pending;
    _Atomic int stop;
    _Atomic int caller_cpu; /* processor that the caller was on when the loop began */
    int may_move;           /* there is more than one processor */
    steti_pool_fn fn;
    void *ctx;
    int n_parts;
};

int steti_thread_start(pthread_t *thread, void *(*main)(void *), void *arg)
{
    sigset_t all, before;
    int rc;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(thread, NULL, main, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int steti_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc != 0) {
        return rc;
    }
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    rc = pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
    return rc;
}

int steti_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t end_ns)
{
    struct timespec until = {.tv_sec = (time_t)(end_ns / NS_PER_S),
                             .tv_nsec = (long)(end_ns % NS_PER_S)};
    return pthread_cond_timedwait(cond, lock, &until);
}

static void sleep_until(struct steti_pool *p, uint32_t seen)
{
    pthread_mutex_lock(&p->mutex);
    p->sleepers++;
    while (atomic_load(&p->epoch) == seen) {
        pthread_cond_wait(&p->wake, &p->mutex);
    }
    p->sleepers--;
    pthread_mutex_unlock(&p->mutex);
}

/* A scheduler may wake a worker on the caller's processor and leave it there for a while. Then each
 * spins while the other wants to run, and a loop takes ten times as long as on one thread. */
static int shares_cpu(const struct steti_pool *p)
{
    return sched_getcpu() == atomic_load_explicit(&p->caller_cpu, memory_order_relaxed);
}

/* Away from this processor, to any other that the thread may use. */
static void move_away(struct worker_arg *w)
{
    cpu_set_t may, others;
    uint64_t now = steti_now(steti_clock_system());
    if (!w->pool->may_move || now - w->moved_ns < MOVE_NS) {
        return;
    }
    w->moved_ns = now;
    if (sched_getaffinity(0, sizeof may, &may) != 0) {
        return;
    }
    others = may;
    CPU_CLR(sched_getcpu(), &others);
    if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0) {
        sched_setaffinity(0, sizeof may, &may);
    }
}

static void wait_for_epoch(struct steti_pool *p, uint32_t seen)
{
    for (int i = 0; i < SPIN_LIMIT; i++) {
        if (atomic_load_explicit(&p->epoch, memory_order_acquire) != seen) {
            return;
        }
        if (i % LOOK_AROUND == 0 && shares_cpu(p)) {
            sched_yield(); /* the caller cannot publish while this thread spins in its place */
        } else {
            cpu_relax();
        }
    }
    sleep_until(p, seen);
}

static void *worker_main(void *raw)
{
    struct worker_arg *w = raw;
    struct steti_pool *p = w->pool;
    uint32_t seen = 0;
    for (;;) {
        wait_for_epoch(p, seen);
        seen++;
        if (atomic_load(&p->stop)) {
            return NULL;
        }
        if (w->index < p->n_parts) {
            if (shares_cpu(p)) {
                move_away(w);
            }
            atomic_store_explicit(&w->cpu, sched_getcpu(), memory_order_relaxed);
            p->fn(p->ctx, w->index, p->n_parts);
        }
        atomic_fetch_sub_explicit(&p->pending, 1, memory_order_release);
    }
}

static stet_status start_worker(struct steti_pool *p, int index, stet_error *err)
{
    struct worker_arg *arg = &p->args[index];
    int rc;
    arg->pool = p;
    arg->index = index;
    atomic_store(&arg->cpu, -1);
    rc = steti_thread_start(&p->threads[index], worker_main, arg);
    if (rc != 0) {
        return steti_fail(err, STET_E_DEVICE, "thread %d of %d cannot be started: %s", index + 1,
                          p->n_threads, strerror(rc));
    }
    p->started = index;
    return STET_OK;
}

stet_status steti_pool_open(int n_threads, struct steti_pool **out, stet_error *err)
{
    struct steti_pool *p;
    stet_status st = STET_OK;
    *out = NULL;
    if (n_threads < 1 || n_threads > 1024) {
        return steti_fail(err, STET_E_INVALID, "%d threads: expected 1 to 1024", n_threads);
    }
    p = steti_calloc(1, sizeof *p);
    if (p == NULL) {
        return steti_fail_nomem(err, "a thread pool", sizeof *p);
    }
    p->n_threads = n_threads;
    p->may_move = steti_cpu_count() > 1;
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->threads = steti_calloc((size_t)n_threads, sizeof *p->threads);
    p->args = steti_calloc((size_t)n_threads, sizeof *p->args);
    if (p->threads == NULL || p->args == NULL) {
        st = steti_fail_nomem(err, "a thread pool", (size_t)n_threads * sizeof *p->threads);
    }
    for (int i = 1; i < n_threads && st == STET_OK; i++) {
        st = start_worker(p, i, err);
    }
    if (st != STET_OK) {
        steti_pool_close(p);
        return st;
    }
    *out = p;
    return STET_OK;
}

static void publish(struct steti_pool *p)
{
    pthread_mutex_lock(&p->mutex);
    atomic_fetch_add_explicit(&p->epoch, 1, memory_order_release);
    if (p->sleepers > 0) {
        pthread_cond_broadcast(&p->wake);
    }
    pthread_mutex_unlock(&p->mutex);
}

void steti_pool_close(struct steti_pool *p)
{
    if (p == NULL) {
        return;
    }
    if (p->started > 0) {
        atomic_store(&p->stop, 1);
        publish(p);
        for (int i = 1; i <= p->started; i++) {
            pthread_join(p->threads[i], NULL);
        }
    }
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->mutex);
    steti_free(p->args);
    steti_free(p->threads);
    steti_free(p);
}

int steti_pool_threads(const struct steti_pool *p)
{
    return p->n_threads;
}

/* Whether a worker is, as far as is known, on the processor that the caller spins on. */
static int is_in_the_way(const struct steti_pool *p)
{
    int cpu = sched_getcpu();
    for (int i = 1; i < p->n_parts; i++) {
        if (atomic_load_explicit(&p->args[i].cpu, memory_order_relaxed) == cpu) {
            return 1;
        }
    }
    return 0;
}

void steti_pool_run(struct steti_pool *p, steti_pool_fn fn, void *ctx, int n_parts)
{
    if (n_parts <= 1 || p->n_threads == 1) {
        for (int i = 0; i < n_parts; i++) {
            fn(ctx, i, n_parts);
        }
        return;
    }
    p->fn = fn;
    p->ctx = ctx;
    p->n_parts = n_parts;
    atomic_store_explicit(&p->pending, p->n_threads - 1, memory_order_relaxed);
    atomic_store_explicit(&p->caller_cpu, sched_getcpu(), memory_order_relaxed);
    publish(p);
    fn(ctx, 0, n_parts);
    for (int spins = 0; atomic_load_explicit(&p->pending, memory_order_acquire) != 0; spins++) {
        if (spins >= SPIN_LIMIT || (spins % LOOK_AROUND == 0 && is_in_the_way(p))) {
            sched_yield(); /* let the worker run */
        } else {
            cpu_relax();
        }
    }
}

int steti_cpu_count(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 ? n : 1;
}
