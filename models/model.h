/* model.h - weights bound to a backend, and the forward passes over them.
 *
 * steti_model   spec and packed weights; read-only after opening, shared by sessions on any thread.
 * steti_session one engine's working memory on one backend context: activations and the key/value
 * cache.
 *
 * Rows are packed: a batch is a list of tokens, each with its sentence, and no padding.
 *
 * Where the backend has recordings, passes use them. What they give is the same. To do without,
 * open the model with a table of functions that has none (record_begin and the other three NULL).
 */
#ifndef STETI_MODEL_H
#define STETI_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h"
#include "kv_cache.h"
#include "spec.h"
#include "weights.h"

struct steti_model;

struct steti_model_options {
    const struct steti_backend_ops *ops;
    struct steti_backend *backend; /* packs the weights; must outlive the model */
    enum steti_dtype compute;      /* STETI_F32, STETI_I8; STETI_BF16 where the backend has it */
    int max_positions;             /* rows of the position table to keep; 0 = all the spec has */
    /* NULL, or [steti_weights_count]: receives what each tensor is for, enum steti_weight_use */
    uint8_t *uses;
};

/* Binds every tensor of the family by name. STET_E_MODEL: a tensor is missing, unknown or has
 * another shape (message: name, expected and found). The weights may be closed afterwards; `folder`
 * is for messages. */
stet_status steti_model_open(const struct steti_spec *spec, const struct steti_weights *weights,
                             const char *folder, const struct steti_model_options *o,
                             struct steti_model **out, stet_error *err);
void steti_model_close(struct steti_model *m); /* NULL is legal */

#define STETI_MODEL_MAX_COPIES 255
struct steti_model_copies {
    struct steti_peers *peers; /* of the model's context and these, in this order */
    struct steti_backend *backends[STETI_MODEL_MAX_COPIES];
    int n; /* may be 0: then what the peers have is only gone through */
};
/* The same model in other contexts: out[0 .. n), with the weights copied from device to device.
 * They are to be closed before `m`. On failure there are none. */
stet_status steti_model_copy(const struct steti_model *m, const struct steti_model_copies *to,
                             struct steti_model **out, stet_error *err);
const struct steti_spec *steti_model_spec(const struct steti_model *m);
int steti_model_max_positions(const struct steti_model *m);
/* Memory of the backend that it holds besides matrices. */
size_t steti_model_vector_bytes(const struct steti_model *m);
const struct steti_backend_ops *steti_model_ops(const struct steti_model *m);
/* Element type that the folder's weights have: STETI_I8 for a quantised folder, else as stored. */
enum steti_dtype steti_model_stored_type(const struct steti_weights *w);

struct steti_session_limits {
    int max_rows;         /* rows of one encode or decode call */
    int n_slots;          /* sentences in flight */
    int max_src, max_tgt; /* tokens of one sentence, end-of-sentence and start token included */
    int max_side;         /* rows of one sentence's side branches; 0: there are none */
};

/* Passes that have recordings of their own (recorded.h), each for every bucket of rows. */
enum steti_pass { STETI_PASS_ENCODE, STETI_PASS_DECODE, STETI_PASS_SCORES };
#define STETI_PASSES 3
#define STETI_BUCKETS 32
struct steti_bucket {
    struct steti_recording *recording; /* NULL: none was made */
    int has_no_memory;                 /* nor will be: its passes run op by op */
    int called_off;                    /* how often an op could not be recorded; twice: as above */
    unsigned passes_then;              /* n_by_ops of the session at that time */
};

