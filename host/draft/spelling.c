#include "spelling.h"

#include <string.h>

int spelling_read(const struct steti_draft_spelling *s, const int32_t *ids, int n, char *out)
{
    int len = 0;
    if (n > SPELLING_WORD) {
        return -1;
    }
    for (int i = 0; i < n; i++) {
        const struct steti_draft_text *t;
        if (ids[i] < 0 || ids[i] >= s->n_pieces) {
            return -1;
        }
        t = &s->pieces[ids[i]];
        if (t->len <= 0 || t->len > SPELLING_WORD - len) {
            return -1;
        }
        memcpy(out + len, t->data, (size_t)t->len);
        len += t->len;
    }
    return len;
}

/* The first of inner[lo..hi) whose byte `at` is `byte` or greater; all of them agree before it and
 * are longer than `at`. */
static int first_with(const struct steti_draft_spelling *s, int lo, int hi, int at, int byte)
{
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if ((unsigned char)s->inner[mid].data[at] < byte) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* The longest piece that text[0..len) begins with, or NULL. The range of the pieces that agree
 * with the text narrows byte by byte; one that ends stands before those that go on. */
static const struct steti_draft_text *longest_piece(const struct steti_draft_spelling *s,
                                                    const char *text, int len)
{
    const struct steti_draft_text *found = NULL;
    int lo = 0, hi = s->n_inner;
    for (int at = 0; at < len && lo < hi; at++) {
        int byte = (unsigned char)text[at];
        lo = first_with(s, lo, hi, at, byte);
        hi = first_with(s, lo, hi, at, byte + 1);
        if (lo < hi && s->inner[lo].len == at + 1) {
            found = &s->inner[lo++];
        }
    }
    return found;
}

int spelling_cut(const struct steti_draft_spelling *s, const char *text, int len, int32_t *out)
{
    int n = 0;
    for (int at = 0; at < len;) {
        const struct steti_draft_text *t = longest_piece(s, text + at, len - at);
        if (t == NULL) {
            return -1;
        }
        out[n++] = t->id;
        at += t->len;
    }
    return n;
}
