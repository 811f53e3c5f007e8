/* The stages that write the text anew. */
#include <string.h>

#include "alloc.h"
#include "byte_chars.h"
#include "hf.h"
#include "spm_charsmap.h"
#include "spm_encode.h"
#include "unicode_classes.h"
#include "utf8.h"

#define MAX_TEXT ((size_t)INT32_MAX - 16)
#define SHORT_CLUSTER 6 /* bytes; the reference library looks at shorter clusters as a whole */

void steti_hf_run_free(struct steti_hf_run *r)
{
    steti_spm_text_free(&r->text);
    steti_spm_text_free(&r->next);
    steti_free(r->segs.data);
    steti_free(r->next_segs.data);
    for (int i = 0; i < 3; i++) {
        steti_free(r->scratch[i]);
    }
}

stet_status steti_hf_put(struct steti_hf_run *r, const char *s, size_t n, uint32_t source)
{
    struct steti_spm_text *t = &r->next;
    if (n >= t->cap_data - t->len || n >= t->cap_map - t->len) {
        void *data = t->data, *map = t->map;
        stet_status st;
        if (n > MAX_TEXT - t->len) {
            return steti_fail(r->err, STET_E_TOO_LONG, "the normalised text exceeds %zu bytes",
                              MAX_TEXT);
        }
        st = steti_grow(&data, &t->cap_data, t->len + n + 1, 1, r->err);
        t->data = data;
        STETI_TRY(st);
        st = steti_grow(&map, &t->cap_map, t->len + n + 1, sizeof *t->map, r->err);
        t->map = map;
        STETI_TRY(st);
    }
    for (size_t i = 0; i < n; i++) {
        t->data[t->len] = s[i];
        t->map[t->len++] = source;
    }
    r->work += n;
    return STET_OK;
}

stet_status steti_hf_put_seg(struct steti_hf_run *r, struct steti_hf_seg s)
{
    void *data = r->next_segs.data;
    stet_status st = steti_grow(&data, &r->next_segs.cap, r->next_segs.len + 1,
                                sizeof *r->next_segs.data, r->err);
    r->next_segs.data = data;
    STETI_TRY(st);
    r->next_segs.data[r->next_segs.len++] = s;
    r->work++;
    return STET_OK;
}

/* Copies text bytes [from, to). */
static stet_status copy(struct steti_hf_run *r, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        STETI_TRY(steti_hf_put(r, r->text.data + i, 1, r->text.map[i]));
    }
    return STET_OK;
}

/* The rule with the shortest source; 0 if there is none. */
static int has_rule(const struct steti_hf_stage *stage, const char *s, size_t n, const char **text)
{
    return steti_spm_charsmap_first(&stage->charsmap, s, n, text) > 0;
}

/* As the reference library does it, odd as it is: a cluster of less than six bytes becomes what
 * the shortest rule at its front says, whatever follows there; in longer ones it is character by
 * character. */
static stet_status normalize_cluster(const struct steti_hf_stage *stage, struct steti_hf_run *r,
                                     size_t begin, size_t end)
{
    const char *s = r->text.data, *text;
    if (end - begin < SHORT_CLUSTER && has_rule(stage, s + begin, end - begin, &text)) {
        return steti_hf_put(r, text, strlen(text), r->text.map[begin]);
    }
    while (begin < end) {
        size_t k = steti_spm_char_len(s + begin, end - begin);
        if (has_rule(stage, s + begin, k, &text)) {
            STETI_TRY(steti_hf_put(r, text, strlen(text), r->text.map[begin]));
        } else {
            STETI_TRY(copy(r, begin, begin + k));
        }
        begin += k;
    }
    return STET_OK;
}

static stet_status run_charsmap(const struct steti_hf_stage *stage, struct steti_hf_run *r,
                                const struct steti_hf_seg *s)
{
    for (size_t pos = s->begin; pos < s->end;) {
        size_t n = steti_cluster_len(r->text.data + pos, s->end - pos);
        STETI_TRY(normalize_cluster(stage, r, pos, pos + n));
        pos += n;
    }
    return STET_OK;
}

