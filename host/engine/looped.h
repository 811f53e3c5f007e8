/* looped.h - passes that the device does by itself (decode_loop.h). Private to host/engine.
 *
 * An engine has a loop where its backend and the model have what that takes, the policy is none,
 * sad or edit, and no rules of the folder look at rows. Then all its passes go through it, but
 * those of option verify, which are to be independent: the drafts of the host (struct steti_draft)
 * are not used. When the loop cannot go on (no memory for a graph, or a failure that the passes one
 * by one will show), the engine does without it from then on, and the drafts are told what was
 * emitted so far.
 */
#ifndef STETI_LOOPED_H
#define STETI_LOOPED_H

#include "decode_loop.h"
#include "engine.h"

struct looped {
    struct steti_loop *loop; /* NULL: there is none */
    struct steti_loop_options options;
    int32_t ends[STETI_LOOP_ENDS_MAX];
    struct steti_loop_seq *seqs;    /* [batch_size] of the call at hand */
    struct steti_loop_pass *passes; /* [batch_size * max_passes] */
};

/* Bytes that it takes, on the host and on the device. */
size_t looped_bytes(const struct steti_model *m, const struct steti_backend *backend,
                    const struct steti_engine_options *o);
/* Where there cannot be a loop, or not enough memory for one, all is well without. */
stet_status looped_open(struct steti_engine *e, stet_error *err);
void looped_close(struct steti_engine *e);

/* Up to `most` passes over slots; ends early when `until_done` of them have ended. Returns how many
 * passes were made. 0: none was, and there is no loop any more, or one only behind the next pass of
 * the host, for which no sentence has a draft. */
int looped_passes(struct steti_engine *e, const int *slots, int n, int most, int until_done);

#endif
