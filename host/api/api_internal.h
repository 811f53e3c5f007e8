/* api_internal.h - what stands behind the opaque handles. Private to host/api. */
#ifndef STETI_API_INTERNAL_H
#define STETI_API_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "api_options.h"
#include "edits.h"
#include "engine.h"
#include "model.h"
#include "piece_table.h"
#include "sentences.h"
#include "tokenizer.h"

struct stet_model {
    _Atomic uint32_t refs;
    struct api_options options;
    const struct steti_backend_ops *ops;
    struct steti_backend *backend; /* packed the weights, runs nothing */
    struct steti_tokenizer *tokenizer;
    struct piece_table pieces;
    struct steti_model *net;
};

struct stet_engine {
    pthread_mutex_t lock; /* one call at a time */
    pthread_cond_t idle;  /* no call is running or waiting */
    _Atomic int callers;  /* running or waiting */
    pid_t pid;
    struct api_options options;
    stet_model *model;
    struct steti_backend *backend;
    struct steti_engine *core;
    size_t memory_bytes;
    stet_stats totals;
};

struct stet_result {
    _Atomic uint32_t refs;
    struct steti_buf source, text;
    struct steti_edits edits; /* offsets in source */
    size_t *out_begin;        /* [edits] where each edit's text stands in the corrected text */
    float *edit_score;        /* [edits] */
    uint32_t *edit_sentence;  /* [edits] */
    size_t cap_edits;
    stet_sentence *sentences;
    size_t n_sentences, cap_sentences;
    stet_stats stats;
};

/* Opens the pieces of a model; used by load and inspect. `what` receives how far it came. */
stet_status api_model_open(const char *path, const struct api_options *o, stet_model **out,
                           stet_error *err);
void api_model_close(stet_model *m);

/* The engine that follows from the options, the model and the device. */
struct api_plan {
    struct steti_engine_options engine;
    size_t bytes; /* that it reserves */
};

/* Fills in what the options leave open and checks lengths and memory_limit. STET_E_INVALID,
 * STET_E_NOMEM. */
stet_status api_plan_engine(const stet_model *m, struct api_options *o,
                            const struct steti_backend *backend, struct api_plan *plan,
                            stet_error *err);
int api_threads(const struct api_options *o);

/* An error for calls that got no usable one. Returns err, or `local` when err is NULL. */
stet_error *api_error(stet_error *err, stet_error *local);

/* Hands a report to the caller: at most cap bytes, NUL included; *needed (may be NULL) is its whole
 * length. */
void api_copy_report(const struct steti_buf *b, char *buf, size_t cap, size_t *needed);

/* Result building (result.c). */
stet_status result_new(const char *text, size_t len, stet_result **out, stet_error *err);
/* Appends the edits of one sentence; logprob may be NULL. */
struct result_sentence {
    const struct steti_tokenizer *tokenizer;
    size_t begin, end; /* in the source */
    const struct steti_piece *pieces;
    size_t n_pieces;
    const int32_t *ids; /* the same pieces as tokens */
    const struct steti_job *job;
};
stet_status result_add_sentence(stet_result *r, const struct result_sentence *s, stet_error *err);
/* Applies the edits and makes the corrected text. */
stet_status result_seal(stet_result *r, stet_error *err);

/* Text of many requests through the engine (correct.c). The lock is held. */
stet_status correct_requests(stet_engine *g, const stet_request *requests, size_t n,
                             stet_result **results, stet_status *statuses, stet_error *err);

#endif
