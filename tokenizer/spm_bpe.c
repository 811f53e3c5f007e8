#include <string.h>

#include "alloc.h"
#include "spm_encode.h"

/* A run of characters; the live ones form a list in text order. */
struct symbol {
    uint32_t begin, len; /* len 0: merged into another */
    int32_t prev, next;  /* -1: none */
    uint32_t node;       /* where its bytes lead in the vocabulary tree */
    int frozen;          /* a user-defined piece: never merged */
};

/* A merge that was possible when it was queued. It still is if the sizes of its symbols add up
 * to `len`: symbols only ever grow or vanish. */
struct merge {
    float score;
    int32_t left, right;
    uint32_t len, node;
};

struct bpe {
    const struct steti_spm_model *m;
    const char *s;
    size_t n;
    struct symbol *symbols;
    size_t n_symbols, cap_symbols;
    struct merge *heap;
    size_t n_heap, cap_heap;
    /* Unused pieces are merged but not emitted: they are taken apart again. For each, by its
     * index among the unused pieces: the length of the left part in the merge queued last. */
    uint32_t *split;
    /* Parts still to be taken apart; id is a vocabulary tree node. */
    struct steti_spm_segment *stack;
    size_t n_stack, cap_stack;
};

/* Higher score first, then the one further left. */
static int before(const struct merge *a, const struct merge *b)
{
    return a->score > b->score || (a->score == b->score && a->left < b->left);
}

