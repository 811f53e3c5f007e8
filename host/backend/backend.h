/* backend.h - the seam between the decoder and the hardware.
 *
 * THE CONTRACT. A row's result depends on that row alone, and on nothing about the call it is in:
 * not on the number of rows, the batch, the draft width, the row's position in the call, the number
 * of threads, or what stands in other rows (NaN included). The same row gives the same bits.
 * Drafted decoding equals greedy decoding because of this sentence; tests/exact holds every backend
 * to it.
 *
 * Clauses that every op keeps:
 *  1. Matrix products: each output element is summed over K in one fixed order, whatever the shape
 *     of the call. int8: activations are quantised per row to [-127, 127] with scale amax / 127
 *     (round half to even), integer sums are exact, and the result is (float)sum * (row_scale *
 *     weight_scale) + bias. bf16: activations are rounded to bfloat16 (half to even), sums are
 *     float32.
 *  2. Attention: keys are taken by ascending position; K and V are always read back from memory. A
 *     score is scale * sum, rounded, then plus bias. Where a model computes in bf16, a backend may
 *     round q, k, v, the weights of the softmax and the result to bfloat16 (half to even), and go
 *     through keys in tiles: whether it does depends on the device, the kind of attention, the
 *     heads and the row, and on nothing else.
 *  3. Norms and softmax: one fixed reduction tree per row.
 *  4. Argmax on float32 values: the largest value, ties to the lowest id. A NaN among the values is
 *     an error (STET_E_MODEL), never a token.
 *
 * Rules for calls: all pointers in parameter structs belong to this backend's memory unless marked
 * `host`; ops allocate nothing; `host` inputs are read before the call returns; ops may be
 * asynchronous, `sync` waits and reports their failures; one thread at a time per context. Strides
 * (ld...) count elements. n_rows may be 0.
 */
#ifndef STETI_BACKEND_H
#define STETI_BACKEND_H

#include <stddef.h>
#include <stdint.h>

#include "decode_loop.h"
#include "log.h"
#include "status.h"
#include "tensor.h"

#define STETI_BACKEND_API 6

enum steti_act {
    STETI_ACT_NONE,
    STETI_ACT_RELU,
    STETI_ACT_GELU,
    STETI_ACT_GELU_TANH,
    STETI_ACT_SILU
};
enum steti_norm { STETI_NORM_LAYER, STETI_NORM_RMS };

/* A weight matrix [n_out, n_in] in the backend's own layout. Opaque; made by pack_matrix. */
struct steti_matrix;

/* out[r, :] = table[ids[r], :] * scale + positions[pos[r], :] */
struct steti_embed_params {
    int n_rows, d;
    const struct steti_matrix *table; /* [vocab, d] */
    const int32_t *ids;               /* host [n_rows] */
    const int32_t *pos;               /* host [n_rows]; ignored when positions is NULL */
    const float *positions;           /* [max_pos, d] or NULL */
    float scale;
    float *out; /* [n_rows, d] */
};

/* out = norm(x + residual) * gamma + beta, over the last dimension. Variance is biased.
 * STETI_NORM_RMS: no mean, beta ignored. out may be x or residual. */
struct steti_norm_params {
    int n_rows, d;
    enum steti_norm kind;
    float eps;
    const float *x;        /* [n_rows, d] */
    const float *residual; /* [n_rows, d] or NULL */
    const float *gamma;    /* [d] */
    const float *beta;     /* [d] or NULL */
    float *out;            /* [n_rows, d] */
};

/* One product of a linear op:
 * out[row_map[r], :] = act(x[r, :] W^T + bias) * factor[r, :] + residual[r, :]. */
struct steti_linear_part {
    const struct steti_matrix *w; /* [n_out, n_in] */
    const float *bias;            /* [n_out] or NULL */
    /* [n_rows, n_out], row stride ld_factor, or NULL: none; never scattered, not the output */
    const float *factor;
    int64_t ld_factor;
    /* [n_rows, n_out], row stride ld_residual, or NULL; never scattered */
    const float *residual;
    int64_t ld_residual;
    enum steti_act act;
    float *out;
    int64_t ld_out;
    /* host [n_rows]: output row of row r, or NULL for r itself. Distinct. */
    const int32_t *row_map;
};

/* Up to STETI_LINEAR_MAX_PARTS products of the same rows (q, k and v; the k and v of all
 * layers). */
#define STETI_LINEAR_MAX_PARTS 64
struct steti_linear_params {
    int n_rows, n_in;
    const float *x; /* [n_rows, n_in] */
    int n_parts;
    const struct steti_linear_part *parts; /* host */
};

