/* cuda_linear.c - up to 64 products of the same rows, eight in a launch. See cuda_linear.cu. */
#include "cuda_internal.h"

#define MOST_WARPS 8    /* of a chunked block */
#define ROWS_F32 8      /* rows of a warp; four warps in a serial block */
#define ROWS_MMA 32     /* rows of a block */
#define SUMS_MMA 16     /* of a lane */
#define SERIAL_WARPS 4u /* of a serial block */

/* Kernels see the activation as a number. */
_Static_assert(STETI_ACT_NONE == 0 && STETI_ACT_RELU == 1 && STETI_ACT_GELU == 2 &&
                   STETI_ACT_GELU_TANH == 3 && STETI_ACT_SILU == 4,
               "dev_math.h has these numbers");

static stet_status quantize_rows(struct steti_backend *b, const float *x, int n_rows, int n_in,
                                 stet_error *err)
{
    struct steti_cuda_quantize_args a = {
        .x = x,
        .q = b->q,
        .scale = b->row_scale,
        .live = steti_cuda_live(b),
        .ld_q = b->ld_q,
        .n_rows = n_rows,
        .n_in = n_in,
    };
    struct steti_cuda_launch l = {STETI_CUDA_quantize, 0, 1, 128, 0, &a, sizeof a};
    l.grid_x = (unsigned)steti_cuda_blocks(n_rows, 128 / 16);
    return steti_cuda_run(b, l, err);
}

static stet_status narrow_rows(struct steti_backend *b, const float *x, int n_rows, int n_in,
                               stet_error *err)
{
    struct steti_cuda_narrow_args a = {
        .x = x,
        .h = b->h,
        .live = steti_cuda_live(b),
        .ld_h = b->ld_q,
        .n_rows = n_rows,
        .n_in = n_in,
    };
    struct steti_cuda_launch l = {STETI_CUDA_narrow, (unsigned)n_rows, 1, 128, 0, &a, sizeof a};
    return steti_cuda_run(b, l, err);
}

stet_status steti_cuda_prepare_rows(struct steti_backend *b, int32_t type, const float *x,
                                    int n_rows, int n_in, stet_error *err)
{
    switch (type) {
    case STETI_CUDA_I8:
        return quantize_rows(b, x, n_rows, n_in, err);
    case STETI_CUDA_BF16:
        return narrow_rows(b, x, n_rows, n_in, err);
    default:
        return STET_OK;
    }
}

static int most_chunks(const struct steti_backend *b, int n_in)
{
    int n = steti_cuda_blocks(n_in, b->tuning.chunk);
    return n < MOST_WARPS ? n : MOST_WARPS;
}

/* A chunk more than one is worth a warp: with one, both schedules would be the same. */
static int is_chunked(const struct steti_backend *b, const struct steti_cuda_linear_args *a)
{
    return a->n_rows <= b->tuning.chunked_rows && most_chunks(b, a->n_in) > 1;
}

static stet_status launch_f32(struct steti_backend *b, const struct steti_cuda_linear_args *a,
                              stet_error *err)
{
    struct steti_cuda_launch l = {
        STETI_CUDA_linear_f32_serial, 0, 0, SERIAL_WARPS * 32, 0, a, sizeof *a};
    l.grid_x = (unsigned)a->part[a->n_parts - 1].panel_end;
    l.grid_y = (unsigned)steti_cuda_blocks(a->n_rows, SERIAL_WARPS * ROWS_F32);
    if (is_chunked(b, a)) {
        int warps = most_chunks(b, a->n_in);
        l.kernel = STETI_CUDA_linear_f32_chunked;
        l.threads = (unsigned)warps * 32;
        l.grid_y = (unsigned)steti_cuda_blocks(a->n_rows, ROWS_F32);
        l.shared_bytes = (size_t)(1 + warps) * ROWS_F32 * STETI_CUDA_PANEL_F32 * sizeof(float);
    }
    return steti_cuda_run(b, l, err);
}

