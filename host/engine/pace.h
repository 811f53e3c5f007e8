/* pace.h - what the scheduler learns about the device: what a decoder pass takes, what the encoder
 * takes for a token, and what a token costs in all. Private to host/engine.
 *
 * A single measurement counts as at most four times the last estimate: a device that was stopped
 * for a second must not be thought slow for minutes. */
#ifndef STETI_PACE_H
#define STETI_PACE_H

#include <stdint.h>

struct pace {
    double pass_ns, encode_ns; /* of a pass, of a token in the encoder; 0: not known yet */
    double ns_per_token;       /* in an engine whose slots are all in use */
    double busy_ns, full_ns;   /* since ns_per_token was measured: see pace_measure */
    uint64_t done_tokens, done_sentences;
    int n_slots, is_measured; /* 0: ns_per_token is a belief */
};

void pace_init(struct pace *p, int n_slots);
void pace_encoded(struct pace *p, uint64_t ns, int tokens);
void pace_passed(struct pace *p, uint64_t ns, int n_slots, int n_passes); /* in one call */
void pace_done(struct pace *p, int tokens); /* a sentence of so many is done */
void pace_measure(struct pace *p);          /* after all that a call finished is told */

#endif
