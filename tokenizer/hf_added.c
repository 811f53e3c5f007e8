/* Added tokens: texts that become one id wherever they stand, before anything else is looked at.
 * Special ones are left out, so that no text can become a control id. */
#include "hf.h"
#include "unicode_classes.h"
#include "utf8.h"

/* One pass over a segment. */
struct pass {
    struct steti_hf_run *r;
    const struct steti_hf_seg *s;
    size_t done; /* text before it has been written */
    /* White space that a match has been stripped of: [space_begin, space_end), and none at
     * space_end. Looked up again, so that a token of white space costs no more than others. */
    size_t space_begin, space_end;
};

/* Begin of the character that ends at pos. */
static size_t step_back(const struct pass *p, size_t pos, size_t lowest)
{
    size_t at = pos - 1;
    while (at > lowest && pos - at < 4 && ((unsigned char)p->r->text.data[at] & 0xC0) == 0x80) {
        at--;
    }
    return at;
}

static uint32_t char_at(const struct pass *p, size_t pos, size_t end, size_t *len)
{
    uint32_t cp;
    int k = steti_utf8_decode(p->r->text.data + pos, end - pos, &cp);
    *len = (size_t)(k > 0 ? k : -k);
    return cp;
}

static int is_single_word(const struct pass *p, size_t begin, size_t end)
{
    size_t k;
    if (begin > p->s->begin) {
        uint32_t cp = char_at(p, step_back(p, begin, p->s->begin), begin, &k);
        if ((steti_cp_classes(cp) & STETI_CLASS_WORD) != 0) {
            return 0;
        }
    }
    return end == p->s->end ||
           (steti_cp_classes(char_at(p, end, p->s->end, &k)) & STETI_CLASS_WORD) == 0;
}

static size_t strip_left(const struct pass *p, size_t begin)
{
    while (begin > p->done) {
        size_t k, at = step_back(p, begin, p->done);
        if (!steti_cp_is_space(char_at(p, at, begin, &k))) {
            break;
        }
        begin = at;
        p->r->work++;
    }
    return begin;
}

static size_t strip_right(struct pass *p, size_t end)
{
    size_t k;
    if (end >= p->space_begin && end <= p->space_end) {
        return p->space_end;
    }
    p->space_begin = end;
    while (end < p->s->end && steti_cp_is_space(char_at(p, end, p->s->end, &k))) {
        end += k;
        p->r->work++;
    }
    p->space_end = end;
    return end;
}

static stet_status put_text(struct pass *p, size_t end)
{
    const struct steti_hf_seg *s = p->s;
    struct steti_hf_seg text = {(uint32_t)p->done, (uint32_t)end, 0, 0, -1};
    if (p->done >= end) {
        return STET_OK;
    }
    text.src_begin = p->r->text.map[p->done];
    text.src_end = steti_hf_source_end(p->r, s, (uint32_t)end);
    p->done = end;
    return steti_hf_put_seg(p->r, text);
}

static stet_status put_token(struct pass *p, const struct steti_hf_added *a, size_t begin,
                             size_t end)
{
    struct steti_hf_seg token = {0, 0, 0, 0, a->id};
    begin = a->lstrip ? strip_left(p, begin) : begin;
    end = a->rstrip ? strip_right(p, end) : end;
    STETI_TRY(put_text(p, begin));
    begin = begin > p->done ? begin : p->done;
    end = end > begin ? end : begin;
    token.src_begin = begin < p->s->end ? p->r->text.map[begin] : p->s->src_end;
    token.src_end = steti_hf_source_end(p->r, p->s, (uint32_t)end);
    p->done = end;
    return steti_hf_put_seg(p->r, token);
}

stet_status steti_hf_cut_added(const struct steti_hf *h, int tree, struct steti_hf_run *r,
                               const struct steti_hf_seg *s)
{
    struct pass p = {r, s, s->begin, 1, 0};
    if (h->match[tree].slots == NULL) {
        return s->begin < s->end ? put_text(&p, s->end) : STET_OK;
    }
    for (size_t pos = s->begin; pos < s->end;) {
        int32_t index;
        size_t n =
            steti_spm_trie_longest(&h->match[tree], r->text.data + pos, s->end - pos, &index);
        r->work += 1 + n;
        if (n > 0 && (!h->added[index].single_word || is_single_word(&p, pos, pos + n))) {
            STETI_TRY(put_token(&p, &h->added[index], pos, pos + n));
        }
        pos += n > 0 ? n : 1;
    }
    return put_text(&p, s->end);
}
