/* cuda_internal.h - what the host files of the CUDA backend share.
 *
 * cuda_<op>.c   check the arguments, stage host arrays, fill the kernel's struct, launch
 * cuda_<op>.cu  the kernels
 *
 * README.md in this folder has the table of kernels and the numerics.
 */
#ifndef STETI_CUDA_INTERNAL_H
#define STETI_CUDA_INTERNAL_H

#include "backend.h"
#include "blas.h"
#include "check.h"
#include "runtime.h"

struct steti_blas_verdict; /* cuda_blas.h */

struct steti_matrix {
    struct steti_matrix_shape shape; /* first: see check.h */
    struct steti_cuda_weights view;
    void *values; /* device */
    size_t bytes; /* of both copies */
    /* Where a library multiplies with it: the weights row by row, [filled_out, ld_rows]. */
    void *rows;
    int64_t ld_rows;
    int filled_out; /* outputs, filled up to whole panels */
    struct steti_blas_verdict *verdict;
};

/* Host arrays on their way to the device: written at the same offset of both blocks, front to back.
 * An array that is still there with the same bytes is not copied again: all layers of a pass come
 * with the same rows. */
#define STETI_CUDA_RING_BYTES ((size_t)4 << 20)
#define STETI_CUDA_STAGED 16
struct steti_cuda_ring {
    unsigned char *host; /* pinned */
    unsigned char *device;
    size_t used;
    struct {
        size_t at, bytes;
    } staged[STETI_CUDA_STAGED]; /* the last ones, at n_staged modulo their number */
    size_t n_staged;
};

/* Results on their way back, pinned: also what argmax may leave on the device in one launch. */
#define STETI_CUDA_RESULT_BYTES ((size_t)1 << 20)
#define STETI_CUDA_TILE_BYTES ((size_t)4 << 20)

/* What the order of sums and the schedules are made of. */
struct steti_cuda_tuning {
    int chunk; /* inputs in a chunk of a sum: part of the numerics */
    /* products of up to so many rows use the chunked schedule; the bits do not depend on it */
    int chunked_rows;
    /* Products by a library (cuda_blas.h). NULL: there is none. */
    const struct steti_blas *blas;
    int blas_rows;       /* products of more rows than these may go to it */
    int blas_probe_rows; /* the most rows of a probe, and of one call */
    int blas_unproven;   /* for tests of the probe: takes the first candidate, whatever its bits */
    /* Where verdicts are kept, or NULL; stays in place as long as the context. */
    const char *cache_folder;
};
#define STETI_CUDA_CHUNK 512
#define STETI_CUDA_CHUNKED_ROWS 64
#define STETI_CUDA_BLAS_ROWS 64
#define STETI_CUDA_BLAS_PROBE_ROWS 4096
/* Goes up when the own kernels get other bits: what was found out about the old ones is void. */
#define STETI_CUDA_NUMERICS 1

struct steti_cuda_sdpa; /* cuda_sdpa.h */

/* What reserve made. Recordings point into it: it is freed with the last one that does. `pinned`
 * and `rows` are twins, laid out by each recording on its own: they hold what one replay brings to
 * the device, in front, and `pinned` what it brings back. */
struct steti_cuda_scratch {
    int users;
    void *device;
    unsigned char *pinned;
    unsigned char *rows;           /* part of `device` */
    unsigned char *pinned_results; /* part of `pinned`: bests of max_rows rows */
};
#define STETI_CUDA_LIVE_BYTES 64 /* where the live number of rows stands, in front */

struct steti_cuda_move {
    void *dst;
    const void *src;
    size_t bytes;
    enum steti_cuda_direction way;
};

/* What replay looks at in the host arrays before the device does. */
struct steti_cuda_row_check {
    enum { STETI_CHECK_IDS, STETI_CHECK_KEYS, STETI_CHECK_MAP } kind;
    struct steti_embed_params ids;
    struct steti_attention_params keys;
    const int32_t *map;
    int part;
};
#define STETI_CUDA_ROW_CHECKS 32

/* A host array of a recording and its place on the device. It has max_rows elements there. */
struct steti_cuda_array {
    const int32_t *host;
    int32_t *device;
};

