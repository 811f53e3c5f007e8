/* ngram_index.h - where every n-gram of a token sequence ends, for n = 1 .. STETI_NGRAM_MAX.
 *
 * Built in linear time; a lookup costs one hash and one comparison of n tokens, whatever the text
 * repeats. All memory is reserved at init.
 */
#ifndef STETI_NGRAM_INDEX_H
#define STETI_NGRAM_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define STETI_NGRAM_MAX 4

/* The n-grams of one length. Equal n-grams form a group; a group's end positions stand together,
 * ascending. */
struct steti_ngram_order {
    int32_t *table;     /* [table_size] group + 1, 0 = empty; open addressing */
    int32_t *group_of;  /* [capacity] group of the n-gram that ends at i + 1 */
    int32_t *first_end; /* [capacity] one end position of the group */
    int32_t *start;     /* [capacity + 1] where the group's ends begin */
    int32_t *ends;      /* [capacity] */
    int n_groups;
};

struct steti_ngram_index {
    struct steti_ngram_order order[STETI_NGRAM_MAX];
    const int32_t *ids;
    int n, capacity, table_size;
    int32_t *memory;
};

/* What steti_ngram_init allocates. */
size_t steti_ngram_bytes(int capacity);
stet_status steti_ngram_init(struct steti_ngram_index *x, int capacity, stet_error *err);
void steti_ngram_free(struct steti_ngram_index *x); /* legal on a zeroed struct */

/* Indexes ids[0..n), n <= capacity. `ids` must stay valid while the index is used. */
void steti_ngram_build(struct steti_ngram_index *x, const int32_t *ids, int n);

/* End positions (the index after the last token) of the n-gram gram[0..len), len 1 ..
 * STETI_NGRAM_MAX, ascending. Returns how many; 0 when it does not occur. */
int steti_ngram_find(const struct steti_ngram_index *x, const int32_t *gram, int len,
                     const int32_t **ends);

/* The element of ends[0..n) closest to `at`; of two equally close ones the larger. n >= 1. */
int32_t steti_ngram_nearest(const int32_t *ends, int n, int32_t at);

#endif
