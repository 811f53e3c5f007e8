#include "piece_table.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "utf8.h"

#define WORD_BOUNDARY 0x2581 /* marks inside pieces: white space */

/* Scripts that are written without spaces: each character may begin a word. */
static int is_unspaced(uint32_t cp)
{
    return (cp >= 0x0E00 && cp < 0x0F00) || (cp >= 0x1000 && cp < 0x10A0) ||
           (cp >= 0x1780 && cp < 0x1800) || (cp >= 0x2E80 && cp < 0xAC00) ||
           (cp >= 0x20000 && cp < 0x40000);
}

static int is_alnum(uint32_t cp)
{
    if (cp < 0x80) {
        return (cp >= '0' && cp <= '9') || (cp >= 'A' && cp <= 'Z') || (cp >= 'a' && cp <= 'z');
    }
    return !(cp < 0xC0 || (cp >= 0x2000 && cp < 0x2070) || (cp >= 0x3000 && cp < 0x3040) ||
             (cp >= 0xFF00 && cp < 0xFF10));
}

/* Any mapping of a character to 16 bits will do; 0 means that there is none. */
static uint16_t first_of(uint32_t cp)
{
    uint32_t x = cp >= 'A' && cp <= 'Z' ? cp - 'A' + 'a' : cp;
    x = (x ^ x >> 16) & 0xFFFF;
    return (uint16_t)(x != 0 ? x : 1);
}

static struct steti_draft_piece describe(const struct steti_piece_info *info)
{
    struct steti_draft_piece p = {info->begins_word ? STETI_PIECE_WORD : 0, 0, 0};
    const char *text = info->text;
    size_t len = info->len;
    uint32_t cp;
    for (size_t at = 0; at < len;) {
        int n = steti_utf8_decode(text + at, len - at, &cp);
        if (cp != WORD_BOUNDARY && cp != ' ') {
            p.flags |= p.first == 0 && is_unspaced(cp) ? STETI_PIECE_WORD : 0;
            p.flags |= is_alnum(cp) ? STETI_PIECE_ALNUM : 0;
            p.first = p.first != 0 ? p.first : first_of(cp);
            p.length += p.length < UINT8_MAX;
        }
        at += (size_t)(n > 0 ? n : -n);
    }
    return p;
}

/* A mark needs no space before it to stand for itself, but for those inside words (don't,
 * well-known). */
static int stands_alone(const char *text, size_t len)
{
    uint32_t cp = 0;
    for (size_t at = 0; at < len;) {
        int n = steti_utf8_decode(text + at, len - at, &cp);
        if (is_alnum(cp) || cp == '\'' || cp == '-' || cp == 0x2019) {
            return 0;
        }
        at += (size_t)(n > 0 ? n : -n);
    }
    return len > 0;
}

static int by_text(const void *pa, const void *pb)
{
    const struct steti_draft_text *a = pa, *b = pb;
    int common = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->data, b->data, (size_t)common);
    if (order == 0) {
        order = a->len != b->len ? a->len - b->len : a->id - b->id;
    }
    return order;
}

/* Sorts, and keeps one of those that have the same text; returns how many are left. */
static int sort_texts(struct steti_draft_text *t, int n)
{
    int kept = 0;
    qsort(t, (size_t)n, sizeof *t, by_text);
    for (int i = 0; i < n; i++) {
        int is_new = kept == 0 || t[kept - 1].len != t[i].len ||
                     memcmp(t[kept - 1].data, t[i].data, (size_t)t[i].len) != 0;
        kept += is_new;
        t[kept - 1] = t[i];
    }
    return kept;
}

static stet_status read_spelling(struct piece_table *t, const struct steti_tokenizer *tokenizer,
                                 stet_error *err)
{
    struct steti_draft_text *inner;
    int n_inner = 0;
    t->texts = steti_calloc(2 * (size_t)t->n, sizeof *t->texts);
    if (t->texts == NULL) {
        return steti_fail_nomem(err, "the texts of pieces", 2 * (size_t)t->n * sizeof *t->texts);
    }
    inner = t->texts + t->n;
    for (int i = 0; i < t->n; i++) {
        struct steti_piece_info info;
        steti_tokenizer_piece_info(tokenizer, i, &info);
        t->texts[i].id = i;
        if (info.is_control || info.len > INT16_MAX) {
            continue;
        }
        t->texts[i].data = info.text;
        t->texts[i].len = (int)info.len;
        if (!info.begins_word && info.len > 0) {
            inner[n_inner++] = t->texts[i];
        }
    }
    t->spelling = (struct steti_draft_spelling){t->texts, inner, t->n, sort_texts(inner, n_inner)};
    return STET_OK;
}

stet_status piece_table_init(struct piece_table *t, const struct steti_tokenizer *tokenizer,
                             stet_error *err)
{
    int n = steti_tokenizer_vocab_size(tokenizer), words = 0;
    stet_status st;
    memset(t, 0, sizeof *t);
    t->data = steti_calloc((size_t)n, sizeof *t->data);
    if (t->data == NULL) {
        return steti_fail_nomem(err, "the table of pieces", (size_t)n * sizeof *t->data);
    }
    t->n = n;
    for (int i = 0; i < n; i++) {
        struct steti_piece_info info;
        steti_tokenizer_piece_info(tokenizer, i, &info);
        t->data[i] = describe(&info);
        words += t->data[i].flags & STETI_PIECE_WORD;
        t->data[i].flags |= stands_alone(info.text, info.len) ? STETI_PIECE_WORD : 0;
    }
    if (words < n / 100 + 1) { /* word boundaries are marked in another way, or not at all */
        piece_table_free(t);
        return STET_OK;
    }
    STETI_TRY_GOTO(read_spelling(t, tokenizer, err), st, fail);
    return STET_OK;
fail:
    piece_table_free(t);
    return st;
}

void piece_table_free(struct piece_table *t)
{
    steti_free(t->texts);
    steti_free(t->data);
    memset(t, 0, sizeof *t);
}