struct steti_session {
    const struct steti_model *model;
    const struct steti_backend_ops *ops;
    struct steti_backend *backend;
    struct steti_session_limits limits;
    struct steti_kv_cache kv;
    float *memory;        /* backend: all activations */
    float *x, *y;         /* [max_rows, d] */
    float *qkv, *attn;    /* 3 x [max_rows, inner], [max_rows, inner]; inner = heads * head_dim */
    float *hidden, *gate; /* [max_rows, ffn]; gate NULL where there is none */
    /* relative positions: what is added to the scores of the encoder and the decoder, [heads, span]
     * (relative_bias.h); NULL where there are none */
    float *rel_bias[2];
    int32_t *host;                                 /* all host row arrays */
    int32_t *pos, *map_row;                        /* [max_rows] */
    int32_t *ids, *out_ids;                        /* [max_rows] of passes that are recorded */
    float *out_logprob;                            /* [max_rows] of these, too */
    int32_t *begin, *count;                        /* [max_rows] keys of self-attention */
    int32_t *tail, *tail_count;                    /* [max_rows] the keys that a side branch adds */
    int32_t *cross_begin, *cross_count;            /* [max_rows] keys of cross-attention */
    struct steti_linear_part *parts;               /* [STETI_LINEAR_MAX_PARTS] */
    struct steti_bucket (*buckets)[STETI_BUCKETS]; /* [STETI_PASSES]; NULL without recordings */
    unsigned n_by_ops;                             /* passes that ran op by op; may wrap around */
};

/* Bytes that a session reserves, key/value cache included; 0 when it overflows. */
size_t steti_session_bytes(const struct steti_spec *spec, const struct steti_session_limits *l);
/* Bytes of scratch that the backend reserves for it besides. */
size_t steti_session_scratch_bytes(const struct steti_model *m, const struct steti_backend *backend,
                                   const struct steti_session_limits *l);
stet_status steti_session_open(const struct steti_model *m, struct steti_backend *backend,
                               const struct steti_session_limits *l, struct steti_session *out,
                               stet_error *err);
void steti_session_close(struct steti_session *s); /* legal on a zeroed struct */

/* Runs the encoder over whole sentences and stores the cross keys and values in their slots
 * (acquired, empty). ids[0 .. n_rows): the sentences one after the other, each with its
 * end-of-sentence token. */
struct steti_encode_batch {
    int n_seqs, n_rows;
    const int32_t *ids;   /* [n_rows] */
    const int32_t *len;   /* [n_seqs] rows of each sentence, 1 .. max_src */
    const int32_t *slots; /* [n_seqs] */
};
stet_status steti_model_encode(struct steti_session *s, const struct steti_encode_batch *b,
                               stet_error *err);

/* Runs the decoder over rows of any mix of sentences. Row r reads token ids[r] at position pos[r]
 * of slot slots[r] and predicts position pos[r] + 1. Rows of one slot have consecutive positions
 * that begin at or before the slot's accepted length; all cached rows up to pos[r] are seen.
 * Branches: where side[r] >= 0 the row belongs to another continuation, which leaves the rows above
 * at position fork[r] >= 1; it sees the positions before that and its own branch, whose rows stand
 * at side rows side[r] + position - fork[r]. steti_kv_adopt makes them the accepted ones. Does not
 * change lengths. */
struct steti_decode_batch {
    int n_rows;
    const int32_t *ids, *pos, *slots;  /* [n_rows] */
    int32_t *out_ids;                  /* [n_rows] */
    float *out_logprob;                /* [n_rows] or NULL */
    float *out_logits;                 /* [n_rows, vocab] or NULL */
    const int32_t *fork, *side;        /* [n_rows], or both NULL: no branches */
    const struct steti_adjust *adjust; /* as in struct steti_argmax_params; both NULL: none */
    const int32_t *adjust_begin;       /* [n_rows + 1] */
};
stet_status steti_model_decode(struct steti_session *s, const struct steti_decode_batch *b,
                               stet_error *err);

/* Sets where the keys and values of a slot's sentence are. */
void steti_session_place(const struct steti_session *s, int slot, struct steti_loop_seq *seq);

/* Lets the device make several passes by itself, of at most max_rows rows each: loop_run of the
 * backend, which must have it. The caller fills p but for the recording and its arrays, and sets
 * the lengths of the slots behind it. *done is 0 where there can be no recording: nothing was run.
 * STET_E_CANCELLED: the same for now, but a pass of the decoder, which comes first, may change
 * that. */
stet_status steti_model_loop(struct steti_session *s, struct steti_loop *loop, int max_rows,
                             struct steti_loop_params *p, int *done, stet_error *err);

#endif
