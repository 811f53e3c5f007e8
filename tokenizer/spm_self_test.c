#include <math.h>
#include <string.h>

#include "spm_build.h"
#include "spm_encode.h"

/* The trainer of a model may store sample texts with the pieces it cut them into, joined by
 * spaces. */
struct self_test {
    const struct steti_spm_model *m;
    const char *name;
    size_t n_done;
    struct steti_spm_text text;
    struct steti_spm_segments segments;
};

/* Reads the next word of a list joined by single spaces; 0 at its end. */
static int next_word(const struct steti_spm_view *list, size_t *pos, struct steti_spm_view *word)
{
    const char *space;
    if (*pos > list->len) {
        return 0;
    }
    word->data = list->len > 0 ? list->data + *pos : ""; /* data may be NULL: not in the file */
    space = *pos < list->len ? memchr(word->data, ' ', list->len - *pos) : NULL;
    word->len = space != NULL ? (size_t)(space - word->data) : list->len - *pos;
    *pos += word->len + 1;
    return 1;
}

static int32_t vocab_id(const struct steti_spm_model *m, const char *s, size_t n)
{
    uint32_t node = steti_spm_trie_walk(&m->vocab, 0, s, n);
    return node == STETI_SPM_TRIE_NONE ? -1 : m->vocab.slots[node].value;
}

/* The text that a segment shows: byte pieces are spelled out, as "<0x41>". */
static int same_as_segment(const struct steti_spm_model *m, struct steti_spm_segment x,
                           const char *s, const struct steti_spm_view *list, size_t *pos)
{
    struct steti_spm_view word;
    if (x.id != m->unk_id || !m->byte_fallback) {
        int fits = *pos <= list->len && list->len - *pos >= x.len &&
                   memcmp(list->data + *pos, s, x.len) == 0;
        *pos += x.len;
        return fits;
    }
    for (uint32_t i = 0; i < x.len; i++) {
        const struct steti_spm_piece *p = &m->pieces[m->byte_ids[(unsigned char)s[i]]];
        if (!next_word(list, pos, &word) || word.len != p->len ||
            memcmp(word.data, m->text + p->off, p->len) != 0) {
            return 0;
        }
    }
    *pos -= 1; /* stand at the space, as after a plain piece */
    return 1;
}

static int same_pieces(const struct self_test *t, const struct steti_spm_view *expected)
{
    size_t pos = 0, at = 0;
    int after_unk = 0;
    for (size_t i = 0; i < t->segments.len; i++) {
        struct steti_spm_segment x = t->segments.data[i];
        int unk = x.id == t->m->unk_id;
        int joined = unk && after_unk && !t->m->byte_fallback;
        if (i > 0 && !joined) {
            if (pos >= expected->len || expected->data[pos] != ' ') {
                return 0;
            }
            pos++;
        }
        if (!same_as_segment(t->m, x, t->text.data + at, expected, &pos)) {
            return 0;
        }
        after_unk = unk;
        at += x.len;
    }
    return pos == expected->len;
}

/* Two cuts of equal score are equally right for a unigram model: rounding may have decided
 * between them. */
static float expected_score(const struct steti_spm_model *m, const struct steti_spm_view *expected)
{
    struct steti_spm_view word;
    size_t pos = 0;
    float sum = 0;
    while (next_word(expected, &pos, &word)) {
        int32_t id = vocab_id(m, word.data, word.len);
        sum += id < 0 ? steti_spm_unk_score(m) : steti_spm_piece_score(m, id, word.len);
    }
    return sum;
}

static float own_score(const struct self_test *t)
{
    float sum = 0;
    for (size_t i = 0; i < t->segments.len; i++) {
        struct steti_spm_segment x = t->segments.data[i];
        sum += x.id == t->m->unk_id ? steti_spm_unk_score(t->m)
                                    : steti_spm_piece_score(t->m, x.id, x.len);
    }
    return sum;
}

static stet_status check_sample(void *ctx, const struct steti_spm_proto_sample *sample,
                                stet_error *err)
{
    struct self_test *t = ctx;
    t->segments.len = 0;
    STETI_TRY(steti_spm_segment(t->m, sample->input.data, sample->input.len, &t->text, &t->segments,
                                err));
    t->n_done++;
    if (same_pieces(t, &sample->expected)) {
        return STET_OK;
    }
    if (t->m->kind == STETI_SPM_UNIGRAM &&
        fabsf(expected_score(t->m, &sample->expected) - own_score(t)) <= 1e-7f) {
        return STET_OK;
    }
    return steti_fail(err, STET_E_FORMAT,
                      "%s: self-test sample %zu is not cut into the pieces that the file expects; "
                      "the file is damaged",
                      t->name, t->n_done - 1);
}

stet_status steti_spm_self_test(const struct steti_spm_model *m,
                                const struct steti_spm_proto *proto, stet_error *err)
{
    struct self_test t;
    stet_status st;
    if (proto->n_samples == 0) {
        return STET_OK;
    }
    memset(&t, 0, sizeof t);
    t.m = m;
    t.name = proto->name;
    st = steti_spm_proto_samples(proto, check_sample, &t, err);
    steti_spm_text_free(&t.text);
    steti_spm_segments_free(&t.segments);
    return st;
}
