#include "alloc.h"
#include "spm_encode.h"

#define UNK_PENALTY 10.0f
#define USER_BONUS 0.1 /* a byte; as the reference library has it */

/* The best way to reach a byte position. Kept per position rather than as a lattice: with a
 * unigram model a path's score is the score at the piece's start plus the piece's own. */
struct best {
    float score;
    int32_t start; /* of the last piece; -1: not reached */
    int32_t id;
};

float steti_spm_piece_score(const struct steti_spm_model *m, int32_t id, size_t len)
{
    const struct steti_spm_piece *p = &m->pieces[id];
    if (p->type == STETI_SPM_USER_DEFINED) {
        return (float)((double)len * USER_BONUS - USER_BONUS);
    }
    return p->score;
}

float steti_spm_unk_score(const struct steti_spm_model *m)
{
    return m->min_score - UNK_PENALTY;
}

/* All sums are float, so that near-ties go the way they do in the reference library. Equal
 * scores keep the earlier start. */
static void offer(struct best *b, float candidate, size_t start, int32_t id)
{
    if (b->start < 0 || candidate > b->score) {
        b->score = candidate;
        b->start = (int32_t)start;
        b->id = id;
    }
}

/* Offers every piece that starts at `start`. Returns 1 if one of them is exactly one character
 * long. */
static int offer_pieces(const struct steti_spm_model *m, const char *s, size_t n, size_t start,
                        struct best *best)
{
    size_t one = steti_spm_char_len(s + start, n - start);
    float so_far = best[start].score;
    uint32_t node = 0;
    int found = 0;
    for (size_t end = start + 1; end <= n; end++) {
        int32_t id;
        node = steti_spm_trie_step(&m->vocab, node, (unsigned char)s[end - 1]);
        if (node == STETI_SPM_TRIE_NONE) {
            break;
        }
        id = m->vocab.slots[node].value;
        if (id < 0 || m->pieces[id].type == STETI_SPM_UNUSED) {
            continue;
        }
        offer(&best[end], steti_spm_piece_score(m, id, end - start) + so_far, start, id);
        found = found || end - start == one;
    }
    return found;
}

/* Follows the best path back from the end. */
static stet_status collect(const struct best *best, size_t n, struct steti_spm_segments *out,
                           stet_error *err)
{
    size_t count = 0;
    void *data = out->data;
    stet_status st;
    for (size_t end = n; end > 0; end = (size_t)best[end].start) {
        count++;
    }
    st = steti_grow(&data, &out->cap, out->len + count, sizeof *out->data, err);
    out->data = data;
    STETI_TRY(st);
    out->len += count;
    for (size_t end = n, i = out->len; end > 0; end = (size_t)best[end].start) {
        size_t start = (size_t)best[end].start;
        out->data[--i] = (struct steti_spm_segment){(uint32_t)(end - start), best[end].id};
    }
    return STET_OK;
}

stet_status steti_spm_unigram(const struct steti_spm_model *m, const char *s, size_t n,
                              struct steti_spm_segments *out, stet_error *err)
{
    float unk_score = steti_spm_unk_score(m);
    size_t bytes = (n + 1) * sizeof(struct best);
    struct best *best = steti_malloc(bytes);
    stet_status st;
    if (best == NULL) {
        return steti_fail_nomem(err, "cutting a text into pieces", bytes);
    }
    for (size_t i = 0; i <= n; i++) {
        best[i] = (struct best){0, -1, -1};
    }
    for (size_t start = 0; start < n;) {
        size_t one = steti_spm_char_len(s + start, n - start);
        if (!offer_pieces(m, s, n, start, best)) {
            offer(&best[start + one], unk_score + best[start].score, start, m->unk_id);
        }
        start += one;
    }
    st = collect(best, n, out, err);
    steti_free(best);
    return st;
}
