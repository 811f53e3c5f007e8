/* The constants were chosen by replaying made mistakes (seeds 1 to 5), JFLEG dev (four references
 * and two published systems' answers) and EWT slips; what is held out: perf/results/replay.md. */
#include "reentry.h"

#include "respell.h"

#include <stdlib.h>

#define SHORT_PIECE 3 /* characters */
#define REACH_INNER 2 /* how far from the expected position a single piece inside a word counts */
#define REACH_WORD 6  /* and one that begins a word */

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
    struct word_place behind = {0, d->n_src, 0, 0};
    for (int i = d->n_src - 1; i >= 0; i--) {
        struct steti_draft_piece p = piece_of(d, d->src[i]);
        struct word_place *r = &d->rest[i];
        r->next = behind.next;
        r->length = behind.length + p.length;
        r->first = p.first != 0 ? p.first : behind.first;
        behind = *r;
        if (begins_word(d, d->src[i])) {
            behind = (struct word_place){0, i, 0, 0};
        }
    }
    for (int i = 0; i < d->n_src; i++) {
        d->rest[i].start = i == 0 || begins_word(d, d->src[i]) ? i : d->rest[i - 1].start;
    }
}

void reentry_read_output(struct source_draft *d, const int32_t *emitted, int n)
{
    for (int i = 0; i < n && d->n_out <= d->max_tgt; i++) {
        d->out_word = begins_word(d, emitted[i]) ? d->n_out : d->out_word;
        d->out[d->n_out++] = emitted[i];
    }
    d->mark_last = !(piece_of(d, emitted[n - 1]).flags & STETI_PIECE_ALNUM);
}

static int next_word(const struct source_draft *d, int at)
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
    return next_word(d, at);
}

/* The word of the source that the output's word is compared with. A word that begins in the middle
 * of one (a lot for alot) is compared with the rest of it. */
static int compared_word(const struct source_draft *d, int at, int32_t id)
{
    if (at >= d->n_src) {
        return d->n_src > 0 && !begins_word(d, id) ? d->rest[d->n_src - 1].start : d->n_src;
    }
    return begins_word(d, id) && !begins_word(d, d->src[at]) ? at : d->rest[at].start;
}

void reentry_expect(struct source_draft *d, int at, int32_t id)
{
    d->second = -1;
    d->source_word = compared_word(d, at, id);
    if (at >= d->n_src) {
        d->expected = d->n_src;
    } else if (d->src[at] == id) {
        d->expected = at + 1;
    } else {
        d->expected = expected_after_miss(d, at, id);
        d->second = d->expected == at ? next_word(d, at) : at;
    }
}

/* The word is not what was guessed; the source's word is still the same, unless it has ended. */
void reentry_expect_own(struct source_draft *d, int from, int32_t id)
{
    if (begins_word(d, id)) {
        reentry_expect(d, from, id);
        return;
    }
    d->expected = from;
    d->second = -1;
}

/* Source position behind the best occurrence of the last 4, else 3, 2, 1 tokens of the output, or
 * -1. Nearest to the expected position; a single token must be near to count. */
static int search(const struct source_draft *d)
{
    int longest = d->n_out < STETI_NGRAM_MAX ? d->n_out : STETI_NGRAM_MAX;
    for (int len = longest; len >= 1; len--) {
        const int32_t *ends, *gram = d->out + d->n_out - len;
        int n = steti_ngram_find(&d->index, gram, len, &ends);
        if (n > 0) {
            int at = steti_ngram_nearest(ends, n, d->expected);
            int reach = begins_word(d, *gram) ? REACH_WORD : REACH_INNER;
            if (len > 1 || abs(at - d->expected) <= reach) {
                return at;
            }
        }
    }
    return -1;
}

/* The last token stands somewhere in the source, with more of a word behind it: the output's word
 * may go on alike. */
static void add_rest_of_word(struct source_draft *d)
{
    struct draft_branch b = {.from = d->expected};
    const int32_t *ends;
    int n = steti_ngram_find(&d->index, d->out + d->n_out - 1, 1, &ends);
    int at = n > 0 ? steti_ngram_nearest(ends, n, d->expected) : d->n_src;
    if (at >= d->n_src || begins_word(d, d->src[at]) || next_word(d, at) - at > SPELLING_WORD) {
        return;
    }
    for (int i = at; i < next_word(d, at); i++) {
        b.own[b.n_own++] = d->src[i];
    }
    source_draft_add(d, &b);
}

/* Where the source has ended and the last word is not in it, the sentence still lacks its mark. */
static void add_expected(struct source_draft *d)
{
    struct draft_branch stop = {.from = d->n_src, .n_own = 1, .own = {d->full_stop}};
    source_draft_add_place(d, d->expected);
    if (d->expected >= d->n_src && !d->mark_last && d->full_stop >= 0) {
        source_draft_add(d, &stop);
    }
}

static void add_side_places(struct source_draft *d)
{
    int next = next_word(d, d->expected);
    source_draft_add_place(d, d->second);
    source_draft_add_place(d, next);
    source_draft_add_place(d, next_word(d, next));
    source_draft_add_place(d, d->expected - 1);
    source_draft_add_place(d, d->expected + 1);
}

int reentry_branches(struct source_draft *d, int most)
{
    int match = d->n_out == 0 ? 0 : search(d), is_found, is_spelled;
    struct draft_branch b;
    d->n_branches = 0;
    source_draft_add_place(d, match);
    is_found = d->n_branches > 0;
    if (d->n_out > 0 && d->n_branches < most) {
        is_spelled = respell(d, &b);
        if (is_spelled) {
            source_draft_add(d, &b);
        } else if (match < 0) {
            add_rest_of_word(d);
        }
        add_expected(d);
        if (most > 1) {
            add_side_places(d);
        }
    }
    d->n_branches = d->n_branches < most ? d->n_branches : most;
    return is_found && d->n_out > 0;
}
