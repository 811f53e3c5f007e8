#include "pace.h"

#include <string.h>

#define FIRST_NS_PER_TOKEN 20000.0 /* believed before anything was measured */
#define STALL 4.0                  /* most that a measurement counts, in times of the estimate */
#define RATE_TOKENS 256 /* done before the rate is measured anew, and a sentence a slot */

void pace_init(struct pace *p, int n_slots)
{
    memset(p, 0, sizeof *p);
    p->ns_per_token = FIRST_NS_PER_TOKEN;
    p->n_slots = n_slots;
}

static double at_most(double value, double limit)
{
    return value < limit ? value : limit;
}

static void observe(double *mean, double value)
{
    *mean = *mean == 0 ? value : *mean + (at_most(value, STALL * *mean) - *mean) / 8;
}

void pace_encoded(struct pace *p, uint64_t ns, int tokens)
{
    p->busy_ns += (double)ns;
    p->full_ns += (double)ns;
    observe(&p->encode_ns, (double)ns / tokens);
}

void pace_passed(struct pace *p, uint64_t ns, int n_slots, int n_passes)
{
    p->busy_ns += (double)ns;
    p->full_ns += (double)ns * n_slots / p->n_slots;
    observe(&p->pass_ns, (double)ns / n_passes);
}

void pace_done(struct pace *p, int tokens)
{
    p->done_tokens += (uint64_t)tokens;
    p->done_sentences++;
}

/* A pass over few slots says little about one over all: with n times the slots it may cost the
 * same, or n times as much. So what a token would have cost in a full engine lies between full_ns
 * and busy_ns, and the estimate moves no further than to the nearer end. An engine that was full
 * has both ends equal and is measured exactly. */
void pace_measure(struct pace *p)
{
    double least, most, rate = p->ns_per_token;
    if (p->done_tokens < RATE_TOKENS || p->done_sentences < (uint64_t)p->n_slots) {
        return;
    }
    least = p->full_ns / (double)p->done_tokens;
    most = p->busy_ns / (double)p->done_tokens;
    rate = rate < least ? least : at_most(rate, most);
    if (p->is_measured) {
        rate = at_most(rate, STALL * p->ns_per_token);
        rate = p->ns_per_token + (rate - p->ns_per_token) / 4;
    }
    p->ns_per_token = rate > 1 ? rate : 1; /* from 0 it could not rise again */
    p->is_measured = 1;
    p->busy_ns = p->full_ns = 0;
    p->done_tokens = p->done_sentences = 0;
}