static stet_status run_replace(const struct steti_hf_stage *stage, struct steti_hf_run *r,
                               const struct steti_hf_seg *s)
{
    size_t n = stage->from_len;
    for (size_t pos = s->begin; pos < s->end;) {
        if (s->end - pos >= n && memcmp(r->text.data + pos, stage->from, n) == 0) {
            STETI_TRY(steti_hf_put(r, stage->to, stage->to_len, r->text.map[pos]));
            pos += n;
        } else {
            STETI_TRY(copy(r, pos, pos + 1));
            pos++;
        }
    }
    return STET_OK;
}

static stet_status run_squeeze(const struct steti_hf_stage *stage, struct steti_hf_run *r,
                               const struct steti_hf_seg *s)
{
    for (size_t pos = s->begin; pos < s->end;) {
        size_t end = pos;
        while (end < s->end && r->text.data[end] == ' ') {
            end++;
        }
        if (end - pos >= 2) {
            STETI_TRY(steti_hf_put(r, stage->to, stage->to_len, r->text.map[pos]));
            pos = end;
        } else {
            STETI_TRY(copy(r, pos, pos + 1));
            pos++;
        }
    }
    return STET_OK;
}

static stet_status run_prefix(const struct steti_hf_stage *stage, struct steti_hf_run *r,
                              const struct steti_hf_seg *s)
{
    size_t n = s->end - s->begin;
    int there =
        n >= stage->to_len && memcmp(r->text.data + s->begin, stage->to, stage->to_len) == 0;
    if (n > 0 && !((stage->flags & STETI_HF_UNLESS_THERE) != 0 && there) &&
        !((stage->flags & STETI_HF_FIRST_ONLY) != 0 && s->src_begin > 0)) {
        STETI_TRY(steti_hf_put(r, stage->to, stage->to_len, r->text.map[s->begin]));
    }
    return copy(r, s->begin, s->end);
}

static stet_status run_byte_chars(struct steti_hf_run *r, const struct steti_hf_seg *s)
{
    for (size_t pos = s->begin; pos < s->end; pos++) {
        char c[4];
        int n = steti_utf8_encode(steti_byte_to_char((unsigned char)r->text.data[pos]), c);
        STETI_TRY(steti_hf_put(r, c, (size_t)n, r->text.map[pos]));
    }
    return STET_OK;
}

static stet_status rewrite_seg(const struct steti_hf_stage *stage, struct steti_hf_run *r,
                               const struct steti_hf_seg *s)
{
    switch (stage->op) {
    case STETI_HF_CHARSMAP:
        return run_charsmap(stage, r, s);
    case STETI_HF_REPLACE:
        return run_replace(stage, r, s);
    case STETI_HF_SQUEEZE:
        return run_squeeze(stage, r, s);
    case STETI_HF_PREFIX:
        return run_prefix(stage, r, s);
    default:
        return run_byte_chars(r, s);
    }
}

static int is_cut(enum steti_hf_op op)
{
    return op >= STETI_HF_ADDED;
}

static stet_status run_seg(const struct steti_hf *h, const struct steti_hf_stage *stage,
                           struct steti_hf_run *r, const struct steti_hf_seg *s)
{
    struct steti_hf_seg out = *s;
    if (is_cut(stage->op)) {
        return s->id >= 0 ? steti_hf_put_seg(r, *s) : steti_hf_cut(h, stage, r, s);
    }
    out.begin = (uint32_t)r->next.len;
    if (s->id < 0) {
        STETI_TRY(rewrite_seg(stage, r, s));
    }
    out.end = (uint32_t)r->next.len;
    return steti_hf_put_seg(r, out);
}

stet_status steti_hf_stages_run(const struct steti_hf *h, size_t first, size_t last,
                                struct steti_hf_run *r)
{
    for (size_t i = first; i < last; i++) {
        struct steti_hf_segs segs;
        r->next_segs.len = 0;
        r->next.len = 0;
        for (size_t k = 0; k < r->segs.len; k++) {
            STETI_TRY(run_seg(h, &h->stages[i], r, &r->segs.data[k]));
        }
        segs = r->segs;
        r->segs = r->next_segs;
        r->next_segs = segs;
        if (!is_cut(h->stages[i].op)) {
            struct steti_spm_text text = r->text;
            r->text = r->next;
            r->next = text;
        }
    }
    return STET_OK;
}
