/* id_alignment.h - which tokens of two sequences correspond: a longest common subsequence.
 *
 * The greedy difference algorithm of Myers (1986), with bounded work: when more than
 * STETI_ALIGN_DIFFERENCES differences have been met, the path that got farthest is kept and the
 * search starts anew where it ended. Up to that many differences the result is a longest one;
 * beyond it is still a valid alignment. Of several longest ones, one is preferred where insertions
 * and deletions meet (replacements). Time is at most proportional to length times
 * STETI_ALIGN_DIFFERENCES.
 */
#ifndef STETI_ID_ALIGNMENT_H
#define STETI_ID_ALIGNMENT_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define STETI_ALIGN_DIFFERENCES 256

struct steti_ids {
    const int32_t *data;
    size_t len;
};

/* Sets match[i] (a.len of them) to the index in b that a[i] corresponds to, or -1. Matched indices
 * rise, and matched ids are equal. */
stet_status steti_ids_align(struct steti_ids a, struct steti_ids b, int32_t *match,
                            stet_error *err);

#endif