/* int8 and bfloat16. */
static stet_status launch_mma(struct steti_backend *b, const struct steti_cuda_linear_args *a,
                              stet_error *err)
{
    int is_i8 = a->part[0].w.type == STETI_CUDA_I8;
    struct steti_cuda_launch l = {
        STETI_CUDA_linear_bf16_serial, 0, 0, SERIAL_WARPS * 32, 0, a, sizeof *a};
    int panels = a->part[a->n_parts - 1].panel_end;
    l.grid_x = (unsigned)steti_cuda_blocks(panels, SERIAL_WARPS);
    l.grid_y = (unsigned)steti_cuda_blocks(a->n_rows, ROWS_MMA);
    l.kernel = is_i8 ? STETI_CUDA_linear_i8_serial : STETI_CUDA_linear_bf16_serial;
    if (is_chunked(b, a)) {
        int warps = most_chunks(b, a->n_in);
        l.kernel = is_i8 ? STETI_CUDA_linear_i8_chunked : STETI_CUDA_linear_bf16_chunked;
        l.threads = (unsigned)warps * 32;
        l.grid_x = (unsigned)panels;
        /* bfloat16: the sums of the block stand in front of those of its warps */
        l.shared_bytes = (size_t)(is_i8 ? warps : warps + 1) * 32 * SUMS_MMA * sizeof(float);
    }
    return steti_cuda_run(b, l, err);
}

static stet_status add_part(struct steti_backend *b, const struct steti_linear_part *part,
                            struct steti_cuda_linear_args *a, stet_error *err)
{
    int width = part->w->view.type == STETI_CUDA_F32 ? STETI_CUDA_PANEL_F32 : STETI_CUDA_PANEL_MMA;
    int before = a->n_parts > 0 ? a->part[a->n_parts - 1].panel_end : 0;
    struct steti_cuda_linear_part *p = &a->part[a->n_parts++];
    size_t bytes = (size_t)a->n_rows * sizeof(int32_t);
    const void *map = NULL;
    STETI_TRY(steti_cuda_stage(b, part->row_map, bytes, &map, err));
    p->w = part->w->view;
    p->bias = part->bias;
    p->factor = part->factor;
    p->ld_factor = part->ld_factor;
    p->residual = part->residual;
    p->ld_residual = part->ld_residual;
    p->out = part->out;
    p->ld_out = part->ld_out;
    p->row_map = map;
    p->act = (int32_t)part->act;
    p->panel_end = before + steti_cuda_blocks(part->w->shape.n_out, width);
    return STET_OK;
}

/* All parts of one type, eight at a time. */
static stet_status run_type(struct steti_backend *b, const struct steti_linear_params *p,
                            int32_t type, struct steti_cuda_linear_args *a, stet_error *err)
{
    size_t room = STETI_CUDA_PARTS * steti_cuda_staged_bytes((size_t)p->n_rows * sizeof(int32_t));
    a->n_parts = 0;
    for (int i = 0; i <= p->n_parts; i++) {
        if (a->n_parts == STETI_CUDA_PARTS || (i == p->n_parts && a->n_parts > 0)) {
            STETI_TRY(type == STETI_CUDA_F32 ? launch_f32(b, a, err) : launch_mma(b, a, err));
            a->n_parts = 0;
        }
        if (i < p->n_parts && p->parts[i].w->view.type == type) {
            if (a->n_parts == 0) {
                STETI_TRY(steti_cuda_room(b, room, err));
            }
            STETI_TRY(add_part(b, &p->parts[i], a, err));
        }
    }
    return STET_OK;
}

stet_status steti_cuda_linear_op(struct steti_backend *b, const struct steti_linear_params *p,
                                 stet_error *err)
{
    struct steti_cuda_linear_args a = {0};
    int any[3] = {0, 0, 0}; /* of each type */
    STETI_TRY(steti_cuda_check_linear(b, p, err));
    if (p->n_rows == 0) {
        return STET_OK;
    }
    STETI_TRY(steti_cuda_ready(b, err));
    for (int i = 0; i < p->n_parts; i++) {
        any[p->parts[i].w->view.type] = 1;
    }
    a.x = p->x;
    a.q = b->q;
    a.h = b->h;
    a.row_scale = b->row_scale;
    a.live = steti_cuda_live(b);
    a.ld_q = b->ld_q;
    a.n_rows = p->n_rows;
    a.n_in = p->n_in;
    a.chunk = b->tuning.chunk;
    for (int32_t type = STETI_CUDA_F32; type <= STETI_CUDA_BF16; type++) {
        if (any[type]) {
            STETI_TRY(steti_cuda_prepare_rows(b, type, p->x, p->n_rows, p->n_in, err));
            STETI_TRY(run_type(b, p, type, &a, err));
        }
    }
    return STET_OK;
}
