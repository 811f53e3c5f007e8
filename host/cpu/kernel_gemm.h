/* kernel_gemm.h - the loops around register tiles: panels outside, rows inside.
 *
 * A kernel file defines TILE functions `tile(j, row, panel, rows, panels)` that are inlined for
 * constant `rows` and `panels`. Rows are cut into chunks of nearly equal size, so that 7 rows run
 * as 4 + 3 and not as 6 + 1. A sum is never cut, so the chunks do not show in the result.
 */
#ifndef STETI_KERNEL_GEMM_H
#define STETI_KERNEL_GEMM_H

/* Tiles stay in registers only if their loops disappear early. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 24")
#endif

/* Panel `panel` of the weights. */
VF_INLINE const char *panel_at(const struct steti_gemm_job *j, int panel)
{
    return (const char *)j->w->values + (size_t)panel * j->w->panel_bytes;
}

VF_INLINE int32_t load_4_bytes(const int8_t *p)
{
    int32_t x;
    memcpy(&x, p, sizeof x);
    return x;
}

typedef void (*tile_fn)(const struct steti_gemm_job *j, int row, int panel);

/* tiles[rows - 1] does `rows` rows of some panels. */
VF_INLINE void run_rows(const struct steti_gemm_job *j, int panel, const tile_fn *tiles,
                        int max_rows)
{
    int chunks = (j->n_rows + max_rows - 1) / max_rows;
    int row = 0;
    for (int c = 0; c < chunks; c++) {
        int rows = (j->n_rows - row + chunks - c - 1) / (chunks - c);
        tiles[rows - 1](j, row, panel);
        row += rows;
    }
}

/* Instantiates tile `name` for a number of rows and panels. */
#define TILE(name, rows, panels)                                                                   \
    static void name##_##rows##x##panels(const struct steti_gemm_job *j, int row, int panel)       \
    {                                                                                              \
        name(j, row, panel, rows, panels);                                                         \
    }

#endif
