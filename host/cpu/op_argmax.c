/* op_argmax.c - the product with the vocabulary, looked at tile by tile and not kept.
 *
 *   segment 0             segment 1                      ... segment 63
 *   [tile][tile]...[tile] [tile][tile]...                    tiles of 256 values
 *
 * A segment's tiles are merged in ascending order by one thread, the segments in ascending order by
 * the caller, so sums over the vocabulary have one order for any number of threads.
 */
#include <math.h>
#include <string.h>

#include "cpu_internal.h"

struct argmax_job {
    struct steti_backend *b;
    const struct steti_argmax_params *p;
    int panels_per_segment;
    int n_segments;
};

#define TILE_PANELS (STETI_TILE_COLUMNS / 16)

/* Values of rows [row, row + n_rows) and panels [panel, panel_end) into the tile. */
static void compute_tile(const struct argmax_job *a, int row, int n_rows, int panel, int panel_end,
                         float *tile)
{
    const struct steti_backend *b = a->b;
    struct steti_gemm_job g = {
        .w = a->p->table,
        .panel_begin = panel,
        .panel_end = panel_end,
        .n_rows = n_rows,
        .n_in = a->p->d,
        .x = a->p->x + (size_t)row * (size_t)a->p->d,
        .q = b->q + row * b->ld_q,
        .ld_q = b->ld_q,
        .row_scale = b->row_scale + row,
        .alpha = a->p->scale,
        .bias = a->p->bias,
        .out = tile,
        .ld_out = STETI_TILE_COLUMNS,
        .out_column0 = panel * 16,
    };
    if (a->p->table->compute == STETI_I8) {
        b->k->gemm_i8(&g);
    } else {
        b->k->gemm_f32(&g);
    }
}

/* Applies row r's adjustments to the n values of ids first ... */
static void adjust_values(const struct steti_argmax_params *p, int r, int first, int n,
                          float *values)
{
    int i = p->adjust_begin[r], end = p->adjust_begin[r + 1];
    for (int step = end - i; step > 0;) { /* the first that is not below `first` */
        int half = step / 2;
        if (p->adjust[i + half].id < first) {
            i += half + 1;
            step -= half + 1;
        } else {
            step = half;
        }
    }
    for (; i < end && p->adjust[i].id < first + n; i++) {
        float *v = &values[p->adjust[i].id - first];
        float factor = p->adjust[i].factor;
        if (factor < 0.0f) {
            *v = -INFINITY;
        } else {
            *v = *v > 0.0f ? *v / factor : *v * factor;
        }
    }
}

static void scan_tile(const struct argmax_job *a, int segment, int row, int n_rows, int panel,
                      float *tile)
{
    const struct steti_argmax_params *p = a->p;
    int vocab = p->table->shape.n_out;
    int segment_end = (segment + 1) * a->panels_per_segment * 16;
    int first = panel * 16;
    int end = segment_end < vocab ? segment_end : vocab;
    int n = end - first < STETI_TILE_COLUMNS ? end - first : STETI_TILE_COLUMNS;
    for (int r = 0; r < n_rows; r++) {
        float *values = tile + (size_t)r * STETI_TILE_COLUMNS;
        struct steti_best *best = &a->b->best[(size_t)(row + r) * STETI_SEGMENTS + (size_t)segment];
        if (p->adjust != NULL) {
            adjust_values(p, row + r, first, n, values);
        }
        if (p->logits != NULL) {
            memcpy(p->logits + (size_t)(row + r) * (size_t)vocab + first, values,
                   (size_t)n * sizeof *values);
        }
        a->b->k->scan(values, n, first, p->logprob != NULL, best);
    }
}

static void run_segment(const struct argmax_job *a, int segment, float *tile)
{
    int begin = segment * a->panels_per_segment;
    int end = begin + a->panels_per_segment;
    end = end < a->p->table->n_panels ? end : a->p->table->n_panels;
    for (int r = 0; r < a->p->n_rows; r++) {
        a->b->best[(size_t)r * STETI_SEGMENTS + (size_t)segment] =
            (struct steti_best){-INFINITY, 0.0f, -1, 0};
    }
    for (int panel = begin; panel < end; panel += TILE_PANELS) {
        int to = panel + TILE_PANELS < end ? panel + TILE_PANELS : end;
        for (int row = 0; row < a->p->n_rows; row += STETI_TILE_ROWS) {
            int n = a->p->n_rows - row < STETI_TILE_ROWS ? a->p->n_rows - row : STETI_TILE_ROWS;
            compute_tile(a, row, n, panel, to, tile);
            scan_tile(a, segment, row, n, panel, tile);
        }
    }
}

static void argmax_share(void *ctx, int part, int n_parts)
{
    const struct argmax_job *a = ctx;
    float *tile = a->b->tiles + (size_t)part * STETI_TILE_ROWS * STETI_TILE_COLUMNS;
    int begin, end;
    steti_cpu_share(a->n_segments, 1, part, n_parts, &begin, &end);
    for (int s = begin; s < end; s++) {
        run_segment(a, s, tile);
    }
}

static stet_status fail_row(const struct steti_best *best, int row, int n_rows, stet_error *err)
{
    if (best->nan) {
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

/* Writes every row's id and logprob; the first row without an answer makes the call fail. */
static stet_status finish_rows(const struct argmax_job *a, stet_error *err)
{
    const struct steti_argmax_params *p = a->p;
    int bad_row = -1;
    for (int r = 0; r < p->n_rows; r++) {
        struct steti_best *best = &a->b->best[(size_t)r * STETI_SEGMENTS];
        for (int s = 1; s < a->n_segments; s++) {
            a->b->k->merge(&best[0], &best[s]);
        }
        int bad = best->nan || !(best->value > -INFINITY);
        p->id[r] = bad ? -1 : best->id;
        if (p->logprob != NULL) {
            /* The best value is the maximum: its own logarithm is 0. */
            p->logprob[r] = bad ? NAN : (float)-log((double)best->sum);
        }
        bad_row = bad && bad_row < 0 ? r : bad_row;
    }
    if (bad_row >= 0) {
        return fail_row(&a->b->best[(size_t)bad_row * STETI_SEGMENTS], bad_row, p->n_rows, err);
    }
    return STET_OK;
}

stet_status steti_cpu_argmax(struct steti_backend *b, const struct steti_argmax_params *p,
                             stet_error *err)
{
    struct argmax_job a = {b, p, 0, 0};
    int tiles, tiles_per_segment;
    STETI_TRY(steti_check_argmax(p, &b->limits, err));
    if (p->n_rows == 0) {
        return STET_OK;
    }
    tiles = (p->table->n_panels + TILE_PANELS - 1) / TILE_PANELS;
    tiles_per_segment = (tiles + STETI_SEGMENTS - 1) / STETI_SEGMENTS;
    a.panels_per_segment = tiles_per_segment * TILE_PANELS;
    a.n_segments = (tiles + tiles_per_segment - 1) / tiles_per_segment;
    if (p->table->compute == STETI_I8) {
        steti_cpu_quantize(b, p->x, p->n_rows, p->d);
    }
    steti_pool_run(b->pool, argmax_share, &a,
                   steti_cpu_parts(b, (int64_t)p->n_rows * p->d * p->table->shape.n_out));
    return finish_rows(&a, err);
}
