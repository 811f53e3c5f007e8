/* op_linear.c - all products of the same rows in one parallel run.
 *
 * The panels of all parts stand in one line, and each thread takes a stretch of it: no sum is
 * split. The rows are quantised once, before, and only if a part needs it.
 */
#include "cpu_internal.h"

struct linear_job {
    struct steti_backend *b;
    const struct steti_linear_params *p;
    int n_panels; /* of all parts */
};

struct quantize_job {
    struct steti_backend *b;
    const float *x;
    int n_rows, n_in;
};

static void quantize_share(void *ctx, int part, int n_parts)
{
    const struct quantize_job *j = ctx;
    struct steti_backend *b = j->b;
    int begin, end;
    steti_cpu_share(j->n_rows, 1, part, n_parts, &begin, &end);
    for (int r = begin; r < end; r++) {
        b->k->quantize_row(j->x + (size_t)r * (size_t)j->n_in, j->n_in, b->q + r * b->ld_q,
                           &b->row_scale[r]);
    }
}

void steti_cpu_quantize(struct steti_backend *b, const float *x, int n_rows, int n_in)
{
    struct quantize_job j = {b, x, n_rows, n_in};
    steti_pool_run(b->pool, quantize_share, &j, steti_cpu_parts(b, (int64_t)n_rows * n_in * 4));
}

static void run_part(const struct linear_job *j, const struct steti_linear_part *part, int begin,
                     int end)
{
    struct steti_gemm_job g = {
        .w = part->w,
        .panel_begin = begin,
        .panel_end = end,
        .n_rows = j->p->n_rows,
        .n_in = j->p->n_in,
        .x = j->p->x,
        .q = j->b->q,
        .ld_q = j->b->ld_q,
        .row_scale = j->b->row_scale,
        .alpha = 1.0f,
        .bias = part->bias,
        .act = part->act,
        .factor = part->factor,
        .ld_factor = part->ld_factor,
        .residual = part->residual,
        .ld_residual = part->ld_residual,
        .out = part->out,
        .ld_out = part->ld_out,
        .row_map = part->row_map,
    };
    if (part->w->compute == STETI_I8) {
        j->b->k->gemm_i8(&g);
    } else {
        j->b->k->gemm_f32(&g);
    }
}

static void linear_share(void *ctx, int part, int n_parts)
{
    const struct linear_job *j = ctx;
    int begin, end, first = 0;
    steti_cpu_share(j->n_panels, 4, part, n_parts, &begin, &end);
    for (int i = 0; i < j->p->n_parts && first < end; i++) {
        int n = j->p->parts[i].w->n_panels;
        int from = begin > first ? begin - first : 0;
        int to = end - first < n ? end - first : n;
        if (from < to) {
            run_part(j, &j->p->parts[i], from, to);
        }
        first += n;
    }
}

stet_status steti_cpu_linear(struct steti_backend *b, const struct steti_linear_params *p,
                             stet_error *err)
{
    struct linear_job j = {b, p, 0};
    int any_i8 = 0;
    STETI_TRY(steti_check_linear(p, &b->limits, err));
    if (p->n_rows == 0) {
        return STET_OK;
    }
    for (int i = 0; i < p->n_parts; i++) {
        j.n_panels += p->parts[i].w->n_panels;
        any_i8 |= p->parts[i].w->compute == STETI_I8;
    }
    if (any_i8) {
        steti_cpu_quantize(b, p->x, p->n_rows, p->n_in);
    }
    steti_pool_run(b->pool, linear_share, &j,
                   steti_cpu_parts(b, (int64_t)p->n_rows * p->n_in * j.n_panels * 16));
    return STET_OK;
}
