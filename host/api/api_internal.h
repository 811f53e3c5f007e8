/* api_internal.h - what stands behind the opaque handles. Private to host/api. */
#ifndef STETI_API_INTERNAL_H
#define STETI_API_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "api_budget.h"
#include "api_options.h"
#include "edits.h"
#include "engine.h"
#include "misspellings.h"
#include "model.h"
#include "piece_table.h"
#include "sentences.h"
#include "tokenizer.h"

/* The weights on another device than the first. */
struct api_replica {
    struct steti_backend *backend;
    struct steti_model *net;
};

struct stet_model {
    _Atomic uint32_t refs;
    struct api_options options;
    const struct steti_backend_ops *ops;
    struct steti_backend *backend; /* of the first device: packed the weights, runs nothing */
    struct steti_tokenizer *tokenizer;
    struct piece_table pieces;
    struct steti_folder_settings settings;
    struct steti_misspellings misspellings;
    struct steti_model *net;      /* on the first device */
    struct api_replica *replicas; /* [n_replicas] of the other devices, or 0: they see `net` */
    int n_replicas;
    size_t bytes; /* that it holds, on all devices */
};

struct api_sentence {
    stet_sentence out;
    uint32_t seq; /* place in the request */
    size_t first_edit, n_edits;
};

struct stet_result {
    _Atomic uint32_t refs;
    struct steti_buf source, text;
    struct steti_buf prompt;  /* of its request, while that is in flight */
    struct steti_edits edits; /* offsets in source */
    size_t *out_begin;        /* [edits] where each edit's text stands in the corrected text */
    float *edit_score;        /* [edits] */
    uint32_t *edit_sentence;  /* [edits] */
    size_t cap_edits;
    struct api_sentence *sentences; /* in the order they were done, after result_seal of the text */
    size_t n_sentences, cap_sentences;
    int32_t *tokens; /* of a request of tokens: the source, after it is done the output */
    size_t n_tokens;
    stet_stats stats;
    /* On the way to the caller */
    struct stet_result *next;
    uint64_t id, tag;
    stet_status status;
    char message[sizeof((stet_event *)0)->message];
    struct api_budget *budget;
    size_t charged; /* bytes taken from the budget; at least: */
    int64_t held;   /* bytes of its blocks, and of its request's list of sentences */
};

/* Opens the pieces of a model; used by load and inspect. `what` receives how far it came. */
stet_status api_model_open(const char *path, const struct api_options *o, stet_model **out,
                           stet_error *err);
void api_model_close(stet_model *m);

/* Devices are numbers 0 .. options.devices.n - 1. The weights that device i sees; how an engine
 * opens it: the threads are shared out; and a context there of its own, which knows these weights.
 */
const struct steti_model *api_model_net(const stet_model *m, int i);
struct steti_backend_options api_device_options(const stet_model *m, int i);
stet_status api_context_open(const stet_model *m, int i, struct steti_backend **out,
                             stet_error *err);
size_t api_model_weight_bytes(const stet_model *m); /* on all devices */

/* The engine that follows from the options, the model and the device. */
struct api_plan {
    struct steti_engine_options engine;
    struct steti_around around; /* what engine.around points to */
    size_t bytes; /* that it reserves on all devices, requests' texts and results not counted */
};

/* Fills in what the options leave open and checks lengths and memory_limit; `backend` is the
 * context of the first device. STET_E_INVALID, STET_E_NOMEM. */
stet_status api_plan_engine(const stet_model *m, struct api_options *o,
                            const struct steti_backend *backend, struct api_plan *plan,
                            stet_error *err);
/* The smallest memory_limit for an engine of `engine` bytes: what is needed whatever requests come,
 * and the least that these must have. */
size_t api_least_memory(const stet_model *m, const struct api_options *o, size_t engine);
int api_threads(const struct api_options *o);

/* A handle exists, or will in a moment: it is too late for hooks. */
void api_close_hooks(void);

/* An error for calls that got no usable one. Returns err, or `local` when err is NULL. */
stet_error *api_error(stet_error *err, stet_error *local);

/* Hands a report to the caller: at most cap bytes, NUL included; *needed (may be NULL) is its whole
 * length. */
void api_copy_report(const struct steti_buf *b, char *buf, size_t cap, size_t *needed);

/* ---- Results (result.c, result_build.c) ---- */

void result_free_contents(stet_result *r);
/* Forgets the sentences that were added; its source stays. */
void result_restart(stet_result *r);

/* These three may be called again after STET_E_NOMEM.
 *
 * Adds the edits of one sentence; sentences may come in any order. */
struct result_sentence {
    const struct steti_tokenizer *tokenizer;
    size_t begin, end;                /* in the source */
    uint32_t seq;                     /* 0, 1, ..: its place among the request's sentences */
    const struct steti_piece *pieces; /* of the sentence alone, without a prompt */
    size_t n_pieces;
    int is_mended;         /* the model read it without its misspellings: */
    const int32_t *mended; /* [n_mended] these tokens, not the pieces; NULL: not known */
    size_t n_mended;
    const struct steti_job *job; /* logprob may be NULL */
    float min_edit_score;        /* edits of a lower score are not made */
};
stet_status result_add_sentence(stet_result *r, const struct result_sentence *s, stet_error *err);
/* The output of a request of tokens. */
stet_status result_set_tokens(stet_result *r, const struct steti_job *job, stet_error *err);
/* Puts the sentences in order, applies the edits and makes the corrected text. */
stet_status result_seal(stet_result *r, stet_error *err);

/* ---- What results may hold (result_budget.c) ---- */

/* An empty result, charged for what it is expected to hold. STET_E_BUSY: the budget is used up;
 * STET_E_TOO_LONG: it would be too small even when empty. */
struct result_source {
    const char *text; /* copied */
    size_t len;
    const int32_t *tokens; /* or these */
    size_t n_tokens;
    const char *prompt; /* copied, with its NUL; may be NULL */
};
stet_status result_new(const struct result_source *source, struct api_budget *budget,
                       stet_result **out, stet_error *err);

/* Something that allocates for a result and can be tried again after STET_E_NOMEM. */
struct result_step {
    stet_status (*run)(void *ctx, stet_error *err);
    void *ctx;
    size_t working;   /* bytes that it may use besides what the result was charged for */
    int is_temporary; /* what it allocates does not stay, or is not the result's */
};
/* Runs a step so that it cannot allocate more than is charged for, and charges more where that is
 * not enough. STET_E_BUSY: the budget is used up; STET_E_TOO_LONG: it would be too small even
 * when empty. */
stet_status result_run(stet_result *r, const struct result_step *step, stet_error *err);
/* Charges for so many bytes more than it holds now. Fails likewise. */
stet_status result_expect(stet_result *r, size_t more, stet_error *err);

/* Blocks of it were freed or taken on this thread since its balance was `before`. */
void result_note(stet_result *r, int64_t before);
/* It grows no more. */
void result_settle(stet_result *r);
/* The caller has it now. */
void result_uncharge(stet_result *r);
/* A failed request: frees everything but the message. */
void result_strip(stet_result *r);

#endif
