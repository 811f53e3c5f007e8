/* The stages that cut the text. */
#include <string.h>

#include "hf.h"
#include "utf8.h"

/* Text bytes [begin, end) of a segment as one of its own; nothing if it is empty. */
static stet_status put_part(struct steti_hf_run *r, const struct steti_hf_seg *s, size_t begin,
                            size_t end)
{
    struct steti_hf_seg part;
    if (begin == end) {
        return STET_OK;
    }
    part = (struct steti_hf_seg){(uint32_t)begin, (uint32_t)end, r->text.map[begin],
                                 steti_hf_source_end(r, s, (uint32_t)end), -1};
    return steti_hf_put_seg(r, part);
}

static int space_at(const struct steti_hf_run *r, size_t pos, size_t end, size_t *len)
{
    uint32_t cp;
    int k = steti_utf8_decode(r->text.data + pos, end - pos, &cp);
    *len = (size_t)(k > 0 ? k : -k);
    return steti_cp_is_space(cp);
}

/* The stripped source bytes stay with the segment. */
static stet_status strip(const struct steti_hf_stage *stage, struct steti_hf_run *r,
                         const struct steti_hf_seg *s)
{
    struct steti_hf_seg out = *s;
    size_t k, last = s->begin;
    while ((stage->flags & STETI_HF_LEFT) != 0 && out.begin < out.end &&
           space_at(r, out.begin, out.end, &k)) {
        out.begin += (uint32_t)k;
    }
    for (size_t pos = out.begin; (stage->flags & STETI_HF_RIGHT) != 0 && pos < s->end; pos += k) {
        int space = space_at(r, pos, s->end, &k);
        last = space ? last : pos + k;
        r->work++;
    }
    if ((stage->flags & STETI_HF_RIGHT) != 0) {
        out.end = last > out.begin ? (uint32_t)last : out.begin;
    }
    return steti_hf_put_seg(r, out);
}

static stet_status split_at_space(struct steti_hf_run *r, const struct steti_hf_seg *s)
{
    size_t begin = s->begin, k;
    for (size_t pos = s->begin; pos < s->end; pos += k) {
        r->work++;
        if (space_at(r, pos, s->end, &k)) {
            STETI_TRY(put_part(r, s, begin, pos));
            begin = pos + k;
        }
    }
    return put_part(r, s, begin, s->end);
}

static stet_status split_at_mark(const struct steti_hf_stage *stage, struct steti_hf_run *r,
                                 const struct steti_hf_seg *s)
{
    size_t begin = s->begin, n = stage->to_len;
    for (size_t pos = s->begin; pos + n <= s->end; pos++) {
        r->work++;
        if (memcmp(r->text.data + pos, stage->to, n) == 0) {
            STETI_TRY(put_part(r, s, begin, pos));
            begin = pos;
            pos += n - 1;
        }
    }
    return put_part(r, s, begin, s->end);
}

static stet_status split_words(struct steti_hf_run *r, const struct steti_hf_seg *s)
{
    for (size_t pos = s->begin; pos < s->end;) {
        size_t n = steti_gpt2_word(r->text.data + pos, s->end - pos);
        STETI_TRY(put_part(r, s, pos, pos + n));
        r->work += n;
        pos += n;
    }
    return STET_OK;
}

stet_status steti_hf_cut(const struct steti_hf *h, const struct steti_hf_stage *stage,
                         struct steti_hf_run *r, const struct steti_hf_seg *s)
{
    switch (stage->op) {
    case STETI_HF_ADDED:
        return steti_hf_cut_added(h, stage->flags, r, s);
    case STETI_HF_STRIP:
        return strip(stage, r, s);
    case STETI_HF_SPACE_SPLIT:
        return split_at_space(r, s);
    case STETI_HF_MARK_SPLIT:
        return split_at_mark(stage, r, s);
    default:
        return split_words(r, s);
    }
}
