/* sdpa_cache.c - plans of attention, kept in a folder.
 *
 * A file is a head, which says what the plan is for, and the library's text. It is used only where
 * its head has the very bytes that would be written now, checksum and length included; everything
 * else is a file of somebody else or of another day. */
#include "cuda_sdpa.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "buf.h"
#include "file_map.h"
#include "file_out.h"
#include "log.h"

#define MOST_BYTES ((size_t)16 << 20) /* of a file; plans of today have 70 kB */

struct place {
    struct steti_buf head; /* without its last line */
    struct steti_buf path;
};

static uint64_t hash(const void *data, size_t n)
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (size_t i = 0; i < n; i++) {
        h = (h ^ p[i]) * 0x100000001b3u;
    }
    return h;
}

static void free_place(struct place *f)
{
    steti_buf_free(&f->head);
    steti_buf_free(&f->path);
}

static stet_status find_place(const struct steti_backend *b, const struct steti_sdpa_shape *s,
                              struct place *f, stet_error *err)
{
    const struct steti_cuda_sdpa *c = b->sdpa;
    STETI_TRY(steti_buf_printf(&f->head, err,
                               "stet plan of attention 1\n%s %s\n%s, %d.%d\n"
                               "heads %d of %d, %d x %d x %d, ragged %d, engine %d, kernel %d\n",
                               c->o.library->name, c->o.library->version(c->library), b->props.name,
                               b->props.major, b->props.minor, s->heads, s->head_dim, s->batch,
                               s->rows, s->keys, s->ragged, s->engine, s->kernel));
    return steti_buf_printf(&f->path, err, "%s/stet-attention-%016" PRIx64 ".plan",
                            c->o.cache_folder, hash(f->head.data, f->head.len));
}

/* The last line of the head: nothing of it is read from a file. */
static int last_line(char out[64], const void *text, size_t bytes)
{
    return snprintf(out, 64, "%016" PRIx64 " %zu\n", hash(text, bytes), bytes);
}

/* The library's text in a file with this head; NULL where it has another. */
static const char *text_in(const struct steti_file_map *map, const struct place *f, size_t *bytes)
{
    const char *data = (const char *)map->data;
    const char *line, *end;
    char expected[64];
    int n;
    if (map->len <= f->head.len || memcmp(data, f->head.data, f->head.len) != 0) {
        return NULL;
    }
    line = data + f->head.len;
    end = memchr(line, '\n', map->len - f->head.len);
    if (end == NULL) {
        return NULL;
    }
    *bytes = map->len - (size_t)(end + 1 - data);
    n = last_line(expected, end + 1, *bytes);
    return end + 1 - line == n && memcmp(line, expected, (size_t)n) == 0 ? end + 1 : NULL;
}

/* *out stays NULL where the file is of no use, which is said. */
static stet_status read_plan(struct steti_backend *b, const struct steti_sdpa_shape *shape,
                             const struct place *f, struct steti_sdpa_plan **out, stet_error *err)
{
    struct steti_cuda_sdpa *s = b->sdpa;
    const struct steti_sdpa *t = s->o.library;
    const char *path = f->path.data, *text;
    struct steti_file_map map = {0};
    stet_error ignored = {.struct_size = sizeof ignored};
    size_t bytes = 0;
    int code = 0;
    if (!steti_file_named(path)) {
        return STET_OK;
    }
    if (steti_file_map_open(path, MOST_BYTES, &map, &ignored) != STET_OK) {
        steti_log(STET_LOG_WARN, "cuda", "a plan is made anew: %.300s", ignored.message);
        return STET_OK;
    }
    text = text_in(&map, f, &bytes);
    code = text != NULL ? t->restore(s->library, shape, text, bytes, out) : 0;
    steti_file_map_close(&map);
    if (code != 0 && t->is_out_of_memory(code)) {
        return steti_sdpa_failed(b, code, "restoring a plan", err);
    }
    if (*out == NULL) {
        steti_log(STET_LOG_WARN, "cuda", "a plan is made anew: %.300s: %.100s", path,
                  text == NULL ? "it is damaged, or was written for something else"
                               : t->error_text(s->library, code));
    }
    return STET_OK;
}

static stet_status write_file(const struct place *f, const char *text, size_t bytes,
                              const char *temp, stet_error *err)
{
    struct steti_file_out out;
    char line[64];
    size_t n = (size_t)last_line(line, text, bytes);
    stet_status st;
    STETI_TRY(steti_file_out_open(&out, temp, err));
    STETI_TRY_GOTO(steti_file_out_write_at(&out, 0, f->head.data, f->head.len, err), st, fail);
    STETI_TRY_GOTO(steti_file_out_write_at(&out, f->head.len, line, n, err), st, fail);
    STETI_TRY_GOTO(steti_file_out_write_at(&out, f->head.len + n, text, bytes, err), st, fail);
    return steti_file_out_close(&out, err);
fail:
    steti_file_out_drop(&out);
    return st;
}

