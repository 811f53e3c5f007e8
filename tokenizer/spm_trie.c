#include "spm_trie.h"

#include <string.h>

#include "alloc.h"

#define BLOCK 256u
/* Places tried for a node with several children before a fresh block is taken. Bounds both the time
 * of building and, with the number of children, the share of slots that stay empty. */
#define MAX_TRIES 64

/* Keys [begin, end) share their first `depth` bytes, which lead to `slot`. */
struct range {
    uint32_t slot, depth;
    size_t begin, end;
};

/* Free slots form a ring with slot 0, which is the root's and never free, as its head. */
struct ring {
    uint32_t *next, *prev;
    size_t cap;
};

struct builder {
    const struct steti_spm_key *keys;
    struct steti_spm_trie_slot *slots;
    size_t n_slots, cap_slots;
    struct range *stack;
    size_t n_stack, cap_stack;
};

struct children {
    unsigned n;
    unsigned char label[BLOCK];
    size_t first[BLOCK + 1]; /* keys of child i: [first[i], first[i + 1]) */
};

struct work {
    struct builder b;
    struct ring ring;
    struct children children;
};

static void ring_remove(struct ring *r, uint32_t slot)
{
    r->next[r->prev[slot]] = r->next[slot];
    r->prev[r->next[slot]] = r->prev[slot];
}

static stet_status grow_ring(struct ring *r, size_t need, stet_error *err)
{
    void *next = r->next, *prev = r->prev;
    size_t cap_next = r->cap, cap_prev = r->cap;
    stet_status st = steti_grow(&next, &cap_next, need, sizeof *r->next, err);
    r->next = next;
    if (st != STET_OK) {
        return st;
    }
    st = steti_grow(&prev, &cap_prev, need, sizeof *r->prev, err);
    r->prev = prev;
    if (st == STET_OK) {
        r->cap = cap_next;
    }
    return st;
}

static stet_status add_block(struct work *w, stet_error *err)
{
    struct builder *b = &w->b;
    struct ring *r = &w->ring;
    void *slots = b->slots;
    size_t first = b->n_slots;
    stet_status st;
    if (first > UINT32_MAX / 2) {
        return steti_fail(err, STET_E_MODEL, "the vocabulary is too large for a search tree");
    }
    st = steti_grow(&slots, &b->cap_slots, first + BLOCK, sizeof *b->slots, err);
    b->slots = slots;
    STETI_TRY(st);
    STETI_TRY(grow_ring(r, first + BLOCK, err));
    b->n_slots = first + BLOCK;
    if (first == 0) {
        r->next[0] = r->prev[0] = 0;
    }
    for (size_t i = first; i < first + BLOCK; i++) {
        b->slots[i] = (struct steti_spm_trie_slot){0, STETI_SPM_TRIE_NONE, -1};
        if (i > 0) {
            r->prev[i] = r->prev[0];
            r->next[i] = 0;
            r->next[r->prev[0]] = (uint32_t)i;
            r->prev[0] = (uint32_t)i;
        }
    }
    return STET_OK;
}

static int is_free(const struct builder *b, uint32_t slot)
{
    return slot != 0 && b->slots[slot].check == STETI_SPM_TRIE_NONE;
}

static int fits(const struct builder *b, uint32_t base, const struct children *c)
{
    for (unsigned i = 1; i < c->n; i++) {
        if (!is_free(b, base ^ c->label[i])) {
            return 0;
        }
    }
    return 1;
}

/* Only children take the holes of old blocks; families look at the newest slots, which are the
 * emptiest. */
static stet_status find_base(struct work *w, uint32_t *base, stet_error *err)
{
    struct children *c = &w->children;
    struct ring *r = &w->ring;
    uint32_t slot = c->n == 1 ? r->next[0] : r->prev[0];
    for (int i = 0; i < MAX_TRIES && slot != 0; i++, slot = r->prev[slot]) {
        if (fits(&w->b, slot ^ c->label[0], c)) {
            *base = slot ^ c->label[0];
            return STET_OK;
        }
    }
    STETI_TRY(add_block(w, err));
    *base = (uint32_t)(w->b.n_slots - BLOCK);
    return STET_OK;
}

