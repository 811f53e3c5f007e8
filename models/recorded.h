/* recorded.h - passes that are recorded once for a number of rows and replayed from then on, where
 * the backend can. Private to models/.
 *
 * A recording is made when a pass first needs its bucket: the next larger number of rows of 8, 16,
 * 32, 64, 96, 128, 192, 256, 512, 1024, ... up to the session's. That is the one time when a pass
 * allocates. All are freed with the session.
 */
#ifndef STETI_RECORDED_H
#define STETI_RECORDED_H

#include "model.h"

/* Runs the pass over the first n_rows rows of the session's own arrays: ids, pos, and what
 * plan_encode or plan_decode fill; results in out_ids and out_logprob after sync. *done is 0 where
 * there is no memory for a recording, or an op of the pass cannot be recorded: nothing was run
 * then. The bucket is not tried again; in the second case once, behind a pass that ran op by op,
 * which may have decided otherwise. */
stet_status steti_replay_pass(struct steti_session *s, enum steti_pass kind, int n_rows, int *done,
                              stet_error *err);

/* The recording of a pass over up to n_rows rows of these arrays. *out is NULL where there is none,
 * for the reasons above. */
stet_status steti_find_recording(struct steti_session *s, enum steti_pass kind, int n_rows,
                                 struct steti_recording **out, stet_error *err);
/* Whether there is one, or still may be. */
int steti_may_be_recorded(const struct steti_session *s, enum steti_pass kind, int n_rows);

void steti_free_recordings(struct steti_session *s);

/* Rows of bucket number i of a session of max_rows rows, and the first bucket with room for n. */
int steti_bucket_rows(int i, int max_rows);
int steti_bucket_of(int n, int max_rows);

#endif