/* Under a name of its own first: others may read the file at any time. */
static stet_status replace_file(const struct place *f, const char *text, size_t bytes,
                                stet_error *err)
{
    struct steti_buf temp;
    stet_status st;
    steti_buf_init(&temp);
    st = steti_buf_printf(&temp, err, "%s.%ld-%" PRIxPTR, f->path.data, (long)getpid(),
                          (uintptr_t)f);
    if (st == STET_OK && steti_buf_cstr(&temp) == NULL) {
        st = steti_fail_nomem(err, "the name of a file", temp.len);
    }
    if (st == STET_OK) {
        st = write_file(f, text, bytes, temp.data, err);
        if (st == STET_OK && rename(temp.data, f->path.data) != 0) {
            st = steti_fail(err, STET_E_IO, "%.300s cannot be replaced", f->path.data);
        }
        if (st != STET_OK) {
            unlink(temp.data);
        }
    }
    steti_buf_free(&temp);
    return st;
}

/* What cannot be written is made again the next time. */
static void write_plan(struct steti_backend *b, const struct place *f,
                       const struct steti_sdpa_plan *plan)
{
    struct steti_cuda_sdpa *s = b->sdpa;
    stet_error why = {.struct_size = sizeof why};
    char *text = NULL;
    size_t bytes = 0;
    int code = s->o.library->save(s->library, plan, &text, &bytes);
    if (code != 0) {
        steti_fail(&why, STET_E_DEVICE, "%.200s", s->o.library->error_text(s->library, code));
    }
    if (code != 0 || replace_file(f, text, bytes, &why) != STET_OK) {
        steti_log(STET_LOG_WARN, "cuda", "a plan is not kept: %.300s", why.message);
    }
    steti_free(text);
}

static stet_status make_plan(struct steti_backend *b, const struct steti_sdpa_shape *shape,
                             struct steti_sdpa_plan **out, char why[STETI_SDPA_WHY],
                             stet_error *err)
{
    struct steti_cuda_sdpa *s = b->sdpa;
    const struct steti_sdpa *t = s->o.library;
    int code = t->plan(s->library, shape, out);
    if (code != 0 && t->is_out_of_memory(code)) {
        return steti_sdpa_failed(b, code, "making a plan", err);
    }
    if (code != 0) {
        snprintf(why, STETI_SDPA_WHY, "no plan for %d sentences of %d keys: %.130s", shape->batch,
                 shape->keys, t->error_text(s->library, code));
    }
    return STET_OK;
}

static stet_status from_folder(struct steti_backend *b, const struct steti_sdpa_shape *shape,
                               struct steti_sdpa_plan **out, char why[STETI_SDPA_WHY],
                               stet_error *err)
{
    struct place f;
    stet_status st;
    steti_buf_init(&f.head);
    steti_buf_init(&f.path);
    STETI_TRY_GOTO(find_place(b, shape, &f, err), st, done);
    if (steti_buf_cstr(&f.path) == NULL) {
        st = steti_fail_nomem(err, "the name of a file", f.path.len);
        goto done;
    }
    STETI_TRY_GOTO(read_plan(b, shape, &f, out, err), st, done);
    if (*out == NULL) {
        STETI_TRY_GOTO(make_plan(b, shape, out, why, err), st, done);
        if (*out != NULL) {
            write_plan(b, &f, *out);
        }
    }
    st = STET_OK;
done:
    free_place(&f);
    return st;
}

stet_status steti_sdpa_get_plan(struct steti_backend *b, struct steti_sdpa_use *use, int i,
                                char why[STETI_SDPA_WHY], stet_error *err)
{
    const struct steti_cuda_sdpa *s = b->sdpa;
    struct steti_sdpa_shape shape = steti_sdpa_plan_shape(use, i);
    struct steti_sdpa_plan **out = &use->plan[i];
    STETI_TRY(s->o.cache_folder != NULL ? from_folder(b, &shape, out, why, err)
                                        : make_plan(b, &shape, out, why, err));
    if (why[0] == '\0' && s->o.library->workspace(*out) > 0) {
        snprintf(why, STETI_SDPA_WHY, "the plan for %d sentences of %d keys needs a workspace",
                 shape.batch, shape.keys);
    }
    return STET_OK;
}
