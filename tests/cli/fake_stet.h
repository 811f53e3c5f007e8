/* fake_stet.h - a stand-in for libstet that "corrects" by a table of words. It makes every
 * behaviour of the command line testable in milliseconds, and what a real model does not do on
 * demand:
 *
 *   text with "!toolong", "!device", "!nomem"   that request fails
 *   text with "!verify" and option verify       STET_E_VERIFY
 *   text with "!slow"                           done long after those that came later
 *   text with "!never"                          done only when it is cancelled
 *   text with "!full"                           refused, always
 *   text with "!dead"                           refused with STET_E_DEVICE by stet_submit itself
 *   model folder "missing", "broken"            cannot be loaded; "long" has a long report
 *
 * Requests complete out of order, and now and then one is refused with STET_E_BUSY. There is no
 * thread: what is done is decided when the queue is asked, some time after its descriptor, a timer,
 * became readable.
 *
 * Sentences end at ". "; a token is a word; every sentence takes one pass and one more for every
 * edit, and one millisecond.
 */
#ifndef STET_TESTS_FAKE_STET_H
#define STET_TESTS_FAKE_STET_H

#include "buf.h"
#include "status.h"
#include "stet.h"

struct stet_engine {
    int verify, scores;
    stet_cq *cq; /* of its requests */
    uint64_t last_id;
    uint64_t asked; /* requests seen by stet_submit, refused ones included */
    stet_stats stats;
};

struct stet_result {
    int refs;
    struct steti_buf text;
    char *source;
    size_t source_len;
    stet_edit *edits;
    size_t n_edits, cap_edits;
    stet_sentence *sentences;
    size_t n_sentences, cap_sentences;
};

int fake_holds(const stet_request *q, const char *word);
stet_status fake_correct(stet_engine *engine, const stet_request *q, stet_result **out,
                         stet_error *err);
void fake_count(stet_engine *engine, const stet_result *r);

#endif
