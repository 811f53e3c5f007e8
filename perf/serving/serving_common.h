/* serving_common.h - what the serving benchmarks share: text, engines, samples of times. */
#ifndef SERVING_COMMON_H
#define SERVING_COMMON_H

#include <stddef.h>
#include <stdint.h>

#include "stet.h"

struct lines {
    char *data;
    const char **text;
    size_t *len;
    size_t n;
};

/* Reads a file; empty lines are left out. Ends the programme with a message where it cannot. */
void lines_read(struct lines *l, const char *path);
void lines_free(struct lines *l);

struct samples {
    double *value;
    size_t n, cap;
};

void samples_add(struct samples *s, double value);
/* Sorts. p in 0 .. 1; 0 without samples. */
double samples_percentile(struct samples *s, double p);
void samples_free(struct samples *s);

stet_model *model_or_exit(const char *path, const char *threads);
/* options: key, value, key, value, NULL */
stet_engine *engine_or_exit(stet_model *m, const char *const *options);
stet_cq *queue_or_exit(void);
void exit_with(const char *what, const stet_error *err);
stet_stats engine_stats(stet_engine *g);
stet_request request_of(const struct lines *l, size_t i, uint64_t tag);

#endif