/* Softmax attention of packed rows over rows of a K/V memory.
 * Row r, head h: keys are memory rows key_begin[r] .. key_begin[r] + key_count[r] - 1, in that
 * order, then tail_begin[r] .. tail_begin[r] + tail_count[r] - 1, as if they stood in one stretch.
 * out[r, h] = softmax(scale * q[r, h] . k[j, h] + bias) v[j, h]. key_count >= 1, tail_count >= 0
 * (0: tail_begin is not read).
 * The bias of key number j (0 is the first of the row's keys, which has position 0) is
 * bias[h * ld_bias + bias_zero + j - query_pos[r]]; all these must lie inside the head's ld_bias
 * values. */
enum steti_attention_kind { STETI_ATTN_ENCODER, STETI_ATTN_CAUSAL, STETI_ATTN_CROSS };
struct steti_attention_params {
    int n_rows, n_heads, head_dim;
    enum steti_attention_kind kind; /* a hint for scheduling; the result does not depend on it */
    float scale;
    const float *q; /* [n_rows, n_heads * head_dim] */
    int64_t ld_q;
    const float *k, *v; /* [memory rows, n_heads * head_dim] */
    int64_t ld_kv;
    const int32_t *key_begin, *key_count;   /* host [n_rows] */
    const int32_t *tail_begin, *tail_count; /* host [n_rows], or both NULL: no tails */
    float *out;                             /* [n_rows, n_heads * head_dim] */
    int64_t ld_out;
    const float *bias;        /* [n_heads, ld_bias] by distance, or NULL: none */
    int ld_bias, bias_zero;   /* values of a head; which of them is for distance 0 */
    const int32_t *query_pos; /* host [n_rows]; only read where there is a bias */
    enum steti_dtype compute; /* the type that the model's matrices were packed for */
};

/* Changes one value of one row before the largest is looked for. factor > 0: a positive value is
 * divided by it, any other is multiplied (a repetition penalty). STETI_NEVER: the value becomes
 * -infinity, whatever it is, NaN included. */
#define STETI_NEVER (-1.0f)
struct steti_adjust {
    int32_t id; /* 0 .. vocab - 1 */
    float factor;
};

/* id[r] = argmax over v of x[r, :] . table[v, :] * scale + bias[v], adjusted. STET_E_MODEL: a NaN,
 * or no value above -infinity. */
struct steti_argmax_params {
    int n_rows, d;
    const float *x;                   /* [n_rows, d] */
    const struct steti_matrix *table; /* [vocab, d] */
    const float *bias;                /* [vocab] or NULL */
    float scale;
    /* host: row r has adjust[adjust_begin[r] .. adjust_begin[r + 1]), ids ascending and each at
     * most once; adjust_begin has n_rows + 1 entries. Both NULL: no row has any. */
    const struct steti_adjust *adjust;
    const int32_t *adjust_begin;
    int32_t *id;    /* host [n_rows] */
    float *logprob; /* host [n_rows] or NULL: log softmax value of id[r], of the adjusted values */
    float *logits;  /* host [n_rows, vocab] or NULL: all values, adjusted, for tests */
};

/* What a backend tells about itself. */
struct steti_backend_caps {
    char name[64]; /* "cpu (avx512-vnni, 2 threads)" */
    /* rows that cost about as much as one; drafts of this width are nearly free */
    int row_tile;
    int threads;
    size_t weight_bytes;    /* packed so far */
    unsigned compute_types; /* bit 1u << type for each enum steti_dtype that pack_matrix makes */
};

struct steti_backend_options {
    int threads; /* >= 1 */
    /* NULL or "auto": the best there is; else "portable", "avx2", "avx2vnni", "avx512", "neon" */
    const char *isa;
    int device_index; /* which of several devices of one kind; 0 is the first */
};

struct steti_backend; /* an open context; defined by each backend */

