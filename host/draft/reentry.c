/* The constants were chosen by replaying JFLEG dev (four references and two published systems'
 * answers), EWT slips and made mistakes; none of these is held out: perf/results/replay.md. */
#include "reentry.h"

#include <stdlib.h>

#define SHORT_PIECE 3 /* characters; such pieces occur everywhere */
#define REACH_SHORT 4 /* how far from the expected position a single short piece counts */
#define REACH_ONE 10  /* and any other single piece */

/* Without knowledge every piece is a word of its own. */
static struct steti_draft_piece piece_of(const struct source_draft *d, int32_t id)
{
    static const struct steti_draft_piece unknown = {STETI_PIECE_WORD | STETI_PIECE_ALNUM,
                                                     SHORT_PIECE + 1, 0};
    return d->pieces != NULL && id >= 0 && id < d->n_pieces ? d->pieces[id] : unknown;
}

static int begins_word(const struct source_draft *d, int32_t id)
{
    return piece_of(d, id).flags & STETI_PIECE_WORD;
}

void reentry_read_source(struct source_draft *d)
{
    struct word_rest behind = {d->n_src, 0, 0};
    for (int i = d->n_src - 1; i >= 0; i--) {
        struct steti_draft_piece p = piece_of(d, d->src[i]);
        struct word_rest *r = &d->rest[i];
        r->next = behind.next;
        r->length = behind.length + p.length;
        r->first = p.first != 0 ? p.first : behind.first;
        behind = *r;
        if (begins_word(d, d->src[i])) {
            behind = (struct word_rest){i, 0, 0};
        }
    }
}

int reentry_next_word(const struct source_draft *d, int at)
{
    return at < d->n_src ? d->rest[at].next : d->n_src;
}

/* Whether `id`, which the source does not have at `at`, stands before the source's word there and
 * not for it: a punctuation mark before a word, or a short word unlike a longer one. */
static int looks_inserted(const struct source_draft *d, int at, int32_t id)
{
    struct steti_draft_piece t = piece_of(d, id), s = piece_of(d, d->src[at]);
    if ((t.flags & STETI_PIECE_ALNUM) != (s.flags & STETI_PIECE_ALNUM)) {
        return !(t.flags & STETI_PIECE_ALNUM);
    }
    if (!(t.flags & STETI_PIECE_ALNUM) || t.length > SHORT_PIECE) {
        return 0;
    }
    return t.first != d->rest[at].first && d->rest[at].length > t.length;
}

static int expected_after_miss(const struct source_draft *d, int at, int32_t id)
{
    int new_word = begins_word(d, id), source_word = begins_word(d, d->src[at]);
    if (!new_word && source_word) {
        return at; /* the output's word is longer than the source's, which has ended */
    }
    if (!new_word == !source_word && looks_inserted(d, at, id)) {
        return at;
    }
    return reentry_next_word(d, at);
}

void reentry_expect(struct source_draft *d, int at, int32_t id)
{
    d->second = -1;
    if (at >= d->n_src) {
        d->expected = d->n_src;
    } else if (d->src[at] == id) {
        d->expected = at + 1;
    } else {
        d->expected = expected_after_miss(d, at, id);
        d->second = d->expected == at ? reentry_next_word(d, at) : at;
    }
}

int reentry_search(const struct source_draft *d)
{
    int longest = d->n_out < STETI_NGRAM_MAX ? d->n_out : STETI_NGRAM_MAX;
    for (int len = longest; len >= 1; len--) {
        const int32_t *ends, *gram = d->out + d->n_out - len;
        int n = steti_ngram_find(&d->index, gram, len, &ends);
        if (n > 0) {
            int at = steti_ngram_nearest(ends, n, d->expected);
            int is_short = piece_of(d, *gram).length <= SHORT_PIECE;
            if (len > 1 || abs(at - d->expected) <= (is_short ? REACH_SHORT : REACH_ONE)) {
                return at;
            }
        }
    }
    return -1;
}
