#include "id_alignment.h"

#include "alloc.h"

/* Rows of the search: row d holds, for the diagonals k = -d, -d + 2 .. d (k = x - y), the largest x
 * that d differences reach, or NOWHERE when the diagonal leaves the rectangle. */
#define NOWHERE (-1)

struct search {
    const int32_t *a, *b;
    int32_t n, m;
    int32_t *rows; /* row d begins at d * (d + 1) / 2 */
    size_t cap;
};

static int32_t *row(const struct search *s, int32_t d)
{
    return s->rows + (size_t)d * ((size_t)d + 1) / 2;
}

static int32_t reach(const struct search *s, int32_t d, int32_t k)
{
    return k < -d || k > d ? NOWHERE : row(s, d)[(k + d) / 2];
}

/* Where row d enters diagonal k, before equal ids are followed: from the left by skipping an id of
 * a, or from above by skipping an id of b. */
static int32_t enter(const struct search *s, int32_t d, int32_t k, int *skips_a)
{
    int32_t right = reach(s, d - 1, k - 1), down = reach(s, d - 1, k + 1);
    right = right == NOWHERE || right == s->n ? NOWHERE : right + 1;
    down = down == NOWHERE || down - k > s->m ? NOWHERE : down;
    *skips_a = right > down;
    return *skips_a ? right : down;
}

static int32_t follow(const struct search *s, int32_t x, int32_t k)
{
    while (x < s->n && x - k < s->m && s->a[x] == s->b[x - k]) {
        x++;
    }
    return x;
}

/* Fills row d. Returns 1 and sets *k when the far corner is reached. */
static int fill_row(struct search *s, int32_t d, int32_t *k_end)
{
    for (int32_t k = -d; k <= d; k += 2) {
        int skips_a;
        int32_t x = d == 0 ? 0 : enter(s, d, k, &skips_a);
        if (x != NOWHERE) {
            x = follow(s, x, k);
        }
        row(s, d)[(k + d) / 2] = x;
        if (x == s->n && x - k == s->m) {
            *k_end = k;
            return 1;
        }
    }
    return 0;
}

static int32_t farthest(const struct search *s, int32_t d)
{
    int32_t best = -1, best_k = 0;
    for (int32_t k = -d; k <= d; k += 2) {
        int32_t x = reach(s, d, k);
        if (x != NOWHERE && 2 * x - k > best) {
            best = 2 * x - k;
            best_k = k;
        }
    }
    return best_k;
}

/* Walks back from the end of diagonal k in row d and notes the equal ids passed. */
static void note_matches(const struct search *s, int32_t d, int32_t k, int32_t b_offset,
                         int32_t *match)
{
    for (;;) {
        int skips_a = 0;
        int32_t x = reach(s, d, k);
        int32_t from = d == 0 ? 0 : enter(s, d, k, &skips_a);
        for (int32_t i = from; i < x; i++) {
            match[i] = b_offset + i - k;
        }
        if (d == 0) {
            return;
        }
        d--;
        k += skips_a ? -1 : 1;
    }
}

/* Aligns from the beginning of a and b until the corner or the limit; sets how far it came. */
static stet_status advance(struct search *s, int32_t b_offset, int32_t *match, int32_t *dx,
                           int32_t *dy, stet_error *err)
{
    int32_t k = 0, d = 0;
    for (;; d++) {
        void *p = s->rows;
        size_t need = ((size_t)d + 1) * ((size_t)d + 2) / 2;
        stet_status st = steti_grow(&p, &s->cap, need, sizeof *s->rows, err);
        s->rows = p;
        if (st != STET_OK) {
            return st;
        }
        if (fill_row(s, d, &k)) {
            break;
        }
        if (d == STETI_ALIGN_DIFFERENCES) {
            k = farthest(s, d);
            break;
        }
    }
    note_matches(s, d, k, b_offset, match);
    *dx = reach(s, d, k);
    *dy = *dx - k;
    return STET_OK;
}

/* ---- Bringing differences together ----------------------------------------------------------- */

