/* gemm_f32_avx2.h - float products for the two AVX2 kernel files.
 *
 * Tiles of up to 6 rows by one panel (two registers of outputs): 12 accumulators, 2 weight
 * registers and one for the row's value. One row alone takes 4 panels.
 */
#ifndef STETI_GEMM_F32_AVX2_H
#define STETI_GEMM_F32_AVX2_H

VF_INLINE void tile_f32(const struct steti_gemm_job *j, int row, int panel, const int rows,
                        const int panels)
{
    const char *w = panel_at(j, panel);
    const size_t next = j->w->panel_bytes;
    const float *x = j->x + (size_t)row * (size_t)j->n_in;
    const int n = j->n_in;
    vf acc[6];
    float sums[6 * 16];
    UNROLL for (int i = 0; i < rows * panels; i++)
    {
        acc[i] = vf_set1(0.0f);
    }
    for (int k = 0; k < n; k++) {
        UNROLL for (int p = 0; p < panels; p++)
        {
            vf v = vf_load((const float *)(const void *)(w + (size_t)p * next + (size_t)k * 64));
            UNROLL for (int r = 0; r < rows; r++)
            {
                acc[r * panels + p] =
                    vf_fma(vf_set1(x[(size_t)r * (size_t)n + (size_t)k]), v, acc[r * panels + p]);
            }
        }
    }
    UNROLL for (int i = 0; i < rows * panels; i++)
    {
        vf_store(sums + i * 16, acc[i]);
    }
    finish_tile(j, row, panel, rows, panels, sums);
}

TILE(tile_f32, 1, 1)
TILE(tile_f32, 2, 1)
TILE(tile_f32, 3, 1)
TILE(tile_f32, 4, 1)
TILE(tile_f32, 5, 1)
TILE(tile_f32, 6, 1)
TILE(tile_f32, 1, 4)

static void gemm_f32(const struct steti_gemm_job *j)
{
    static const tile_fn tiles[6] = {tile_f32_1x1, tile_f32_2x1, tile_f32_3x1,
                                     tile_f32_4x1, tile_f32_5x1, tile_f32_6x1};
    int panel = j->panel_begin;
    for (; j->n_rows == 1 && panel + 4 <= j->panel_end; panel += 4) {
        tile_f32_1x4(j, 0, panel);
    }
    for (; panel < j->panel_end; panel++) {
        run_rows(j, panel, tiles, 6);
    }
}

#endif
