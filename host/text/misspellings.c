#include "misspellings.h"

#include <string.h>

#include "alloc.h"
#include "bytes.h"
#include "utf8.h"

#define MAGIC "stetmsp1"
#define MAGIC_LEN 8
#define HEADER_LEN 24
#define BLOCK 16 /* rows */
#define MAX_FILE_BYTES (256u << 20)

static uint32_t u32_at(const uint8_t *p, size_t i)
{
    p += 4 * i;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t n_blocks(const struct steti_misspellings *t)
{
    return t->n_rows / BLOCK + (t->n_rows % BLOCK != 0);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* A row that was read, and where the next one begins. */
struct row {
    char key[STETI_MISSPELLING_MAX];
    size_t len;
    uint32_t word;
    const uint8_t *next;
};

/* Reads the row after *r, or at r->next when it begins a block. The table was checked. */
static void read_row(struct row *r, int begins_block)
{
    uint8_t lead = *r->next++;
    size_t shared = begins_block ? 0 : lead >> 4, rest = begins_block ? lead : lead & 15u;
    memcpy(r->key + shared, r->next, rest);
    r->len = shared + rest;
    r->word = r->next[rest] | (uint32_t)r->next[rest + 1] << 8;
    r->next += rest + 2;
}

static int compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t n = a_len < b_len ? a_len : b_len;
    int c = n > 0 ? memcmp(a, b, n) : 0;
    return c != 0 ? c : (a_len > b_len) - (a_len < b_len);
}

/* ---- Checking -------------------------------------------------------------------------------- */

static stet_status bad_row(const char *name, uint32_t row, const char *what, stet_error *err)
{
    return steti_fail(err, STET_E_FORMAT, "%s: row %u: %s", name, row, what);
}

static stet_status read_header(struct steti_bytes *b, const char *name,
                               struct steti_misspellings *t, stet_error *err)
{
    uint64_t want;
    int has_all = steti_bytes_left(b) >= HEADER_LEN && memcmp(b->p, MAGIC, MAGIC_LEN) == 0 &&
                  steti_bytes_skip(b, MAGIC_LEN) && steti_bytes_u32le(b, &t->n_rows) &&
                  steti_bytes_u32le(b, &t->n_words) && steti_bytes_u32le(b, &t->words_len) &&
                  steti_bytes_u32le(b, &t->rows_len);
    if (!has_all) {
        return steti_fail(err, STET_E_FORMAT,
                          "%s: is no table of misspellings: it does not begin with " MAGIC
                          " and four numbers",
                          name);
    }
    want = HEADER_LEN + 4 * ((uint64_t)t->n_words + n_blocks(t)) + t->words_len + t->rows_len;
    if (want != HEADER_LEN + steti_bytes_left(b)) {
        return steti_fail(err, STET_E_FORMAT,
                          "%s: has %zu bytes, but its header says %llu: it is cut off or damaged",
                          name, HEADER_LEN + steti_bytes_left(b), (unsigned long long)want);
    }
    t->word_ends = b->p;
    t->blocks = t->word_ends + 4 * (size_t)t->n_words;
    t->words = t->blocks + 4 * (size_t)n_blocks(t);
    t->rows = t->words + t->words_len;
    return STET_OK;
}

/* Printable UTF-8, so that a mended sentence is as good a text as before. */
static int is_text(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7F) {
            return 0;
        }
    }
    return n > 0 && s[0] != ' ' && s[n - 1] != ' ' && steti_utf8_valid_prefix(s, n) == n;
}

static stet_status check_words(const struct steti_misspellings *t, const char *name,
                               stet_error *err)
{
    uint32_t begin = 0;
    for (uint32_t i = 0; i < t->n_words; i++) {
        uint32_t end = u32_at(t->word_ends, i);
        if (end <= begin || end > t->words_len || end - begin > STETI_MISSPELLING_MAX ||
            !is_text((const char *)t->words + begin, end - begin)) {
            return steti_fail(err, STET_E_FORMAT,
                              "%s: word %u: must be 1 to %d bytes of text in UTF-8", name, i,
                              STETI_MISSPELLING_MAX);
        }
        begin = end;
    }
    return begin == t->words_len
               ? STET_OK
               : steti_fail(err, STET_E_FORMAT, "%s: the words end at byte %u of %u", name, begin,
                            t->words_len);
}

/* 1 if a row of `left` bytes can be read where the one before has `before` bytes. */
static int row_fits(const uint8_t *p, size_t left, int begins_block, size_t before)
{
    size_t shared = begins_block || left == 0 ? 0 : p[0] >> 4;
    size_t rest = left == 0 ? 0 : begins_block ? p[0] : p[0] & 15u;
    return left >= 3 + rest && rest > 0 && shared <= before &&
           shared + rest <= STETI_MISSPELLING_MAX;
}

