/* Sentences one at a time, in lock-step batches and in continuous batching, by the same engine code
 *
 *   bench_serving MODEL TEXT IN_FLIGHT WINDOW MODE
 *
 * MODE: single (one request at a time), lock_step (IN_FLIGHT requests, then wait for all of them),
 * continuous (always IN_FLIGHT requests), check (all modes give the same text and score bits),
 * answers (writes the corrected lines), ended (writes the lines whose output ended by itself).
 * WINDOW: option draft_window. Writes one line of key=value pairs. One run warms up before the one
 * that counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serving_common.h"

struct bench {
    struct lines lines;
    stet_engine *engine;
    stet_cq *cq;
    size_t in_flight;
    uint64_t *submitted; /* [lines] ns */
    struct samples ms;
    stet_result **results; /* [lines], kept where not NULL */
};

static void submit(struct bench *b, size_t i)
{
    stet_error err = {.struct_size = sizeof err};
    stet_request r = request_of(&b->lines, i, i);
    b->submitted[i] = stet_clock_ns();
    if (stet_submit(b->engine, b->cq, &r, 1, NULL, NULL, &err) != STET_OK) {
        exit_with("submit", &err);
    }
}

static void keep(struct bench *b, size_t i, stet_result *result)
{
    if (b->results != NULL) {
        b->results[i] = result;
    } else {
        stet_result_release(result);
    }
}

/* Takes what is done; returns how many. */
static size_t take(struct bench *b)
{
    stet_event ev[64];
    int64_t n = stet_cq_poll(b->cq, ev, sizeof ev[0], 64, -1);
    for (int64_t i = 0; i < n; i++) {
        samples_add(&b->ms, (double)(stet_clock_ns() - b->submitted[ev[i].tag]) / 1e6);
        if (ev[i].status != STET_OK) {
            fprintf(stderr, "line %llu: %s\n", (unsigned long long)ev[i].tag + 1, ev[i].message);
            exit(1);
        }
        keep(b, ev[i].tag, ev[i].result);
    }
    return (size_t)n;
}

static void run_continuous(struct bench *b)
{
    size_t next = 0, done = 0;
    while (done < b->lines.n) {
        while (next < b->lines.n && next - done < b->in_flight) {
            submit(b, next++);
        }
        done += take(b);
    }
}

/* What a caller without a scheduler does: a batch, and the next one when all of it is done. */
static void run_lock_step(struct bench *b)
{
    enum { MOST = 1024 };
    stet_request r[MOST];
    stet_result *results[MOST];
    for (size_t begin = 0; begin < b->lines.n; begin += b->in_flight) {
        stet_error err = {.struct_size = sizeof err};
        size_t left = b->lines.n - begin, n = left < b->in_flight ? left : b->in_flight;
        uint64_t start = stet_clock_ns();
        for (size_t i = 0; i < n; i++) {
            r[i] = request_of(&b->lines, begin + i, begin + i);
        }
        if (stet_correct_batch(b->engine, r, n, results, NULL, &err) != STET_OK) {
            exit_with("correct", &err);
        }
        for (size_t i = 0; i < n; i++) {
            samples_add(&b->ms, (double)(stet_clock_ns() - start) / 1e6);
            keep(b, begin + i, results[i]);
        }
    }
}

static void run_single(struct bench *b)
{
    for (size_t i = 0; i < b->lines.n; i++) {
        stet_error err = {.struct_size = sizeof err};
        stet_request r = request_of(&b->lines, i, i);
        stet_result *result = NULL;
        uint64_t start = stet_clock_ns();
        if (stet_correct_batch(b->engine, &r, 1, &result, NULL, &err) != STET_OK) {
            exit_with("correct", &err);
        }
        samples_add(&b->ms, (double)(stet_clock_ns() - start) / 1e6);
        keep(b, i, result);
    }
}

static void open_bench(struct bench *b, stet_model *m, const char *in_flight, const char *window,
                       const char *scores)
{
    const char *options[] = {"batch_size", in_flight, "draft_window", window, "queue_size",
                             "4096",       "scores",  scores,         NULL};
    b->in_flight = strtoul(in_flight, NULL, 10);
    b->engine = engine_or_exit(m, options);
    b->cq = queue_or_exit();
    b->submitted = calloc(b->lines.n, sizeof *b->submitted);
}

static void close_bench(struct bench *b)
{
    stet_engine_destroy(b->engine);
    stet_cq_destroy(b->cq);
    samples_free(&b->ms);
    free(b->submitted);
}