/* A run of matches a[i .. i + n) = b[j .. j + n), and how many ids are unmatched on each side of
 * it. */
struct run {
    size_t i, j, n;
    size_t a_before, b_before, a_after, b_after;
};

static int repeats(const int32_t *p, const int32_t *q, size_t n)
{
    for (size_t t = 0; t < n; t++) {
        if (p[t] != q[t]) {
            return 0;
        }
    }
    return 1;
}

static void move_run(const struct run *r, int32_t *match, size_t i, size_t j)
{
    for (size_t t = 0; t < r->n; t++) {
        match[r->i + t] = -1;
    }
    for (size_t t = 0; t < r->n; t++) {
        match[i + t] = (int32_t)(j + t);
    }
}

/* "to to" -> "X to" has two longest alignments: X for the first "to" is what a reader sees, not X
 * put in front and the second "to" taken away. Moves a run between an insertion and a deletion so
 * that the two meet. */
static void join_around(const struct run *r, const int32_t *a, const int32_t *b, int32_t *match)
{
    if (r->a_before == 0 && r->b_before > 0 && r->a_after > 0 && r->b_after == 0) {
        if (repeats(a + r->i, a + r->i + r->a_after, r->n)) {
            move_run(r, match, r->i + r->a_after, r->j);
        } else if (repeats(b + r->j, b + r->j - r->b_before, r->n)) {
            move_run(r, match, r->i, r->j - r->b_before);
        }
    } else if (r->a_before > 0 && r->b_before == 0 && r->a_after == 0 && r->b_after > 0) {
        if (repeats(a + r->i, a + r->i - r->a_before, r->n)) {
            move_run(r, match, r->i - r->a_before, r->j);
        } else if (repeats(b + r->j, b + r->j + r->b_after, r->n)) {
            move_run(r, match, r->i, r->j + r->b_after);
        }
    }
}

static size_t skip_unmatched(const int32_t *match, size_t i, size_t n)
{
    while (i < n && match[i] < 0) {
        i++;
    }
    return i;
}

static void join_differences(struct steti_ids a, struct steti_ids b, int32_t *match)
{
    size_t end_a = 0, end_b = 0; /* of the run before */
    size_t i = skip_unmatched(match, 0, a.len);
    while (i < a.len) {
        struct run r = {.i = i, .j = (size_t)match[i], .n = 1};
        size_t next;
        while (i + r.n < a.len && match[i + r.n] == (int32_t)(r.j + r.n)) {
            r.n++;
        }
        next = skip_unmatched(match, i + r.n, a.len);
        r.a_before = i - end_a;
        r.b_before = r.j - end_b;
        r.a_after = next - i - r.n;
        r.b_after = (next < a.len ? (size_t)match[next] : b.len) - r.j - r.n;
        join_around(&r, a.data, b.data, match);
        /* The last match before `next` says where the run stands now. */
        for (end_a = next; match[end_a - 1] < 0; end_a--) {
        }
        end_b = (size_t)match[end_a - 1] + 1;
        i = next;
    }
}

stet_status steti_ids_align(struct steti_ids a, struct steti_ids b, int32_t *match, stet_error *err)
{
    struct search s = {0};
    int32_t x = 0, y = 0;
    stet_status st = STET_OK;
    if (a.len > INT32_MAX / 4 || b.len > INT32_MAX / 4) {
        return steti_fail(err, STET_E_TOO_LONG, "a sentence of %zu tokens is too long to compare",
                          a.len > b.len ? a.len : b.len);
    }
    for (size_t i = 0; i < a.len; i++) {
        match[i] = -1;
    }
    while (st == STET_OK && ((size_t)x < a.len && (size_t)y < b.len)) {
        int32_t dx = 0, dy = 0;
        s.a = a.data + x;
        s.b = b.data + y;
        s.n = (int32_t)a.len - x;
        s.m = (int32_t)b.len - y;
        st = advance(&s, y, match + x, &dx, &dy, err);
        x += dx;
        y += dy;
    }
    steti_free(s.rows);
    if (st == STET_OK) {
        join_differences(a, b, match);
    }
    return st;
}