/* Sorted, as each differs from the one before first in a larger byte, or goes on behind it. */
static int is_after(const struct row *last, const uint8_t *p, int begins_block)
{
    size_t shared = begins_block ? 0 : p[0] >> 4, rest = begins_block ? p[0] : p[0] & 15u;
    return compare((const char *)p + 1, rest, last->key + shared, last->len - shared) > 0;
}

static stet_status check_rows(const struct steti_misspellings *t, const char *name, stet_error *err)
{
    const uint8_t *end = t->rows + t->rows_len;
    struct row r = {.len = 0, .next = t->rows};
    for (uint32_t i = 0; i < t->n_rows; i++) {
        int begins_block = i % BLOCK == 0;
        if (!row_fits(r.next, (size_t)(end - r.next), begins_block, r.len)) {
            return bad_row(name, i, "its length is not possible", err);
        }
        if (begins_block && u32_at(t->blocks, i / BLOCK) != (uint32_t)(r.next - t->rows)) {
            return bad_row(name, i, "its block is said to begin elsewhere", err);
        }
        if (!is_after(&r, r.next, begins_block)) {
            return bad_row(name, i, "is not sorted behind the row before", err);
        }
        read_row(&r, begins_block);
        if (r.word >= t->n_words) {
            return bad_row(name, i, "its word does not exist", err);
        }
    }
    return r.next == end ? STET_OK
                         : steti_fail(err, STET_E_FORMAT, "%s: %zu bytes behind the last row", name,
                                      (size_t)(end - r.next));
}

/* ---- The public part ------------------------------------------------------------------------- */

stet_status steti_misspellings_parse(const void *data, size_t len, const char *name,
                                     struct steti_misspellings *out, stet_error *err)
{
    struct steti_misspellings t = {0};
    struct steti_bytes b;
    steti_bytes_init(&b, data, len);
    STETI_TRY(read_header(&b, name, &t, err));
    STETI_TRY(check_words(&t, name, err));
    STETI_TRY(check_rows(&t, name, err));
    t.map = out->map;
    *out = t;
    return STET_OK;
}

stet_status steti_misspellings_open(const char *folder, struct steti_misspellings *out,
                                    stet_error *err)
{
    char *path = steti_path_join(folder, STETI_MISSPELLINGS_FILE);
    stet_status st = STET_OK;
    memset(out, 0, sizeof *out);
    if (path == NULL) {
        return steti_fail_nomem(err, "a path", strlen(folder) + sizeof STETI_MISSPELLINGS_FILE);
    }
    if (steti_file_named(path)) {
        st = steti_file_map_open(path, MAX_FILE_BYTES, &out->map, err);
        if (st == STET_OK) {
            st = steti_refuse_pointer(out->map.data, out->map.len, path, err);
        }
        if (st == STET_OK) {
            st = steti_misspellings_parse(out->map.data, out->map.len, path, out, err);
        }
    }
    steti_free(path);
    return st;
}

void steti_misspellings_close(struct steti_misspellings *t)
{
    steti_file_map_close(&t->map);
    memset(t, 0, sizeof *t);
}

/* The last block whose first row is not behind s; there is one block at least. */
static uint32_t find_block(const struct steti_misspellings *t, const char *s, size_t n)
{
    uint32_t lo = 0, hi = n_blocks(t);
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        const uint8_t *p = t->rows + u32_at(t->blocks, mid);
        if (compare((const char *)p + 1, p[0], s, n) <= 0) {
            lo = mid;
        } else {
            hi = mid;
        }
    }
    return lo;
}

const char *steti_misspellings_find(const struct steti_misspellings *t, const char *s, size_t n,
                                    size_t *word_len)
{
    uint32_t block, begin;
    struct row r;
    if (t->n_rows == 0 || n == 0) {
        return NULL;
    }
    block = find_block(t, s, n);
    r.next = t->rows + u32_at(t->blocks, block);
    for (uint32_t i = block * BLOCK; i < t->n_rows && i - block * BLOCK < BLOCK; i++) {
        int order;
        read_row(&r, i % BLOCK == 0);
        order = compare(r.key, r.len, s, n);
        if (order < 0) {
            continue;
        }
        if (order > 0) {
            return NULL;
        }
        begin = r.word > 0 ? u32_at(t->word_ends, r.word - 1) : 0;
        *word_len = u32_at(t->word_ends, r.word) - begin;
        return (const char *)t->words + begin;
    }
    return NULL;
}