/* A pass written down: the ops' kernels as captured, with the bucket's grids, and two graphs.
 *
 *   ops    the kernels alone. They read the live number of rows at `live` and the row arrays at
 *          arrays[].device, and leave what argmax found at `best`. Nothing in it touches the host:
 *          a loop on the device that writes `live` and the arrays itself adds it to a graph of its
 *          own with steti_cuda_add_recording, as often as it likes.
 *   exec   what replay launches: one copy of `live` and all arrays to the device, `ops`, one copy
 *          of `best` to the host.
 *
 * All of live, arrays and best lie in the scratch of the context and are shared with its other
 * recordings: they are this recording's own only between two replays or other uses, which the
 * stream keeps in order. */
struct steti_recording {
    int max_rows;
    struct steti_limits limits; /* when it was made */
    struct steti_cuda_scratch *scratch;
    int32_t *live; /* device: rows that there are, 0 .. max_rows */
    struct steti_cuda_array arrays[STETI_RECORD_ARRAYS];
    int n_arrays;
    /* argmax: what it found, device [max_rows]; NULL: there is none. Host outputs of it. */
    struct steti_cuda_best *best;
    int32_t *id;
    float *logprob;                                            /* or NULL */
    struct steti_cuda_row_check checks[STETI_CUDA_ROW_CHECKS]; /* no two the same */
    int n_checks;
    int failed; /* while it is made: an op failed */
    int n_live; /* rows of the replay under way */
    struct steti_cuda_graph ops;
    void *exec;
    /* The graph of the loop that ran it last (cuda_loop.c), or NULL: which loop that was, and what
     * its rows kernel is given. */
    void *loop_exec;
    uint64_t loop_number;
    struct steti_cuda_rows_args loop_rows;
};

struct steti_backend {
    const struct steti_cuda_runtime *rt;
    struct steti_cuda_tuning tuning;
    struct steti_cuda_props props;
    int device;
    void *stream;
    char broken[256]; /* the failure after which nothing works any more, or "" */
    size_t weight_bytes;
    struct steti_cuda_ring ring;
    void *result; /* pinned */
    struct steti_limits limits;
    struct steti_cuda_scratch *scratch; /* the members below point into it */
    /* [max_rows, ld_q]: rows as int8 and as bfloat16, one memory: an op with parts of both types
     * does the one and then the other */
    int8_t *q;
    uint16_t *h;
    int64_t ld_q;
    size_t row_bytes;             /* of this memory */
    float *row_scale;             /* [max_rows] */
    struct steti_cuda_best *best; /* [max_rows] */
    struct steti_cuda_best *tile; /* STETI_CUDA_TILE_BYTES */
    size_t tile_bytes;            /* as many of them are used */
    float *logits;                /* STETI_CUDA_RESULT_BYTES */
    /* [min(max_rows, blas_probe_rows), raw_width] sums from a library; NULL where none is needed */
    void *raw;
    int raw_width;
    struct {
        void *handle; /* NULL: there is none */
        struct steti_blas_verdict *verdicts;
        int widest;     /* filled outputs of the widest matrix that it multiplies with */
        int is_probing; /* the matrix that is packed is the probe's own */
        int has_cache;  /* verdicts are written to tuning.cache_folder */
        int has_failed; /* an op's product: it makes none any more in this context */
    } library;
    struct steti_recording *making;  /* ops go into it; NULL: they run */
    uint64_t n_loops;                /* opened so far */
    struct steti_recording *pending; /* its replay's results have not been looked at */
    struct steti_cuda_sdpa *sdpa;    /* attention by a library, or NULL */
};

/* Opens device number `device` of a runtime; what open does with the real one and
 * steti_cuda_default_tuning. */
stet_status steti_cuda_open_with(const struct steti_cuda_runtime *rt, int device,
                                 const struct steti_cuda_tuning *tuning, struct steti_backend **out,
                                 stet_error *err);
extern const struct steti_cuda_tuning steti_cuda_default_tuning;

typedef stet_status (*steti_cuda_open_fn)(const struct steti_backend_options *o,
                                          struct steti_backend **out, stet_error *err);
/* The table of functions around an `open`. */
struct steti_backend_ops steti_cuda_ops(steti_cuda_open_fn open);

/* ---- Calls of the runtime -------------------------------------------------------------------- */

/* STET_E_DEVICE when an earlier call failed; else makes the device the thread's own. Every function
 * of the table begins with it. */
