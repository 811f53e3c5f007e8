/* cuda_sdpa.h - attention that a library makes (sdpa.h) in place of the kernel `attention`.
 *
 * It is meant for models that compute in bfloat16: queries, keys and values are rounded to it,
 * which those of other models must not be. The contract of backend.h comes first: for a number of
 * heads and their length the library makes either all attention of the kinds that are given to it
 * or none, small batches included. Which of both is decided once, before its first use in a
 * context, by a probe that looks only at the device and the library, so that all contexts on a
 * device decide alike. What does not fit a plan is decided by the row alone: more than
 * STETI_SDPA_KEYS keys, a tail of keys, or a bias leave it to the kernel.
 *
 * RECORDED PASSES. Which rows go together is read from the host's row arrays at every call, and the
 * replay of a recording has no such call. So an op that the library makes, or of which that is not
 * decided yet, calls a recording off (STET_E_CANCELLED): recorded with the kernel it would have
 * other bits than in the passes that are not recorded.
 */
#ifndef STETI_CUDA_SDPA_H
#define STETI_CUDA_SDPA_H

#include "cuda_internal.h"
#include "sdpa.h"

#define STETI_SDPA_KEYS 256    /* most keys of a row, and rows of an entry */
#define STETI_SDPA_ENTRIES 128 /* most entries of a call */
#define STETI_SDPA_PLANS 4     /* {8, 128} entries, {64, 256} keys */

/* cuDNN's tiles of 64 rows, 64 keys and 64 elements: the one kernel that takes all shapes on sm_80
 * and sm_90. */
#define STETI_SDPA_ENGINE 8
#define STETI_SDPA_KERNEL 3

struct steti_cuda_sdpa_options {
    const struct steti_sdpa *library;
    const char *cache_folder; /* where plans are kept, or NULL; copied */
    unsigned kinds;           /* of attention: bits 1 << enum steti_attention_kind */
    int unprobed;             /* for tests of the tests: take the library on trust */
};

/* Heads of one length, and what was decided about them. */
struct steti_sdpa_use {
    struct steti_sdpa_use *next;
    int heads, head_dim;
    int accepted;
    struct steti_sdpa_plan *plan[STETI_SDPA_PLANS]; /* see steti_sdpa_plan_shape */
};

#define STETI_SDPA_SECTION (STETI_SDPA_ENTRIES + 16)
struct steti_cuda_sdpa {
    struct steti_cuda_sdpa_options o; /* cache_folder is owned */
    int is_open;
    struct steti_sdpa_context *library; /* NULL: not opened, or it cannot be */
    char failure[200];                  /* why it cannot be */
    struct steti_sdpa_use *uses;
    /* Of the call being made: rows, keys, row_begin, key_begin, key_source. */
    int32_t numbers[5 * STETI_SDPA_SECTION];
};

/* Lets a context use a library; before its first op. STET_E_NOMEM. */
stet_status steti_cuda_use_sdpa(struct steti_backend *b, const struct steti_cuda_sdpa_options *o,
                                stet_error *err);
void steti_cuda_free_sdpa(struct steti_backend *b);

/* What scratch must have at least for the rows, when a context may use a library. */
size_t steti_cuda_sdpa_bytes(const struct steti_backend *b, size_t ld, int max_keys);

/* 1 for an op that may go to the library: whether it does is decided at its first call. */
int steti_cuda_sdpa_takes(const struct steti_backend *b, const struct steti_attention_params *p);
/* Such an op. */
stet_status steti_cuda_sdpa_op(struct steti_backend *b, const struct steti_attention_params *p,
                               stet_error *err);
/* The kernel, for any op; arguments have been checked. */
stet_status steti_cuda_own_attention(struct steti_backend *b,
                                     const struct steti_attention_params *p, stet_error *err);

/* ---- Its parts ------------------------------------------------------------------------------- */

struct steti_sdpa_shape steti_sdpa_plan_shape(const struct steti_sdpa_use *use, int i);
/* The plan for this many entries of at most so many rows and keys. */
int steti_sdpa_plan_for(int entries, int most);

/* The decision about heads like these; NULL: there is none yet. */
const struct steti_sdpa_use *steti_sdpa_decided(const struct steti_backend *b,
                                                const struct steti_attention_params *p);
/* Makes it. On failure none was made. */
stet_status steti_sdpa_decide(struct steti_backend *b, const struct steti_attention_params *p,
                              const struct steti_sdpa_use **out, stet_error *err);

/* STET_E_NOMEM, or STET_E_DEVICE after which the context cannot be used; never STET_OK. */
stet_status steti_sdpa_failed(struct steti_backend *b, int code, const char *call, stet_error *err);

/* Makes use->plan[i], or takes it from the cache folder. *why stays "" or says why there is none.
 * Files that are of no use are replaced; failing to read or write one is a log line. */
#define STETI_SDPA_WHY 200
stet_status steti_sdpa_get_plan(struct steti_backend *b, struct steti_sdpa_use *use, int i,
                                char why[STETI_SDPA_WHY], stet_error *err);

/* Runs use->plan[] on random data: every row must have the same bits alone, with other rows of its
 * sentence and without, among other sentences, at other places, beside NaN and in every plan, and
 * be near what plain sums give. *why stays "" or says what is not so. */
stet_status steti_sdpa_probe(struct steti_backend *b, const struct steti_sdpa_use *use,
                             char why[STETI_SDPA_WHY], stet_error *err);

#endif