static stet_status heap_push(struct bpe *b, const struct merge *x, stet_error *err)
{
    void *heap = b->heap;
    size_t i = b->n_heap;
    stet_status st = steti_grow(&heap, &b->cap_heap, b->n_heap + 1, sizeof *b->heap, err);
    b->heap = heap;
    STETI_TRY(st);
    b->n_heap++;
    while (i > 0 && before(x, &b->heap[(i - 1) / 2])) {
        b->heap[i] = b->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    b->heap[i] = *x;
    return STET_OK;
}

static struct merge heap_pop(struct bpe *b)
{
    struct merge top = b->heap[0], last = b->heap[--b->n_heap];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
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

static int32_t node_id(const struct bpe *b, uint32_t node)
{
    return node == STETI_SPM_TRIE_NONE ? -1 : b->m->vocab.slots[node].value;
}

/* Queues the merge of two neighbours if the vocabulary has it. */
static stet_status offer(struct bpe *b, int32_t left, int32_t right, stet_error *err)
{
    const struct symbol *l, *r;
    struct merge x;
    int32_t id;
    if (left < 0 || right < 0) {
        return STET_OK;
    }
    l = &b->symbols[left];
    r = &b->symbols[right];
    if (l->frozen || r->frozen) {
        return STET_OK;
    }
    x.node = steti_spm_trie_walk(&b->m->vocab, l->node, b->s + r->begin, r->len);
    id = node_id(b, x.node);
    if (id < 0) {
        return STET_OK;
    }
    if (b->m->pieces[id].type == STETI_SPM_UNUSED) {
        b->split[b->m->unused_index[id]] = l->len;
    }
    x.score = b->m->pieces[id].score;
    x.left = left;
    x.right = right;
    x.len = l->len + r->len;
    return heap_push(b, &x, err);
}

static stet_status split_characters(struct bpe *b, stet_error *err)
{
    for (size_t pos = 0; pos < b->n;) {
        void *symbols = b->symbols;
        int32_t id;
        size_t len = steti_spm_trie_longest(&b->m->user, b->s + pos, b->n - pos, &id);
        int frozen = len > 0;
        stet_status st =
            steti_grow(&symbols, &b->cap_symbols, b->n_symbols + 1, sizeof *b->symbols, err);
        b->symbols = symbols;
        STETI_TRY(st);
        if (!frozen) {
            len = steti_spm_char_len(b->s + pos, b->n - pos);
        }
        b->symbols[b->n_symbols] =
            (struct symbol){(uint32_t)pos,
                            (uint32_t)len,
                            (int32_t)b->n_symbols - 1,
                            (int32_t)b->n_symbols + 1,
                            steti_spm_trie_walk(&b->m->vocab, 0, b->s + pos, len),
                            frozen};
        b->n_symbols++;
        pos += len;
    }
    b->symbols[b->n_symbols - 1].next = -1;
    return STET_OK;
}

static stet_status merge_all(struct bpe *b, stet_error *err)
{
    for (size_t i = 1; i < b->n_symbols; i++) {
        STETI_TRY(offer(b, (int32_t)i - 1, (int32_t)i, err));
    }
    while (b->n_heap > 0) {
        struct merge x = heap_pop(b);
        struct symbol *l = &b->symbols[x.left], *r = &b->symbols[x.right];
        if (l->len == 0 || r->len == 0 || l->len + r->len != x.len) {
            continue;
        }
        l->len = x.len;
        l->node = x.node;
        l->next = r->next;
        if (r->next >= 0) {
            b->symbols[r->next].prev = x.left;
        }
        r->len = 0;
        STETI_TRY(offer(b, l->prev, x.left, err));
        STETI_TRY(offer(b, x.left, l->next, err));
    }
    return STET_OK;
}

static stet_status push_segment(struct steti_spm_segment **data, size_t *n, size_t *cap,
                                struct steti_spm_segment x, stet_error *err)
{
    void *p = *data;
    stet_status st = steti_grow(&p, cap, *n + 1, sizeof x, err);
    *data = p;
    STETI_TRY(st);
    (*data)[(*n)++] = x;
    return STET_OK;
}

/* Emits the text at `begin`, taking unused pieces apart the way they were put together. On the
 * heap, not by recursion: a model can chain as many unused pieces as it likes. */
static stet_status emit(struct bpe *b, size_t begin, struct steti_spm_segment whole,
                        struct steti_spm_segments *out, stet_error *err)
{
    b->n_stack = 0;
    STETI_TRY(push_segment(&b->stack, &b->n_stack, &b->cap_stack, whole, err));
    while (b->n_stack > 0) {
        struct steti_spm_segment x = b->stack[--b->n_stack], left = x, right = x;
        int32_t id = node_id(b, (uint32_t)x.id);
        int unused = id >= 0 && b->m->pieces[id].type == STETI_SPM_UNUSED;
        left.len = unused ? b->split[b->m->unused_index[id]] : 0;
        if (left.len == 0) {
            x.id = id < 0 || unused ? b->m->unk_id : id;
            STETI_TRY(push_segment(&out->data, &out->len, &out->cap, x, err));
            begin += x.len;
            continue;
        }
        right.len = x.len - left.len;
        left.id = (int32_t)steti_spm_trie_walk(&b->m->vocab, 0, b->s + begin, left.len);
        right.id =
            (int32_t)steti_spm_trie_walk(&b->m->vocab, 0, b->s + begin + left.len, right.len);
        STETI_TRY(push_segment(&b->stack, &b->n_stack, &b->cap_stack, right, err));
        STETI_TRY(push_segment(&b->stack, &b->n_stack, &b->cap_stack, left, err));
    }
    return STET_OK;
}

static stet_status run(struct bpe *b, struct steti_spm_segments *out, stet_error *err)
{
    size_t bytes = (size_t)b->m->n_unused * sizeof *b->split;
    if (bytes > 0) {
        b->split = steti_calloc(1, bytes);
        if (b->split == NULL) {
            return steti_fail_nomem(err, "cutting a text into pieces", bytes);
        }
    }
    STETI_TRY(split_characters(b, err));
    STETI_TRY(merge_all(b, err));
    for (int32_t i = 0; i >= 0; i = b->symbols[i].next) {
        const struct symbol *x = &b->symbols[i];
        STETI_TRY(
            emit(b, x->begin, (struct steti_spm_segment){x->len, (int32_t)x->node}, out, err));
    }
    return STET_OK;
}

stet_status steti_spm_bpe(const struct steti_spm_model *m, const char *s, size_t n,
                          struct steti_spm_segments *out, stet_error *err)
{
    struct bpe b;
    stet_status st;
    if (n == 0) {
        return STET_OK;
    }
    memset(&b, 0, sizeof b);
    b.m = m;
    b.s = s;
    b.n = n;
    st = run(&b, out, err);
    steti_free(b.symbols);
    steti_free(b.heap);
    steti_free(b.split);
    steti_free(b.stack);
    return st;
}
