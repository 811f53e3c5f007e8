/* cuda_argmax.c - see cuda_argmax.cu. Rows are done in groups whose bests of all tiles, adjustments
 * and results fit what is reserved; the values themselves leave the chip only where they are asked
 * for. */
#include <math.h>
#include <string.h>

#include "cuda_internal.h"

#define ROWS_F32 8
#define ROWS_MMA 32
#define THREADS 256

_Static_assert(sizeof(struct steti_adjust) == sizeof(struct steti_cuda_adjust),
               "adjustments go to the device as they are");

struct group {
    int row, n_rows;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Rows from `row` on whose adjustments fit the ring, at most n; at least one. */
static int rows_that_fit(const struct steti_argmax_params *p, int row, int n)
{
    size_t each = sizeof(struct steti_adjust);
    int fit = 1;
    while (p->adjust != NULL && fit < n) {
        size_t list = (size_t)(p->adjust_begin[row + fit + 1] - p->adjust_begin[row]) * each;
        size_t begins = (size_t)(fit + 2) * sizeof(int32_t);
        if (steti_cuda_staged_bytes(list) + steti_cuda_staged_bytes(begins) >
            STETI_CUDA_RING_BYTES) {
            break;
        }
        fit++;
    }
    return p->adjust != NULL ? fit : n;
}

static stet_status next_group(const struct steti_backend *b, const struct steti_argmax_params *p,
                              int n_tiles, struct group *g, stet_error *err)
{
    size_t best = sizeof(struct steti_cuda_best);
    size_t most = smaller(b->tile_bytes / ((size_t)n_tiles * best), STETI_CUDA_RESULT_BYTES / best);
    if (p->logits != NULL) { /* at least one tile of all rows at once */
        most = smaller(most, STETI_CUDA_RESULT_BYTES / (STETI_CUDA_TILE * sizeof(float)));
    }
    if (most == 0) {
        return steti_fail(err, STET_E_INVALID, "argmax: a vocabulary of %d is too large",
                          p->table->shape.n_out);
    }
    g->row += g->n_rows;
    most = smaller(most, (size_t)(p->n_rows - g->row));
    g->n_rows = rows_that_fit(p, g->row, (int)most);
    return STET_OK;
}

/* begins: where the group's list of adjustments begins for each row; made in the result memory,
 * which is free at this time. */
static stet_status stage_adjust(struct steti_backend *b, const struct steti_argmax_params *p,
                                const struct group *g, struct steti_cuda_argmax_args *a,
                                stet_error *err)
{
    const int32_t *from = p->adjust_begin;
    int32_t *begins = b->result;
    const void *list = NULL, *begin = NULL;
    size_t n_list, n_begins = (size_t)(g->n_rows + 1) * sizeof(int32_t);
    a->adjust = NULL;
    if (p->adjust == NULL || from[g->row] == from[g->row + g->n_rows]) {
        return STET_OK;
    }
    n_list = (size_t)(from[g->row + g->n_rows] - from[g->row]) * sizeof *p->adjust;
    for (int r = 0; r <= g->n_rows; r++) {
        begins[r] = from[g->row + r] - from[g->row];
    }
    STETI_TRY(steti_cuda_room(
        b, steti_cuda_staged_bytes(n_list) + steti_cuda_staged_bytes(n_begins), err));
    STETI_TRY(steti_cuda_stage(b, p->adjust + from[g->row], n_list, &list, err));
    STETI_TRY(steti_cuda_stage(b, begins, n_begins, &begin, err));
    a->adjust = list;
    a->adjust_begin = begin;
    return STET_OK;
}

/* Tiles [a->first_tile, + n) of the group. */
static stet_status launch_tiles(struct steti_backend *b, const struct steti_cuda_argmax_args *a,
                                int n, stet_error *err)
{
    static const enum steti_cuda_kernel kernels[] = {STETI_CUDA_argmax_f32, STETI_CUDA_argmax_i8,
                                                     STETI_CUDA_argmax_bf16};
    int rows = a->table.type == STETI_CUDA_F32 ? ROWS_F32 : ROWS_MMA;
    struct steti_cuda_launch l = {
        .kernel = kernels[a->table.type],
        .grid_x = (unsigned)n,
        .grid_y = (unsigned)steti_cuda_blocks(a->n_rows, rows),
        .threads = THREADS,
        .shared_bytes = (size_t)rows * STETI_CUDA_TILE * sizeof(float),
        .arg = a,
        .arg_bytes = sizeof *a,
    };
    return steti_cuda_run(b, l, err);
}

/* As launch_tiles for all tiles, and brings the values to the host, as many tiles at a time as
 * fit. */
static stet_status tiles_with_logits(struct steti_backend *b, const struct steti_argmax_params *p,
                                     const struct group *g, struct steti_cuda_argmax_args *a,
                                     stet_error *err)
{
    size_t vocab = (size_t)p->table->shape.n_out, rows = (size_t)g->n_rows;
    size_t at_once = STETI_CUDA_RESULT_BYTES / (rows * STETI_CUDA_TILE * sizeof(float));
    a->logits = b->logits;
    for (int tile = 0; tile < a->n_tiles; tile += (int)at_once) {
        size_t first = (size_t)tile * STETI_CUDA_TILE;
        size_t n = smaller(at_once, (size_t)(a->n_tiles - tile));
        size_t ld = n * STETI_CUDA_TILE, columns = smaller(ld, vocab - first);
        const float *values = b->result;
        a->first_tile = tile;
        a->ld_logits = (int64_t)ld;
        STETI_TRY(launch_tiles(b, a, (int)n, err));
        STETI_TRY(steti_cuda_copy(b, b->result, b->logits, rows * ld * sizeof(float), STETI_TO_HOST,
                                  err));
        STETI_TRY(steti_cuda_sync(b, err));
        for (size_t r = 0; r < rows; r++) {
            memcpy(p->logits + ((size_t)g->row + r) * vocab + first, values + r * ld,
                   columns * sizeof(float));
        }
    }
    return STET_OK;
}

static stet_status merge_tiles(struct steti_backend *b, const struct steti_cuda_argmax_args *a,
                               stet_error *err)
{
    size_t bytes = (size_t)a->n_rows * sizeof(struct steti_cuda_best);
    struct steti_cuda_launch l = {
        .kernel = STETI_CUDA_argmax_merge,
        .grid_x = (unsigned)a->n_rows,
        .grid_y = 1,
        .threads = STETI_CUDA_SEGMENTS,
        .shared_bytes = STETI_CUDA_SEGMENTS * sizeof(struct steti_cuda_best),
        .arg = a,
        .arg_bytes = sizeof *a,
    };
    STETI_TRY(steti_cuda_run(b, l, err));
    if (b->making != NULL) {
        return STET_OK; /* a replay brings the bests of all groups in one copy */
    }
    STETI_TRY(steti_cuda_copy(b, b->result, a->best, bytes, STETI_TO_HOST, err));
    return steti_cuda_sync(b, err);
}

/* Writes the group's ids and log probabilities; *bad_row becomes the first row without an answer,
 * if there was none before. */
static void finish_group(const struct steti_argmax_params *p, const struct group *g,
                         const struct steti_cuda_best *best, int *bad_row, int *is_nan)
{
    for (int i = 0; i < g->n_rows; i++) {
        int bad = best[i].nan || !(best[i].value > -INFINITY);
        p->id[g->row + i] = bad ? -1 : best[i].id;
        if (p->logprob != NULL) {
            /* The best value is the maximum: its own logarithm is 0. */
            p->logprob[g->row + i] = bad ? NAN : (float)-log((double)best[i].sum);
        }
        if (bad && *bad_row < 0) {
            *bad_row = g->row + i;
            *is_nan = best[i].nan;
        }
    }
}

static stet_status fail_row(int is_nan, int row, int n_rows, stet_error *err)
{
    if (is_nan) {
        return steti_fail(
            err, STET_E_MODEL,
            "row %d of %d: a logit is NaN; the weights or the input of this row are broken", row,
            n_rows);
    }
    return steti_fail(err, STET_E_MODEL,
                      "row %d of %d: no token has a logit above -infinity; the model's generation "
                      "settings forbid all of them, or its weights are broken",
                      row, n_rows);
}

stet_status steti_cuda_read_bests(const struct steti_argmax_params *p,
                                  const struct steti_cuda_best *best, stet_error *err)
{
    struct group all = {0, p->n_rows};
    int bad_row = -1, is_nan = 0;
    finish_group(p, &all, best, &bad_row, &is_nan);
    return bad_row < 0 ? STET_OK : fail_row(is_nan, bad_row, p->n_rows, err);
}

/* What all groups have in common. */
static struct steti_cuda_argmax_args common_args(const struct steti_backend *b,
                                                 const struct steti_argmax_params *p)
{
    int n_tiles = steti_cuda_blocks(p->table->shape.n_out, STETI_CUDA_TILE);
    struct steti_cuda_argmax_args a = {
        .table = p->table->view,
        .live = steti_cuda_live(b),
        .bias = p->bias,
        .tile = b->tile,
        .ld_q = b->ld_q,
        .scale = p->scale,
        .chunk = b->tuning.chunk,
        .want_sum = p->logprob != NULL,
        .n_tiles = n_tiles,
        .tiles_per_segment = steti_cuda_blocks(n_tiles, STETI_CUDA_SEGMENTS),
    };
    return a;
}

static stet_status run_group(struct steti_backend *b, const struct steti_argmax_params *p,
                             const struct group *g, struct steti_cuda_argmax_args *a,
                             stet_error *err)
{
    a->x = p->x + (size_t)g->row * (size_t)p->d;
    a->q = b->q + g->row * b->ld_q;
    a->h = b->h + g->row * b->ld_q;
    a->row_scale = b->row_scale + g->row;
    a->best = b->best + g->row;
    a->n_rows = g->n_rows;
    a->first_row = g->row;
    STETI_TRY(stage_adjust(b, p, g, a, err));
    if (p->logits != NULL) {
        STETI_TRY(tiles_with_logits(b, p, g, a, err));
    } else {
        STETI_TRY(launch_tiles(b, a, a->n_tiles, err));
    }
    return merge_tiles(b, a, err);
}

/* Where the recording that is made finds what argmax found. */
static stet_status note_outputs(struct steti_backend *b, const struct steti_argmax_params *p,
                                stet_error *err)
{
    struct steti_recording *r = b->making;
    if (r == NULL) {
        return STET_OK;
    }
    if (p->adjust != NULL || p->logits != NULL || r->best != NULL) {
        return steti_fail(err, STET_E_INVALID,
                          "argmax: a recording takes it once, without adjustments and logits");
    }
    r->best = b->best;
    r->id = p->id;
    r->logprob = p->logprob;
    return STET_OK;
}

stet_status steti_cuda_argmax_op(struct steti_backend *b, const struct steti_argmax_params *p,
                                 stet_error *err)
{
    struct steti_cuda_argmax_args a;
    struct group g = {0, 0};
    int bad_row = -1, is_nan = 0;
    STETI_TRY(steti_check_argmax(p, &b->limits, err));
    if (p->n_rows == 0) {
        return STET_OK;
    }
    STETI_TRY(steti_cuda_ready(b, err));
    STETI_TRY(note_outputs(b, p, err));
    STETI_TRY(steti_cuda_prepare_rows(b, p->table->view.type, p->x, p->n_rows, p->d, err));
    a = common_args(b, p);
    while (g.row + g.n_rows < p->n_rows) {
        STETI_TRY(next_group(b, p, a.n_tiles, &g, err));
        STETI_TRY(run_group(b, p, &g, &a, err));
        if (b->making == NULL) {
            finish_group(p, &g, b->result, &bad_row, &is_nan);
        }
    }
    return bad_row < 0 ? STET_OK : fail_row(is_nan, bad_row, p->n_rows, err);
}