static void measure(struct bench *b, const char *mode, void (*run)(struct bench *))
{
    stet_stats before, after;
    uint64_t start;
    double seconds;
    run(b);
    samples_free(&b->ms);
    before = engine_stats(b->engine);
    start = stet_clock_ns();
    run(b);
    seconds = (double)(stet_clock_ns() - start) / 1e9;
    after = engine_stats(b->engine);
    printf("mode=%s in_flight=%zu sentences=%zu per_second=%.1f p50=%.3f p95=%.3f p99=%.3f "
           "batch_passes=%llu encoder_calls=%llu passes=%llu\n",
           mode, b->in_flight, b->lines.n, (double)b->lines.n / seconds,
           samples_percentile(&b->ms, 0.50), samples_percentile(&b->ms, 0.95),
           samples_percentile(&b->ms, 0.99),
           (unsigned long long)(after.batch_passes - before.batch_passes),
           (unsigned long long)(after.encoder_calls - before.encoder_calls),
           (unsigned long long)(after.passes - before.passes));
}

/* 1 when text and score bits are equal. */
static int is_equal(const stet_result *a, const stet_result *b)
{
    size_t na, nb;
    const char *ta = stet_result_text(a, &na), *tb = stet_result_text(b, &nb);
    stet_sentence sa, sb;
    int64_t ka = stet_result_sentences(a, &sa, sizeof sa, 0, 1);
    int64_t kb = stet_result_sentences(b, &sb, sizeof sb, 0, 1);
    if (na != nb || memcmp(ta, tb, na) != 0 || ka != kb) {
        return 0;
    }
    return ka < 1 || (memcmp(&sa.score, &sb.score, sizeof sa.score) == 0 &&
                      sa.output_tokens == sb.output_tokens);
}

static void run_kept(struct bench *b, stet_model *m, const char *in_flight, const char *window,
                     void (*run)(struct bench *))
{
    open_bench(b, m, in_flight, window, "1");
    b->results = calloc(b->lines.n, sizeof(void *));
    run(b);
    close_bench(b);
}

static void check(const char *text, stet_model *m, const char *in_flight, const char *window)
{
    struct bench one = {0}, many = {0}, steps = {0};
    size_t differ = 0;
    lines_read(&one.lines, text);
    many.lines = steps.lines = one.lines;
    run_kept(&one, m, "1", window, run_single);
    run_kept(&many, m, in_flight, window, run_continuous);
    run_kept(&steps, m, in_flight, window, run_lock_step);
    for (size_t i = 0; i < one.lines.n; i++) {
        differ += !is_equal(one.results[i], many.results[i]);
        differ += !is_equal(one.results[i], steps.results[i]);
        stet_result_release(one.results[i]);
        stet_result_release(many.results[i]);
        stet_result_release(steps.results[i]);
    }
    printf("mode=check in_flight=%s sentences=%zu differ=%zu\n", in_flight, one.lines.n, differ);
    free(one.results);
    free(many.results);
    free(steps.results);
    lines_free(&one.lines);
}

/* The corrected lines, or the lines themselves but those whose output was cut. */
static void write_lines(struct bench *b, int ended)
{
    b->results = calloc(b->lines.n, sizeof(void *));
    run_continuous(b);
    for (size_t i = 0; i < b->lines.n; i++) {
        size_t n = b->lines.len[i];
        const char *text = b->lines.text[i];
        stet_stats s = {.struct_size = sizeof s};
        if (!ended) {
            text = stet_result_text(b->results[i], &n);
        }
        stet_result_stats(b->results[i], &s);
        if (!ended || s.unfinished == 0) {
            fwrite(text, 1, n, stdout);
            putchar('\n');
        }
        stet_result_release(b->results[i]);
    }
    free(b->results);
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    stet_model *m;
    if (argc != 6) {
        fprintf(stderr, "usage: bench_serving MODEL TEXT IN_FLIGHT WINDOW "
                        "single|lock_step|continuous|check|answers|ended\n");
        return 1;
    }
    m = model_or_exit(argv[1], "2");
    if (strcmp(argv[5], "check") == 0) {
        check(argv[2], m, argv[3], argv[4]);
        stet_model_release(m);
        return 0;
    }
    lines_read(&b.lines, argv[2]);
    open_bench(&b, m, argv[3], argv[4], "0");
    if (strcmp(argv[5], "single") == 0) {
        measure(&b, "single", run_single);
    } else if (strcmp(argv[5], "lock_step") == 0) {
        measure(&b, "lock_step", run_lock_step);
    } else if (strcmp(argv[5], "continuous") == 0) {
        measure(&b, "continuous", run_continuous);
    } else {
        write_lines(&b, strcmp(argv[5], "ended") == 0);
    }
    close_bench(&b);
    lines_free(&b.lines);
    stet_model_release(m);
    return 0;
}
