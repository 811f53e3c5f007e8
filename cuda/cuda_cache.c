/* cuda_cache.c - verdicts in a file, so that the probe runs once for a device, a version of the
 * library and a version of the numerics.
 *
 *   stet: which matrix products a library makes, 1
 *   device NVIDIA H200, sm_90
 *   library cuBLASLt 130100
 *   numerics 1, chunks of 512, library above 64 rows, probed up to 4096
 *   f32 2048 512 library 0123...(128 digits) candidate 1 of 8, ...
 *   i8 512 512 own 0000...(128 digits) none of 8 candidates ...
 *   end 0123456789abcdef
 *
 * Text, because it is also how a person sees which shapes passed. The last line has a checksum of
 * all before it. A file that is not exactly of this form, or begins with other lines, is ignored.
 * What it says is not trusted beyond that: see look_again in cuda_blas.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "buf.h"
#include "cuda_blas.h"
#include "file_map.h"
#include "file_out.h"
#include "log.h"

#define MOST_BYTES ((size_t)1 << 20)
#define HEAD_ROOM 400
#define PATH_ROOM 4096

static const char *const type_names[] = {"f32", "i8", "bf16"};

const char *steti_cuda_type_name(int32_t type)
{
    return type_names[type];
}

/* FNV-1a */
static uint64_t checksum(const char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
    }
    return h;
}

/* What the verdicts are about: the first lines of the file. Returns their length. */
static size_t make_head(const struct steti_backend *b, char head[HEAD_ROOM])
{
    const struct steti_blas *blas = b->tuning.blas;
    int n = snprintf(head, HEAD_ROOM,
                     "stet: which matrix products a library makes, 1\n"
                     "device %.63s, sm_%d%d\nlibrary %.40s %zu\n"
                     "numerics %d, chunks of %d, library above %d rows, probed up to %d\n",
                     b->props.name, b->props.major, b->props.minor, blas->name,
                     blas->version(b->library.handle), STETI_CUDA_NUMERICS, b->tuning.chunk,
                     b->tuning.blas_rows, b->tuning.blas_probe_rows);
    return (size_t)n;
}

/* 0 where the name is too long. */
static int make_path(const struct steti_backend *b, char path[PATH_ROOM])
{
    char head[HEAD_ROOM];
    size_t n = make_head(b, head);
    int len = snprintf(path, PATH_ROOM, "%s/stet-products-%016llx.txt", b->tuning.cache_folder,
                       (unsigned long long)checksum(head, n));
    return len > 0 && len < PATH_ROOM;
}

/* ---- Reading --------------------------------------------------------------------------------- */

struct reader {
    const char *p, *end;
};

static int take(struct reader *r, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0) {
        return 0;
    }
    r->p += n;
    return 1;
}

static int digit_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* 16 digits of base 16. */
static int take_word(struct reader *r, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < 16; i++) {
        int d = r->p < r->end ? digit_of(*r->p) : 16;
        if (d == 16) {
            return 0;
        }
        *out = *out << 4 | (uint64_t)d;
        r->p++;
    }
    return 1;
}

/* 1 .. 10^8, without a zero in front. */
static int take_size(struct reader *r, int32_t *out)
{
    *out = 0;
    while (r->p < r->end && *r->p >= '0' && *r->p <= '9' && *out < 10000000) {
        if (*out == 0 && *r->p == '0') {
            return 0;
        }
        *out = *out * 10 + (*r->p++ - '0');
    }
    return *out > 0;
}

static int take_type(struct reader *r, int32_t *out)
{
    for (int32_t type = STETI_CUDA_F32; type <= STETI_CUDA_BF16; type++) {
        if (take(r, type_names[type])) {
            *out = type;
            return 1;
        }
    }
    return 0;
}

/* The rest of a line: printable, and as long as `why` at most. */
static int take_why(struct reader *r, struct steti_blas_verdict *v)
{
    size_t n = 0;
    while (r->p < r->end && *r->p >= ' ' && *r->p <= '~') {
        if (n + 1 >= sizeof v->why) {
            return 0;
        }
        v->why[n++] = *r->p++;
    }
    v->why[n] = '\0';
    return take(r, "\n");
}

static int take_verdict(struct reader *r, struct steti_blas_verdict *v)
{
    memset(v, 0, sizeof *v);
    if (!take_type(r, &v->type) || !take(r, " ") || !take_size(r, &v->n_out) || !take(r, " ") ||
        !take_size(r, &v->n_in)) {
        return 0;
    }
    v->passed = take(r, " library ");
    if (!v->passed && !take(r, " own ")) {
        return 0;
    }
    for (size_t i = 0; i < sizeof v->algo.word / sizeof v->algo.word[0]; i++) {
        if (!take_word(r, &v->algo.word[i])) {
            return 0;
        }
    }
    v->is_from_file = 1;
    return take(r, " ") && take_why(r, v);
}