/* RECORDINGS (optional). A device that is given its work piece by piece may wait longer for the
 * next piece than it works on one. A recording is a row of ops that is written down once, for up to
 * max_rows rows, and then done again as one piece, for any number of rows up to that and with what
 * the host arrays hold by then.
 *
 *     TRY(ops->record_begin(b, max_rows, err));
 *     ... embed, norm, linear, attention, copy, argmax, each with n_rows == max_rows ...
 *     TRY(ops->record_end(b, &r, err));        and when an op failed, too
 *     for each pass:
 *         fill the host arrays
 *         TRY(ops->replay(b, r, n_rows, err));
 *         TRY(ops->sync(b, err));
 *     ops->free_recording(b, r);
 *
 * Between record_begin and record_end
 *  - the ops named above are written down and not run: nothing is read or written but the
 *    parameter structs. Shapes are checked then, what the host arrays hold, at each replay;
 *  - `host` arrays are remembered by address, outputs of argmax too. They must stay where they are,
 *    with room for max_rows elements, until free_recording. At most STETI_RECORD_ARRAYS different
 *    arrays are read. One address is one array;
 *  - everything else in the parameter structs is taken as it is: backend memory and matrices must
 *    live as long as the recording, the parameter structs and `parts` need not;
 *  - argmax may be called once, without adjustments and without logits;
 *  - an op that the backend must see at every call gives STET_E_CANCELLED: its pass is to be called
 *    op by op. It may change its mind once, with its first call outside a recording. So does an
 *    op that failed in a way that does not matter where it is called by itself;
 *  - no other function of the table may be called but caps, close and scratch_bytes
 *    (STET_E_INVALID).
 *
 * Replay gives the bits, and for what the host arrays hold the failures, that the ops would give
 * had they been called one by one with n_rows rows and those arrays. Only the first n_rows elements
 * of an array are read, and no row behind them is written, neither in backend memory nor in the
 * results of argmax; copies are made whole. Like ops it may be asynchronous: host arrays have been
 * read when it returns, results of argmax are valid after sync, and sync reports their failures
 * (STET_E_MODEL). A replay before the one ahead of it was waited for waits for that, and reports
 * its failures. A recording belongs to its context; reserve does not spoil it. */
struct steti_recording;
#define STETI_RECORD_ARRAYS 16

/* Contexts of several devices, among which weights are copied; defined by each backend. */
struct steti_peers;
struct steti_peers_note {
    char
        text[256]; /* one line for the log: how copies are made; "" where there is nothing to say */
};

/* The table of functions. Members marked (optional) may be NULL. */
struct steti_backend_ops {
    int api_version; /* STETI_BACKEND_API */

    stet_status (*open)(const struct steti_backend_options *o, struct steti_backend **out,
                        stet_error *err);
    void (*close)(struct steti_backend *b); /* NULL is legal; matrices must have been freed */
    void (*caps)(const struct steti_backend *b, struct steti_backend_caps *out);

    /* Memory of the backend, zeroed, aligned to 64 bytes. */
    stet_status (*mem_alloc)(struct steti_backend *b, size_t bytes, void **out, stet_error *err);
    void (*mem_free)(struct steti_backend *b, void *p); /* NULL is legal */
    stet_status (*upload)(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                          stet_error *err);
    stet_status (*download)(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                            stet_error *err);

    /* Copies inside the backend's memory, in order with the ops. The ranges do not overlap. */
    stet_status (*copy)(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                        stet_error *err);

    /* Makes a matrix from a row-major host tensor [n_out, n_in]. compute is STETI_F32, STETI_I8 or,
     * where the backend has it (else STET_E_INVALID), STETI_BF16.
     *   source F32, F16, BF16 -> F32 (widened) or I8 (quantised per output row: scale amax / 127,
     *   round half to even)
     *   source I8 with scale [n_out] (F32) -> I8 as it is, or F32 (value * scale)
     *   any -> BF16 (its F32 rounded half to even; must be finite)
     * `src` and `scale` are not needed after the call. n_in and n_out: any value >= 1. */
    stet_status (*pack_matrix)(struct steti_backend *b, const struct steti_tensor *src,
                               const struct steti_tensor *scale, enum steti_dtype compute,
                               struct steti_matrix **out, stet_error *err);
    void (*free_matrix)(struct steti_backend *b, struct steti_matrix *m); /* NULL is legal */

    /* Reserves scratch for calls of up to max_rows rows, n_in up to max_in and max_keys keys.
     * Called before the first op and again when a limit grows; ops over the limits give
     * STET_E_INVALID. */
    stet_status (*reserve)(struct steti_backend *b, int max_rows, int max_in, int max_keys,
                           stet_error *err);

    /* Bytes that reserve with these limits takes, of the device and of the host, and that the
     * context has taken of both since it was opened, where the host's allocator does not see it. */
    size_t (*scratch_bytes)(const struct steti_backend *b, int max_rows, int max_in, int max_keys);

