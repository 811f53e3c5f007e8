/* ceilings.h - what the parts of gpu_ceilings share: checked calls, times, records.
 *
 * A measurement is a function that returns 0, or the code of the call that failed, of which the
 * record then tells; the others go on. Every record is one line of JSON on standard output:
 *   {"record": "ceiling", "name": "copy", "value": 1.5, "unit": "GB/s", ...} */
#ifndef CEILINGS_H
#define CEILINGS_H

#include <cuda_runtime.h>
#include <stddef.h>
#include <stdint.h>

/* Returns the code from the function that it stands in. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        int code_ = (int)(call);                                                                   \
        if (code_ != 0) {                                                                          \
            note_failure(#call, code_);                                                            \
            return code_;                                                                          \
        }                                                                                          \
    } while (0)

/* Remembered for the record of the measurement that fails. */
void note_failure(const char *call, int code);

/* `detail` is more of the record's fields, such as "\"bytes\": 5, ", or "". */
void report(const char *name, double value, const char *unit, const char *detail);
/* Three records, NAME, NAME_p99 and NAME_min: sorts the samples. */
void report_samples(const char *name, double *samples, int n, const char *unit);

double now_us(void);

/* The median of `repeats` times of work(ctx), in microseconds between two events; at most 64. The
 * first two runs are not counted. */
int time_us(int (*work)(void *ctx, int run), void *ctx, int repeats, double *median);

/* Device memory of `bytes` bytes (a multiple of 4) with random bits: what is measured on zeros is
 * too good. as_bf16: every two bytes are a number between 2^-7 and 2 in magnitude. */
int random_memory(size_t bytes, uint32_t seed, int as_bf16, void **out);

/* The measurements, of which each makes its own records. */
int measure_copy(void);
int measure_cached_reads(void);
int measure_products(void);
int measure_launches(void);
int measure_while(void);
int measure_round_trips(void);
int measure_mailbox(void);

#endif