/* The verdicts of the file in front of the context's; NULL, or what is wrong with the file. */
static const char *read_all(struct steti_backend *b, const char *text, size_t len)
{
    struct reader r = {text, text + len};
    char head[HEAD_ROOM];
    uint64_t sum;
    make_head(b, head);
    if (!take(&r, head)) {
        return "it is about another device, library or version";
    }
    while (!take(&r, "end ")) {
        struct steti_blas_verdict v, *kept;
        if (!take_verdict(&r, &v)) {
            return "it is damaged: a line is not what it must be";
        }
        kept = steti_malloc(sizeof *kept);
        if (kept == NULL) {
            return "there is too little memory for it";
        }
        *kept = v;
        kept->next = b->library.verdicts;
        b->library.verdicts = kept;
    }
    len = (size_t)(r.p - text) - strlen("end ");
    if (!take_word(&r, &sum) || !take(&r, "\n") || r.p != r.end || sum != checksum(text, len)) {
        return "it is damaged: the checksum does not fit";
    }
    return NULL;
}

void steti_cuda_cache_load(struct steti_backend *b)
{
    stet_error err = {.struct_size = sizeof err};
    struct steti_file_map file;
    const char *problem;
    char path[PATH_ROOM];
    b->library.has_cache =
        b->tuning.cache_folder != NULL && b->tuning.cache_folder[0] != '\0' && make_path(b, path);
    if (!b->library.has_cache || !steti_file_named(path)) {
        return;
    }
    if (steti_file_map_open(path, MOST_BYTES, &file, &err) != STET_OK) {
        steti_log(STET_LOG_INFO, "cuda", "kept probes are not used: %s", err.message);
        return;
    }
    problem = read_all(b, (const char *)file.data, file.len);
    steti_file_map_close(&file);
    if (problem != NULL) {
        steti_log(STET_LOG_INFO, "cuda", "kept probes are not used: %s: %s", path, problem);
        while (b->library.verdicts != NULL) {
            struct steti_blas_verdict *v = b->library.verdicts;
            b->library.verdicts = v->next;
            steti_free(v);
        }
    }
}

/* ---- Writing --------------------------------------------------------------------------------- */

static stet_status put_all(const struct steti_backend *b, struct steti_buf *out, stet_error *err)
{
    char head[HEAD_ROOM];
    STETI_TRY(steti_buf_append(out, head, make_head(b, head), err));
    for (const struct steti_blas_verdict *v = b->library.verdicts; v != NULL; v = v->next) {
        if (v->is_for_now) {
            continue;
        }
        STETI_TRY(steti_buf_printf(out, err, "%s %d %d %s ", type_names[v->type], v->n_out, v->n_in,
                                   v->passed ? "library" : "own"));
        for (size_t i = 0; i < sizeof v->algo.word / sizeof v->algo.word[0]; i++) {
            STETI_TRY(steti_buf_printf(out, err, "%016llx",
                                       v->passed ? (unsigned long long)v->algo.word[i] : 0));
        }
        STETI_TRY(steti_buf_printf(out, err, " %s\n", v->why));
    }
    return steti_buf_printf(out, err, "end %016llx\n",
                            (unsigned long long)checksum(out->data, out->len));
}

/* Under a name of its own first: who reads at the same time sees the old file or the new one. */
static stet_status write_file(const char *path, const struct steti_buf *text, stet_error *err)
{
    char temp[PATH_ROOM + 8];
    struct steti_file_out f = {-1, NULL};
    stet_status st;
    snprintf(temp, sizeof temp, "%s.XXXXXX", path);
    f.path = steti_strndup(path, strlen(path));
    if (f.path == NULL) {
        return steti_fail_nomem(err, "a path", strlen(path) + 1);
    }
    f.fd = mkstemp(temp);
    if (f.fd < 0) {
        st = steti_fail(err, STET_E_IO, "%s: cannot be made: %s", path, strerror(errno));
        steti_file_out_drop(&f);
        return st;
    }
    st = steti_file_out_write_at(&f, 0, text->data, text->len, err);
    if (st == STET_OK) {
        st = steti_file_out_close(&f, err);
    } else {
        steti_file_out_drop(&f);
    }
    if (st == STET_OK && rename(temp, path) != 0) {
        st = steti_fail(err, STET_E_IO, "%s: cannot be replaced: %s", path, strerror(errno));
    }
    if (st != STET_OK) {
        unlink(temp);
    }
    return st;
}

void steti_cuda_cache_save(struct steti_backend *b)
{
    stet_error err = {.struct_size = sizeof err};
    struct steti_buf text;
    char path[PATH_ROOM];
    stet_status st;
    if (!b->library.has_cache || !make_path(b, path)) {
        return;
    }
    steti_buf_init(&text);
    st = put_all(b, &text, &err);
    st = st == STET_OK ? write_file(path, &text, &err) : st;
    steti_buf_free(&text);
    if (st != STET_OK) {
        b->library.has_cache = 0;
        steti_log(STET_LOG_INFO, "cuda", "probes are not kept: %s", err.message);
    }
}
