#include "spm_normalize.h"

#include <string.h>

#include "alloc.h"
#include "spm_charsmap.h"
#include "utf8.h"

#define MAX_NORMALIZED ((size_t)INT32_MAX - 16)

static const char space_mark[3] = {'\xE2', '\x96', '\x81'}; /* U+2581 */

/* What the next few source bytes become. */
struct chunk {
    const char *text;
    size_t len;
    size_t source; /* bytes taken from the source */
};

/* State of one call. */
struct run {
    const struct steti_spm_model *m;
    const char *s;
    size_t len, pos;
    struct steti_spm_text *out;
};

void steti_spm_text_free(struct steti_spm_text *t)
{
    steti_free(t->data);
    steti_free(t->map);
    memset(t, 0, sizeof *t);
}

static stet_status reserve(struct steti_spm_text *t, size_t extra, stet_error *err)
{
    void *data = t->data, *map = t->map;
    stet_status st;
    if (extra < t->cap_data - t->len && extra < t->cap_map - t->len) {
        return STET_OK;
    }
    if (extra > MAX_NORMALIZED - t->len) {
        return steti_fail(err, STET_E_TOO_LONG, "the normalised text exceeds %zu bytes",
                          MAX_NORMALIZED);
    }
    st = steti_grow(&data, &t->cap_data, t->len + extra + 1, 1, err);
    t->data = data;
    STETI_TRY(st);
    st = steti_grow(&map, &t->cap_map, t->len + extra + 1, sizeof *t->map, err);
    t->map = map;
    return st;
}

static void put(struct steti_spm_text *t, const char *s, size_t n, size_t source)
{
    for (size_t i = 0; i < n; i++) {
        t->data[t->len] = s[i];
        t->map[t->len++] = (uint32_t)source;
    }
}

/* Needs room for three bytes. */
static void put_space(const struct run *r)
{
    if (r->m->escape_whitespaces) {
        put(r->out, space_mark, sizeof space_mark, r->pos);
    } else {
        put(r->out, " ", 1, r->pos);
    }
}

static struct chunk next_chunk(const struct run *r)
{
    const char *s = r->s + r->pos;
    size_t left = r->len - r->pos;
    struct chunk c;
    int32_t id;
    uint32_t cp;
    int k;
    c.source = steti_spm_trie_longest(&r->m->user, s, left, &id);
    if (c.source > 0) {
        c.text = s;
        c.len = c.source;
        return c;
    }
    c.source = steti_spm_charsmap_match(&r->m->charsmap, s, left, &c.text);
    if (c.source > 0) {
        c.len = strlen(c.text);
        return c;
    }
    k = steti_utf8_decode(s, left, &cp);
    c.text = k > 0 ? s : "\xEF\xBF\xBD";
    c.len = k > 0 ? (size_t)k : 3;
    c.source = k > 0 ? (size_t)k : 1; /* one U+FFFD a byte, as the reference library does */
    return c;
}

static int is_one_space(const struct chunk *c)
{
    return c->len == 1 && c->text[0] == ' ';
}

/* Writes a chunk without the spaces that continue a run of spaces. Returns whether it ended in a
 * space (in *after_space; unchanged if nothing was written). */
static stet_status put_chunk(const struct run *r, struct chunk c, int *after_space, stet_error *err)
{
    while (*after_space && c.len > 0 && c.text[0] == ' ') {
        c.text++;
        c.len--;
    }
    if (c.len == 0) {
        return STET_OK;
    }
    STETI_TRY(reserve(r->out, c.len * sizeof space_mark, err));
    for (size_t i = 0; i < c.len; i++) {
        if (c.text[i] == ' ') {
            put_space(r);
        } else {
            put(r->out, c.text + i, 1, r->pos);
        }
    }
    *after_space = c.text[c.len - 1] == ' ';
    return STET_OK;
}

/* Also takes marks that the text itself ended with, and even the inserted one: as the reference
 * library. */
static void trim_end(const struct run *r, size_t *end)
{
    struct steti_spm_text *t = r->out;
    const char *space = r->m->escape_whitespaces ? space_mark : " ";
    size_t n = r->m->escape_whitespaces ? sizeof space_mark : 1;
    while (t->len >= n && memcmp(t->data + t->len - n, space, n) == 0) {
        t->len -= n;
        *end = t->map[t->len];
    }
}

static void skip_leading_spaces(struct run *r)
{
    while (r->pos < r->len) {
        struct chunk c = next_chunk(r);
        if (!is_one_space(&c)) {
            break;
        }
        r->pos += c.source;
    }
}

stet_status steti_spm_normalize(const struct steti_spm_model *m, const char *s, size_t len,
                                struct steti_spm_text *out, stet_error *err)
{
    struct run r = {m, s, len, 0, out};
    int squeeze = m->remove_extra_whitespaces, after_space = squeeze;
    size_t end;
    out->len = 0;
    STETI_TRY(reserve(out, len < MAX_NORMALIZED ? len + 3 : 3, err));
    if (squeeze) {
        skip_leading_spaces(&r);
    }
    out->map[0] = (uint32_t)r.pos;
    if (r.pos == len) {
        return STET_OK;
    }
    if (m->add_dummy_prefix && !m->treat_whitespace_as_suffix) {
        put_space(&r);
    }
    while (r.pos < len) {
        struct chunk c = next_chunk(&r);
        STETI_TRY(put_chunk(&r, c, &after_space, err));
        r.pos += c.source;
        after_space = after_space && squeeze;
    }
    end = r.pos;
    if (squeeze) {
        trim_end(&r, &end);
    }
    r.pos = end;
    STETI_TRY(reserve(out, sizeof space_mark, err));
    if (m->add_dummy_prefix && m->treat_whitespace_as_suffix) {
        put_space(&r);
    }
    out->map[out->len] = (uint32_t)end;
    return STET_OK;
}
