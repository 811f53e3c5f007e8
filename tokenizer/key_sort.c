#include "key_sort.h"

#include <string.h>

#include "alloc.h"

/* The first eight bytes decide nearly every comparison. */
struct entry {
    uint64_t head;
    struct steti_spm_key key;
};

static uint64_t head_of(const struct steti_spm_key *k)
{
    uint64_t h = 0;
    for (uint32_t i = 0; i < 8; i++) {
        h = h << 8 | (i < k->len ? (unsigned char)k->data[i] : 0);
    }
    return h;
}

static int compare(const struct steti_spm_key *a, const struct steti_spm_key *b)
{
    int c = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);
    return c != 0 ? c : (a->len > b->len) - (a->len < b->len);
}

int steti_keys_equal(const struct steti_spm_key *a, const struct steti_spm_key *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* Not greater: equal texts keep their order, which makes the sort stable. */
static int in_order(const struct entry *a, const struct entry *b)
{
    return a->head != b->head ? a->head < b->head : compare(&a->key, &b->key) <= 0;
}

static void merge_runs(const struct entry *src, struct entry *dst, size_t n, size_t width)
{
    for (size_t begin = 0; begin < n; begin += 2 * width) {
        size_t mid = n - begin > width ? begin + width : n;
        size_t end = n - mid > width ? mid + width : n;
        size_t i = begin, j = mid;
        for (size_t k = begin; k < end; k++) {
            int left = j == end || (i < mid && in_order(&src[i], &src[j]));
            dst[k] = left ? src[i++] : src[j++];
        }
    }
}

/* Merge sort: a worst case without recursion, and no libc sort that might take memory behind our
 * back. */
stet_status steti_keys_sort(struct steti_spm_key *keys, size_t n, stet_error *err)
{
    size_t bytes = 2 * n * sizeof(struct entry);
    struct entry *block = steti_malloc(bytes), *a = block, *b;
    if (block == NULL) {
        return steti_fail_nomem(err, "sorting the vocabulary", bytes);
    }
    b = block + n;
    for (size_t i = 0; i < n; i++) {
        a[i] = (struct entry){head_of(&keys[i]), keys[i]};
    }
    for (size_t width = 1; width < n; width *= 2) {
        struct entry *t = a;
        merge_runs(a, b, n, width);
        a = b;
        b = t;
    }
    for (size_t i = 0; i < n; i++) {
        keys[i] = a[i].key;
    }
    steti_free(block);
    return STET_OK;
}
