/* dev_host.h - the host twins of dev.h, for running kernels on the processor.
 *
 * The functions declared here are those of whoever runs the kernels (tests/shim). All names of
 * dev.h mean the same here; DEV_MMA_BF16 adds 16 exact products to the accumulator in double and
 * rounds once, which hardware does not promise to do.
 */
#ifndef STETI_DEV_HOST_H
#define STETI_DEV_HOST_H

#include <math.h>
#include <string.h>

#define DEV_KERNEL extern "C" void
#define DEV_FN static inline __attribute__((unused))
#define DEV_THREADS(n)
#define DEV_THREADS_OF_TWO(n)
#define DEV_UNROLL

extern "C" {
/* Where the running thread is. */
struct steti_dev_position {
    int thread, n_threads, block_x, block_y;
};
extern struct steti_dev_position steti_dev_here;

/* What one lane gives to a collective. */
#define STETI_DEV_WORDS 10
struct steti_dev_slot {
    uint32_t word[STETI_DEV_WORDS];
};

/* `line` tells one barrier from another: all that meet must have come from the same. */
void steti_dev_sync_block(int line);
void steti_dev_sync_warp(int line);
/* Waits until all lanes of the warp have given theirs; returns the 32 slots, which stay valid until
 * the lane's next but one collective. */
const struct steti_dev_slot *steti_dev_exchange(const struct steti_dev_slot *mine, int line);
void *steti_dev_shared(void);
/* Ends the launch: what a device would call a fault. */
void steti_dev_fault(const char *what, int line);
void steti_dev_set_condition(uint64_t condition, uint32_t value);
}
#define DEV_SET_CONDITION(condition, value) steti_dev_set_condition((condition), (value))

#define DEV_SHARED(type, name) type *name = static_cast<type *>(steti_dev_shared())
#define DEV_SYNC() steti_dev_sync_block(__LINE__)
#define DEV_SYNC_WARP() steti_dev_sync_warp(__LINE__)

DEV_FN int dev_thread(void)
{
    return steti_dev_here.thread;
}
DEV_FN int dev_n_threads(void)
{
    return steti_dev_here.n_threads;
}
DEV_FN int dev_block_x(void)
{
    return steti_dev_here.block_x;
}
DEV_FN int dev_block_y(void)
{
    return steti_dev_here.block_y;
}

DEV_FN float dev_fma(float a, float b, float c)
{
    return fmaf(a, b, c);
}
DEV_FN float dev_div(float a, float b)
{
    return a / b;
}
DEV_FN float dev_sqrt(float a)
{
    return sqrtf(a);
}
DEV_FN int dev_round(float a)
{
    return (int)rintf(a);
}
DEV_FN uint32_t dev_bits(float a)
{
    uint32_t bits;
    memcpy(&bits, &a, sizeof bits);
    return bits;
}
DEV_FN float dev_float(uint32_t bits)
{
    float a;
    memcpy(&a, &bits, sizeof a);
    return a;
}

/* ---- Collectives of one word ----------------------------------------------------------------- */

DEV_FN const struct steti_dev_slot *dev_exchange_word(uint32_t word, int line)
{
    struct steti_dev_slot mine = {{word}};
    return steti_dev_exchange(&mine, line);
}
DEV_FN int dev_lane(void)
{
    return steti_dev_here.thread % DEV_WARP;
}

#define DEV_XOR_FLOAT(v, mask) dev_xor_float(v, mask, __LINE__)
#define DEV_XOR_INT(v, mask) dev_xor_int(v, mask, __LINE__)
DEV_FN float dev_xor_float(float v, int mask, int line)
{
    int from = dev_lane() ^ mask;
    return dev_float(dev_exchange_word(dev_bits(v), line)[from].word[0]);
}
DEV_FN int dev_xor_int(int v, int mask, int line)
{
    int from = dev_lane() ^ mask;
    return (int)dev_exchange_word((uint32_t)v, line)[from].word[0];
}

#define DEV_SUM16(v) dev_sum16(v, __LINE__)
DEV_FN float dev_sum16(float v, int line)
{
    int first = dev_lane() & 16;
    const struct steti_dev_slot *slot = dev_exchange_word(dev_bits(v), line) + first;
    float sum[16];
    for (int i = 0; i < 16; i++) {
        sum[i] = dev_float(slot[i].word[0]);
    }
    for (int half = 8; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            sum[i] = sum[i] + sum[i + half];
        }
    }
    return sum[0];
}

