/* verify.h - the accept rule of drafted decoding: a pure function.
 *
 * A pass over one sentence reads the last emitted token and n drafted ones, and predicts n + 1
 * tokens. The longest prefix of the draft that equals the predictions is kept; the prediction after
 * it is emitted as well, as a correction, or, when the whole draft was right, as a bonus. So a pass
 * emits 1 .. n + 1 tokens, each of them the model's own choice after the tokens before it: what
 * greedy decoding emits. */
#ifndef STETI_VERIFY_H
#define STETI_VERIFY_H

#include <stdint.h>

struct steti_verdict {
    int matched;  /* drafted tokens kept */
    int emitted;  /* tokens emitted: predicted[0 .. emitted) */
    int finished; /* the last of them is the end-of-sentence token */
};

/* draft[0..n), predicted[0..n]. A drafted end-of-sentence token never matches. */
struct steti_verdict steti_verify(const int32_t *draft, int n, const int32_t *predicted,
                                  int32_t eos);

#endif