stet_status steti_cuda_ready(struct steti_backend *b, stet_error *err);

/* As steti_cuda_ready, and STET_E_INVALID while a recording is made: for what is no op. */
stet_status steti_cuda_idle(struct steti_backend *b, stet_error *err);

/* STET_OK for code 0. Else STET_E_DEVICE with the call's name and the runtime's text, and the
 * context cannot be used any more; but STET_E_NOMEM for too little memory while a recording is
 * made, since nothing has run. */
stet_status steti_cuda_check(struct steti_backend *b, int code, const char *call, stet_error *err);

/* The same for calls that make graphs: too little memory is STET_E_NOMEM and leaves the context as
 * it was. */
stet_status steti_cuda_check_graph(struct steti_backend *b, int code, const char *call,
                                   stet_error *err);

/* Memory of the device. STET_E_NOMEM when there is too little: the context stays usable. */
stet_status steti_cuda_alloc(struct steti_backend *b, size_t bytes, const char *what, void **out,
                             stet_error *err);
stet_status steti_cuda_pinned(struct steti_backend *b, size_t bytes, void **out, stet_error *err);
stet_status steti_cuda_copy(struct steti_backend *b, void *dst, const void *src, size_t bytes,
                            enum steti_cuda_direction way, stet_error *err);
stet_status steti_cuda_sync(struct steti_backend *b, stet_error *err);

/* A launch with what its kernel takes: l.arg points to it. */
stet_status steti_cuda_run(struct steti_backend *b, struct steti_cuda_launch l, stet_error *err);

/* ---- Staging --------------------------------------------------------------------------------- */

/* Makes room for arrays of together `bytes` (each counts steti_cuda_staged_bytes): until the next
 * call, what is staged stays where it is. STET_E_INVALID when that is more than the ring. */
stet_status steti_cuda_room(struct steti_backend *b, size_t bytes, stet_error *err);
size_t steti_cuda_staged_bytes(size_t bytes);

/* Copies a host array to the device; *out is where it is there, NULL for NULL. The array has been
 * read when the call returns. */
stet_status steti_cuda_stage(struct steti_backend *b, const void *host, size_t bytes,
                             const void **out, stet_error *err);

/* ---- Recordings ------------------------------------------------------------------------------ */

/* Bytes of the live number of rows and n arrays of max_rows elements each. */
static inline size_t steti_cuda_rows_bytes(int max_rows, int n)
{
    size_t array = steti_cuda_staged_bytes((size_t)max_rows * sizeof(int32_t));
    return STETI_CUDA_LIVE_BYTES + (size_t)n * array;
}

/* One user less; the last one frees it. NULL is legal. */
void steti_cuda_drop_scratch(struct steti_backend *b, struct steti_cuda_scratch *s);

/* Where ops find the number of rows: the `live` of every kernel's struct. NULL: n_rows is it. */
const int32_t *steti_cuda_live(const struct steti_backend *b);

/* Puts the recording's ops at the end of a graph. Each time that part of the graph runs, they read
 * r->live and r->arrays[].device, and leave the bests of the live rows at r->best. The graph may be
 * the body of a WHILE node. The recording must live until the graph has been instantiated, and its
 * memory (r->scratch, and what the ops were given) as long as that is launched. */
stet_status steti_cuda_add_recording(struct steti_backend *b, const struct steti_recording *r,
                                     struct steti_cuda_graph *g, stet_error *err);

/* What ops do instead of the checks of check.h: what host arrays hold is checked now, or by each
 * replay of the recording that is made. */
stet_status steti_cuda_check_embed(struct steti_backend *b, const struct steti_embed_params *p,
                                   stet_error *err);
stet_status steti_cuda_check_linear(struct steti_backend *b, const struct steti_linear_params *p,
                                    stet_error *err);
stet_status steti_cuda_check_attention(struct steti_backend *b,
                                       const struct steti_attention_params *p, stet_error *err);

/* Where a host array of the recording that is made will stand on the device. */
stet_status steti_cuda_record_array(struct steti_backend *b, const void *host, size_t bytes,
                                    const void **out, stet_error *err);

/* The status of an op of n_rows rows, which also tells the recording that it belongs to. */
stet_status steti_cuda_noted(struct steti_backend *b, int n_rows, stet_status st, stet_error *err);