    stet_status (*embed)(struct steti_backend *b, const struct steti_embed_params *p,
                         stet_error *err);
    stet_status (*norm)(struct steti_backend *b, const struct steti_norm_params *p,
                        stet_error *err);
    stet_status (*linear)(struct steti_backend *b, const struct steti_linear_params *p,
                          stet_error *err);
    stet_status (*attention)(struct steti_backend *b, const struct steti_attention_params *p,
                             stet_error *err);
    stet_status (*argmax)(struct steti_backend *b, const struct steti_argmax_params *p,
                          stet_error *err);

    /* Waits for all ops; reports the first failure. Host outputs of argmax are valid after it. */
    stet_status (*sync)(struct steti_backend *b, stet_error *err);

    /* (optional) Where messages go (log.h), told to a plug-in by who loads it, before it opens
     * anything. Only the first call counts. */
    void (*set_log)(steti_log_fn fn, void *ctx, uint32_t level);

    /* (optional) Recordings, see struct steti_recording: all four or none of them.
     *
     * record_begin: max_rows is 1 .. the rows reserved. One recording at a time. When it fails
     * nothing was begun.
     * record_end: ends what record_begin began, whatever happened since. *out is NULL on failure,
     * which also is what it gives (STET_E_INVALID) where an op of the recording failed. Here and
     * in record_begin STET_E_NOMEM leaves the context as it was: the ops can be called instead.
     * free_recording: waits for its replays. NULL is legal.
     * replay: n_rows is 0 .. the recording's max_rows. */
    stet_status (*record_begin)(struct steti_backend *b, int max_rows, stet_error *err);
    stet_status (*record_end)(struct steti_backend *b, struct steti_recording **out,
                              stet_error *err);
    void (*free_recording)(struct steti_backend *b, struct steti_recording *r);
    stet_status (*replay)(struct steti_backend *b, struct steti_recording *r, int n_rows,
                          stet_error *err);

    /* (optional) Tells b whose matrices its ops will be called with: those of `from`, a context on
     * the same device that has them all by now. Before the first scratch_bytes and reserve, which
     * then count what products with these matrices can do with. Never told, or told the context
     * itself, b only knows its own: all work and give the same bits, some more slowly. */
    void (*use_weights)(struct steti_backend *b, const struct steti_backend *from);

    /* (optional) How many devices of this kind there are: indices 0 .. *out - 1. */
    stet_status (*count_devices)(int *out, stet_error *err);

    /* Weights on several devices. (optional, all or none; without them every context of the backend
     * sees the matrices and the memory of every other, whatever their device_index.)
     *
     * contexts[0 .. n) are of different devices and outlive the peers. Only one thread uses them
     * until peers_close. *out may be NULL: one context, and nothing to do. */
    stet_status (*peers_open)(struct steti_backend *const *contexts, int n,
                              struct steti_peers **out, struct steti_peers_note *note,
                              stet_error *err);
    /* Copies of what is in contexts[0] for the others, copies[0 .. n - 1), which are to be freed as
     * if they had been made there. They are filled when peers_finish has returned STET_OK. On
     * failure there are none. */
    stet_status (*peers_matrix)(struct steti_peers *p, const struct steti_matrix *m,
                                struct steti_matrix **copies, stet_error *err);
    stet_status (*peers_memory)(struct steti_peers *p, const void *src, size_t bytes, void **copies,
                                stet_error *err);
    stet_status (*peers_finish)(struct steti_peers *p, stet_error *err);
    void (*peers_close)(struct steti_peers *p); /* NULL is legal; also after a failure */

    /* (optional) Loops, see decode_loop.h: all four or none of them; only with recordings.
     *
     * loop_open takes all memory, loop_bytes says how much (on the device and on the host).
     * loop_run runs the loop and waits for it. Its outputs, counts and states do not depend on the
     * other sentences; how many passes there were in this call does. The first call with a
     * recording makes a graph: STET_E_NOMEM leaves all as it was, and the passes can be run without
     * a loop. STET_E_INVALID: a parameter is out of its range; nothing was done. STET_E_DEVICE:
     * outputs and states are not to be used. A sentence without an answer is no failure of the
     * call. loop_close: before close; recordings that were run may be freed before or after. */
    stet_status (*loop_open)(struct steti_backend *b, const struct steti_loop_options *o,
                             struct steti_loop **out, stet_error *err);
    void (*loop_close)(struct steti_backend *b, struct steti_loop *l); /* NULL is legal */
    stet_status (*loop_run)(struct steti_backend *b, struct steti_loop *l,
                            struct steti_loop_params *p, stet_error *err);
    size_t (*loop_bytes)(const struct steti_backend *b, const struct steti_loop_options *o);
};

#endif
