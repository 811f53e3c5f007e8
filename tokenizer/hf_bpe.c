/* Byte-pair merges: of all neighbours that may be merged the pair of the lowest rank first, of
 * those the one further left. */
#include <string.h>

#include "alloc.h"
#include "hf.h"
#include "spm_encode.h"

struct symbol {
    int32_t id;
    int32_t prev, next;  /* -1: none */
    uint32_t begin, len; /* text bytes; len 0: merged into another, or not there */
};

/* A merge that was possible when it was queued. */
struct offer {
    int32_t rank, pos, id;
};

struct bpe {
    const struct steti_hf *h;
    struct steti_hf_run *r;
    const struct steti_hf_seg *s;
    struct symbol *symbols;
    struct offer *heap;
    size_t n_symbols, n_heap;
};

static int before(const struct offer *a, const struct offer *b)
{
    return a->rank != b->rank ? a->rank < b->rank : a->pos < b->pos;
}

static stet_status heap_push(struct bpe *b, struct offer x)
{
    size_t i = b->n_heap;
    stet_status st =
        steti_grow(&b->r->scratch[1], &b->r->scratch_cap[1], i + 1, sizeof x, b->r->err);
    STETI_TRY(st);
    b->heap = b->r->scratch[1];
    b->n_heap++;
    for (; i > 0 && before(&x, &b->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        b->heap[i] = b->heap[(i - 1) / 2];
        b->r->work++;
    }
    b->heap[i] = x;
    return STET_OK;
}

static struct offer heap_pop(struct bpe *b)
{
    struct offer top = b->heap[0], last = b->heap[--b->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        b->r->work++;
        if (child >= b->n_heap) {
            break;
        }
        if (child + 1 < b->n_heap && before(&b->heap[child + 1], &b->heap[child])) {
            child++;
        }
        if (!before(&b->heap[child], &last)) {
            break;
        }
        b->heap[i] = b->heap[child];
        i = child;
    }
    b->heap[i] = last;
    return top;
}

static const struct steti_hf_merge *find_merge(const struct steti_hf_bpe *m, int32_t left,
                                               int32_t right)
{
    uint32_t lo = m->rows[left], hi = m->rows[left + 1];
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (m->merges[mid].right < right) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < m->rows[left + 1] && m->merges[lo].right == right && m->merges[lo].id >= 0
               ? &m->merges[lo]
               : NULL;
}

/* Queues the merge of a symbol with the one after it, if there is such a merge. */
static stet_status offer(struct bpe *b, int32_t pos)
{
    const struct steti_hf_merge *m;
    if (pos < 0 || b->symbols[pos].next < 0) {
        return STET_OK;
    }
    b->r->work++;
    m = find_merge(&b->h->bpe, b->symbols[pos].id, b->symbols[b->symbols[pos].next].id);
    return m == NULL ? STET_OK : heap_push(b, (struct offer){m->rank, pos, m->id});
}

static stet_status merge_all(struct bpe *b)
{
    for (size_t i = 0; i < b->n_symbols; i++) {
        STETI_TRY(offer(b, (int32_t)i));
    }
    while (b->n_heap > 0) {
        struct offer x = heap_pop(b);
        struct symbol *l = &b->symbols[x.pos], *r;
        const struct steti_hf_merge *m;
        if (l->len == 0 || l->next < 0) {
            continue;
        }
        r = &b->symbols[l->next];
        m = find_merge(&b->h->bpe, l->id, r->id);
        if (m == NULL || m->id != x.id) {
            continue; /* they have changed since */
        }
        l->id = x.id;
        l->len += r->len;
        r->len = 0;
        l->next = r->next;
        if (r->next >= 0) {
            b->symbols[r->next].prev = x.pos;
        }
        STETI_TRY(offer(b, l->prev));
        STETI_TRY(offer(b, x.pos));
    }
    return STET_OK;
}

static stet_status push_symbol(struct bpe *b, int32_t id, uint32_t begin, uint32_t len)
{
    int32_t i = (int32_t)b->n_symbols;
    STETI_TRY(steti_grow(&b->r->scratch[0], &b->r->scratch_cap[0], b->n_symbols + 1,
                         sizeof *b->symbols, b->r->err));
    b->symbols = b->r->scratch[0];
    if (i > 0) {
        b->symbols[i - 1].next = i;
    }
    b->symbols[b->n_symbols++] = (struct symbol){id, i - 1, -1, begin, len};
    return STET_OK;
}

/* One symbol a byte, if the vocabulary has pieces for all of them. */
static stet_status push_bytes(struct bpe *b, const char *s, uint32_t begin, uint32_t len, int *done)
{
    for (uint32_t i = 0; i < len; i++) {
        if (b->h->byte_ids[(unsigned char)s[i]] < 0) {
            return STET_OK;
        }
    }
    *done = 1;
    for (uint32_t i = 0; i < len; i++) {
        STETI_TRY(push_symbol(b, b->h->byte_ids[(unsigned char)s[i]], begin + i, 1));
    }
    return STET_OK;
}

static int32_t text_id(const struct steti_hf *h, const char *s, size_t n)
{
    int32_t id = steti_vocab_find(&h->vocab, s, n);
    return id >= 0 && (h->vocab.entries[id].flags & STETI_VOCAB_SPECIAL) != 0 ? -1 : id;
}

static stet_status push_unknown(struct bpe *b, uint32_t begin, uint32_t len)
{
    struct symbol *last = b->n_symbols > 0 ? &b->symbols[b->n_symbols - 1] : NULL;
    if (b->h->bpe.unk_id < 0) {
        return STET_OK;
    }
    if (b->h->bpe.fuse_unk && last != NULL && last->id == b->h->bpe.unk_id) {
        last->len = begin + len - last->begin;
        return STET_OK;
    }
    return push_symbol(b, b->h->bpe.unk_id, begin, len);
}

static stet_status push_characters(struct bpe *b)
{
    const char *s = b->r->text.data;
    for (uint32_t pos = b->s->begin; pos < b->s->end;) {
        uint32_t k = (uint32_t)steti_spm_char_len(s + pos, b->s->end - pos);
        int32_t id = text_id(b->h, s + pos, k);
        int done = id >= 0;
        b->r->work++;
        if (id >= 0) {
            STETI_TRY(push_symbol(b, id, pos, k));
        } else if (b->h->byte_fallback) {
            STETI_TRY(push_bytes(b, s + pos, pos, k, &done));
        }
        if (!done) {
            STETI_TRY(push_unknown(b, pos, k));
        }
        pos += k;
    }
    return STET_OK;
}

/* The pieces reach to where the next one begins: characters that vanished belong to the piece
 * before them. */
static stet_status emit(struct bpe *b, struct steti_pieces *out)
{
    uint32_t begin = b->s->src_begin;
    for (int32_t i = b->n_symbols > 0 ? 0 : -1; i >= 0; i = b->symbols[i].next) {
        const struct symbol *x = &b->symbols[i];
        uint32_t end = x->next < 0 ? b->s->src_end : b->r->text.map[b->symbols[x->next].begin];
        STETI_TRY(steti_pieces_push(out, (struct steti_piece){x->id, begin, end}, b->r->err));
        begin = end;
    }
    return STET_OK;
}

stet_status steti_hf_bpe_encode(const struct steti_hf *h, struct steti_hf_run *r,
                                const struct steti_hf_seg *s, struct steti_pieces *out)
{
    struct bpe b = {h, r, s, r->scratch[0], r->scratch[1], 0, 0};
    if (h->bpe.ignore_merges) {
        int32_t id = text_id(h, r->text.data + s->begin, s->end - s->begin);
        if (id >= 0) {
            return steti_pieces_push(out, (struct steti_piece){id, s->src_begin, s->src_end},
                                     r->err);
        }
    }
    STETI_TRY(push_characters(&b));
    STETI_TRY(merge_all(&b));
    return emit(&b, out);
}