/* Waits for all work, and finishes the replay that is pending. */
stet_status steti_cuda_settle(struct steti_backend *b, stet_error *err);

/* Writes id and, where it is not NULL, logprob of all rows of p; STET_E_MODEL for the first row
 * without an answer. */
stet_status steti_cuda_read_bests(const struct steti_argmax_params *p,
                                  const struct steti_cuda_best *best, stet_error *err);

/* Ends the recording that is made, if there is one, without a result. */
void steti_cuda_give_up_recording(struct steti_backend *b);

stet_status steti_cuda_record_begin(struct steti_backend *b, int max_rows, stet_error *err);
stet_status steti_cuda_record_end(struct steti_backend *b, struct steti_recording **out,
                                  stet_error *err);
void steti_cuda_free_recording(struct steti_backend *b, struct steti_recording *r);
stet_status steti_cuda_replay(struct steti_backend *b, struct steti_recording *r, int n_rows,
                              stet_error *err);

/* Frees the recording's graph of a loop. */
void steti_cuda_drop_loop(struct steti_backend *b, struct steti_recording *r);
stet_status steti_cuda_loop_open(struct steti_backend *b, const struct steti_loop_options *o,
                                 struct steti_loop **out, stet_error *err);
void steti_cuda_loop_close(struct steti_backend *b, struct steti_loop *l);
stet_status steti_cuda_loop_run(struct steti_backend *b, struct steti_loop *l,
                                struct steti_loop_params *p, stet_error *err);
size_t steti_cuda_loop_bytes(const struct steti_backend *b, const struct steti_loop_options *o);

/* The device's twin of a host array that the recording reads; NULL: it reads no such array. */
int32_t *steti_cuda_find_array(const struct steti_recording *r, const int32_t *host);

/* ---- Functions of the table ------------------------------------------------------------------ */

stet_status steti_cuda_pack_matrix(struct steti_backend *b, const struct steti_tensor *src,
                                   const struct steti_tensor *scale, enum steti_dtype compute,
                                   struct steti_matrix **out, stet_error *err);
void steti_cuda_free_matrix(struct steti_backend *b, struct steti_matrix *m);
void steti_cuda_use_weights(struct steti_backend *b, const struct steti_backend *from);

stet_status steti_cuda_reserve(struct steti_backend *b, int max_rows, int max_in, int max_keys,
                               stet_error *err);
size_t steti_cuda_scratch_bytes(const struct steti_backend *b, int max_rows, int max_in,
                                int max_keys);

stet_status steti_cuda_embed_op(struct steti_backend *b, const struct steti_embed_params *p,
                                stet_error *err);
stet_status steti_cuda_norm_op(struct steti_backend *b, const struct steti_norm_params *p,
                               stet_error *err);
stet_status steti_cuda_linear_op(struct steti_backend *b, const struct steti_linear_params *p,
                                 stet_error *err);
stet_status steti_cuda_attention_op(struct steti_backend *b, const struct steti_attention_params *p,
                                    stet_error *err);
stet_status steti_cuda_argmax_op(struct steti_backend *b, const struct steti_argmax_params *p,
                                 stet_error *err);

/* Makes what weights of `type` are multiplied with: rows as int8 in b->q with b->row_scale, or as
 * bfloat16 in b->h; nothing for float32. */
stet_status steti_cuda_prepare_rows(struct steti_backend *b, int32_t type, const float *x,
                                    int n_rows, int n_in, stet_error *err);

/* What the kernels know of a part, with panel_end 0; stages its row_map, for which there must be
 * room. */
stet_status steti_cuda_fill_part(struct steti_backend *b, const struct steti_linear_part *part,
                                 int n_rows, struct steti_cuda_linear_part *out, stet_error *err);

/* pack_matrix without asking for a verdict; `verdict`, if there is one, gets a row-major copy. */
stet_status steti_cuda_pack_as(struct steti_backend *b, const struct steti_tensor *src,
                               const char *scale, struct steti_blas_verdict *verdict, int32_t type,
                               struct steti_matrix **out, stet_error *err);

/* ceil(a / b) of numbers that are not negative. */
static inline int steti_cuda_blocks(int64_t a, int64_t b)
{
    return (int)((a + b - 1) / b);
}

#endif
