/* The most likely pieces of a segment. Sums are double, and equal ones keep the earlier start: as
 * the reference library, whose scores are those of the JSON text. */
#include "alloc.h"
#include "hf.h"
#include "spm_encode.h"

#define UNK_PENALTY 10.0

/* The best way to reach a byte position. */
struct best {
    double score;
    int32_t start; /* of the last piece; -1: not reached */
    int32_t id;
};

static void offer(struct best *b, double candidate, size_t start, int32_t id)
{
    if (b->start < 0 || candidate > b->score) {
        *b = (struct best){candidate, (int32_t)start, id};
    }
}

static int is_text(const struct steti_hf *h, int32_t id)
{
    return id >= 0 && (h->vocab.entries[id].flags & STETI_VOCAB_SPECIAL) == 0;
}

/* Offers every piece that starts at `start`. Returns 1 if one of them is exactly one character
 * long. */
static int offer_pieces(const struct steti_hf *h, struct steti_hf_run *r, const char *s, size_t n,
                        size_t start)
{
    struct best *best = r->scratch[0];
    const struct steti_spm_trie *t = &h->vocab.trie;
    size_t one = steti_spm_char_len(s + start, n - start), end = start;
    double so_far = best[start].score;
    uint32_t node = 0;
    int found = 0;
    while (end < n) {
        int32_t id;
        node = steti_spm_trie_step(t, node, (unsigned char)s[end++]);
        if (node == STETI_SPM_TRIE_NONE) {
            break;
        }
        id = t->slots[node].value;
        if (is_text(h, id)) {
            offer(&best[end], h->unigram.scores[id] + so_far, start, id);
            found = found || end - start == one;
        }
    }
    r->work += end - start;
    return found;
}

static stet_status search(const struct steti_hf *h, struct steti_hf_run *r, const char *s, size_t n)
{
    double unk_score = h->unigram.min_score - UNK_PENALTY;
    struct best *best;
    STETI_TRY(steti_grow(&r->scratch[0], &r->scratch_cap[0], n + 1, sizeof *best, r->err));
    best = r->scratch[0];
    for (size_t i = 0; i <= n; i++) {
        best[i] = (struct best){0, -1, -1};
    }
    for (size_t start = 0; start < n;) {
        size_t one = steti_spm_char_len(s + start, n - start);
        if (!offer_pieces(h, r, s, n, start)) {
            offer(&best[start + one], unk_score + best[start].score, start, h->unigram.unk_id);
        }
        start += one;
    }
    return STET_OK;
}

/* Turns the links back from the end into links forward: best[i].start becomes the end of the piece
 * that starts at i, and best[i].id its id. */
static void turn_around(struct best *best, size_t n)
{
    size_t end = n;
    int32_t after = -1, id_after = -1;
    while (end > 0) {
        size_t start = (size_t)best[end].start;
        int32_t id = best[end].id;
        best[end].start = after;
        best[end].id = id_after;
        after = (int32_t)end;
        id_after = id;
        end = start;
    }
    best[0].start = after;
    best[0].id = id_after;
}

/* Unknown characters side by side are looked up as one: as pieces of bytes, else as <unk>. */
static stet_status put_unknown(const struct steti_hf *h, struct steti_hf_run *r,
                               const struct steti_hf_seg *s, const size_t range[2],
                               struct steti_pieces *out)
{
    const char *text = r->text.data + s->begin + range[0];
    size_t n = range[1] - range[0];
    uint32_t begin = r->text.map[s->begin + range[0]];
    uint32_t end = steti_hf_source_end(r, s, s->begin + (uint32_t)range[1]);
    int32_t id = steti_vocab_find(&h->vocab, text, n);
    int bytes = h->byte_fallback;
    for (size_t i = 0; bytes && i < n; i++) {
        bytes = h->byte_ids[(unsigned char)text[i]] >= 0;
    }
    if (is_text(h, id) || !bytes) {
        id = is_text(h, id) ? id : h->unigram.unk_id;
        return steti_pieces_push(out, (struct steti_piece){id, begin, end}, r->err);
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t next = steti_hf_source_end(r, s, s->begin + (uint32_t)(range[0] + i + 1));
        struct steti_piece p = {h->byte_ids[(unsigned char)text[i]], begin, next};
        STETI_TRY(steti_pieces_push(out, p, r->err));
        begin = next;
    }
    return STET_OK;
}

stet_status steti_hf_unigram_encode(const struct steti_hf *h, struct steti_hf_run *r,
                                    const struct steti_hf_seg *s, struct steti_pieces *out)
{
    size_t n = s->end - s->begin;
    const struct best *best;
    STETI_TRY(search(h, r, r->text.data + s->begin, n));
    turn_around(r->scratch[0], n);
    best = r->scratch[0];
    for (size_t pos = 0; pos < n;) {
        size_t range[2] = {pos, (size_t)best[pos].start};
        int32_t id = best[pos].id;
        pos = range[1];
        if (id == h->unigram.unk_id) {
            while (pos < n && best[pos].id == id) {
                pos = (size_t)best[pos].start;
            }
            range[1] = pos;
            STETI_TRY(put_unknown(h, r, s, range, out));
            continue;
        }
        STETI_TRY(steti_pieces_push(
            out,
            (struct steti_piece){id, r->text.map[s->begin + range[0]],
                                 steti_hf_source_end(r, s, s->begin + (uint32_t)pos)},
            r->err));
    }
    return STET_OK;
}