/* Splits a range by the byte at its depth. A key that ends there gives the node its value. */
static void split(struct work *w, const struct range *r)
{
    const struct steti_spm_key *keys = w->b.keys;
    struct children *c = &w->children;
    size_t i = r->begin;
    c->n = 0;
    if (i < r->end && keys[i].len == r->depth) {
        w->b.slots[r->slot].value = keys[i].value;
        i++;
    }
    for (; i < r->end; i++) {
        unsigned char label = (unsigned char)keys[i].data[r->depth];
        if (c->n == 0 || c->label[c->n - 1] != label) {
            c->label[c->n] = label;
            c->first[c->n++] = i;
        }
    }
    c->first[c->n] = r->end;
}

static stet_status expand(struct work *w, const struct range *r, stet_error *err)
{
    struct builder *b = &w->b;
    struct children *c = &w->children;
    void *stack = b->stack;
    uint32_t base;
    stet_status st;
    split(w, r);
    if (c->n == 0) {
        return STET_OK;
    }
    STETI_TRY(find_base(w, &base, err));
    st = steti_grow(&stack, &b->cap_stack, b->n_stack + c->n, sizeof *b->stack, err);
    b->stack = stack;
    STETI_TRY(st);
    b->slots[r->slot].base = base;
    for (unsigned i = 0; i < c->n; i++) {
        uint32_t slot = base ^ c->label[i];
        b->slots[slot].check = r->slot;
        ring_remove(&w->ring, slot);
        b->stack[b->n_stack++] = (struct range){slot, r->depth + 1, c->first[i], c->first[i + 1]};
    }
    return STET_OK;
}

static stet_status build(struct work *w, size_t n, stet_error *err)
{
    struct builder *b = &w->b;
    STETI_TRY(add_block(w, err));
    struct range root = {0, 0, 0, n};
    STETI_TRY(expand(w, &root, err));
    while (b->n_stack > 0) {
        struct range r = b->stack[--b->n_stack];
        STETI_TRY(expand(w, &r, err));
    }
    return STET_OK;
}

stet_status steti_spm_trie_build(const struct steti_spm_key *keys, size_t n,
                                 struct steti_spm_trie *out, stet_error *err)
{
    struct work *w;
    stet_status st;
    memset(out, 0, sizeof *out);
    if (n == 0) {
        return STET_OK;
    }
    w = steti_calloc(1, sizeof *w);
    if (w == NULL) {
        return steti_fail_nomem(err, "building the vocabulary tree", sizeof *w);
    }
    w->b.keys = keys;
    st = build(w, n, err);
    if (st == STET_OK) {
        out->slots = w->b.slots;
        out->n_slots = w->b.n_slots;
    } else {
        steti_free(w->b.slots);
    }
    steti_free(w->b.stack);
    steti_free(w->ring.next);
    steti_free(w->ring.prev);
    steti_free(w);
    return st;
}

void steti_spm_trie_free(struct steti_spm_trie *t)
{
    steti_free(t->slots);
    memset(t, 0, sizeof *t);
}

uint32_t steti_spm_trie_walk(const struct steti_spm_trie *t, uint32_t node, const char *s, size_t n)
{
    for (size_t i = 0; i < n && node != STETI_SPM_TRIE_NONE; i++) {
        node = steti_spm_trie_step(t, node, (unsigned char)s[i]);
    }
    return node;
}

size_t steti_spm_trie_longest(const struct steti_spm_trie *t, const char *s, size_t n,
                              int32_t *value)
{
    uint32_t node = 0;
    size_t best = 0;
    if (t->slots == NULL) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        node = steti_spm_trie_step(t, node, (unsigned char)s[i]);
        if (node == STETI_SPM_TRIE_NONE) {
            break;
        }
        if (t->slots[node].value >= 0) {
            *value = t->slots[node].value;
            best = i + 1;
        }
    }
    return best;
}