#define DEV_MAX_WARP(v) dev_max_warp(v, __LINE__)
DEV_FN float dev_max_warp(float v, int line)
{
    const struct steti_dev_slot *slot = dev_exchange_word(dev_bits(v), line);
    for (int i = 0; i < DEV_WARP; i++) {
        float other = dev_float(slot[i].word[0]);
        v = v > other || other != other ? v : other;
    }
    return v;
}

DEV_FN int dev_max_of(int v, int first, int n, int line)
{
    const struct steti_dev_slot *slot = dev_exchange_word((uint32_t)v, line) + first;
    for (int i = 0; i < n; i++) {
        int other = (int)slot[i].word[0];
        v = v > other ? v : other;
    }
    return v;
}
#define DEV_MAX_INT(v) dev_max_of(v, 0, DEV_WARP, __LINE__)
#define DEV_MAX_INT16(v) dev_max_of(v, dev_lane() & 16, 16, __LINE__)

/* ---- Matrix products of a warp --------------------------------------------------------------- */

/* Gives the fragments of a lane: word 0..3 is a, 4..5 is b. */
DEV_FN const struct steti_dev_slot *dev_exchange_fragments(const uint32_t *a, const uint32_t *b,
                                                           int line)
{
    struct steti_dev_slot mine = {{a[0], a[1], a[2], a[3], b[0], b[1]}};
    return steti_dev_exchange(&mine, line);
}
DEV_FN int dev_byte(uint32_t word, int i)
{
    return (int8_t)(word >> (8 * i));
}
DEV_FN float dev_half_word(uint32_t word, int i)
{
    return dev_float(i == 0 ? word << 16 : word & 0xffff0000u);
}

/* Element (g, k) of a lies in lane 4 g + t as word 2 half + upper: `half` is the half of k, `upper`
 * says whether g is 8 or more. */
#define DEV_MMA_S8(c, a, b) dev_mma_s8(c, a, b, __LINE__)
DEV_FN void dev_mma_s8(int32_t *c, const uint32_t *a, const uint32_t *b, int line)
{
    int lane = dev_lane();
    const struct steti_dev_slot *slot = dev_exchange_fragments(a, b, line);
    for (int i = 0; i < 4; i++) {
        int row = lane % 4 * 2 + i % 2;
        for (int half = 0; half < 2; half++) {
            for (int t = 0; t < 4; t++) {
                uint32_t x = slot[lane / 4 * 4 + t].word[2 * half + i / 2];
                uint32_t y = slot[row * 4 + t].word[4 + half];
                for (int byte = 0; byte < 4; byte++) {
                    c[i] += dev_byte(x, byte) * dev_byte(y, byte);
                }
            }
        }
    }
}

#define DEV_MMA_BF16(c, a, b) dev_mma_bf16(c, a, b, __LINE__)
DEV_FN void dev_mma_bf16(float *c, const uint32_t *a, const uint32_t *b, int line)
{
    int lane = dev_lane();
    const struct steti_dev_slot *slot = dev_exchange_fragments(a, b, line);
    for (int i = 0; i < 4; i++) {
        int row = lane % 4 * 2 + i % 2;
        double sum = (double)c[i];
        for (int half = 0; half < 2; half++) {
            for (int t = 0; t < 4; t++) {
                uint32_t x = slot[lane / 4 * 4 + t].word[2 * half + i / 2];
                uint32_t y = slot[row * 4 + t].word[4 + half];
                sum += (double)dev_half_word(x, 0) * (double)dev_half_word(y, 0);
                sum += (double)dev_half_word(x, 1) * (double)dev_half_word(y, 1);
            }
        }
        c[i] = (float)sum;
    }
}

DEV_FN void dev_load_16(uint32_t *to, const void *from)
{
    if (reinterpret_cast<uintptr_t>(from) % 16 != 0) {
        steti_dev_fault("16 bytes from an address that is not aligned to 16", __LINE__);
    }
    memcpy(to, from, 16);
}

#endif
