#include "safetensors.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "bytes.h"
#include "json.h"
#include "utf8.h"

#define MAX_HEADER 100000000u
#define LENGTH_FIELD 8u
#define SHOWN_NAME 120

/* What the walk over the header needs. */
struct reader {
    const char *path;
    const unsigned char *buffer; /* first byte after the header */
    size_t buffer_len;
    struct steti_safetensors *out;
    char *next_name;
    char shown[SHOWN_NAME + 4]; /* name of the current tensor, cut, for messages */
    stet_error *err;
};

static void show_name(struct reader *r, const char *name, size_t len)
{
    size_t n = len <= SHOWN_NAME ? len : steti_utf8_valid_prefix(name, SHOWN_NAME);
    memcpy(r->shown, name, n);
    memcpy(r->shown + n, len > n ? "..." : "", len > n ? 4 : 1);
}

static stet_status fail_field(const struct reader *r, const char *what)
{
    return steti_fail(r->err, STET_E_FORMAT, "%s: tensor '%s': %s", r->path, r->shown, what);
}

static int is_kind(const struct steti_json *v, enum steti_json_kind kind)
{
    return v != NULL && steti_json_kind_of(v) == kind;
}

static stet_status check_metadata_member(void *ctx, const char *key, size_t key_len,
                                         const struct steti_json *value)
{
    struct reader *r = ctx;
    if (is_kind(value, STETI_JSON_STRING)) {
        return STET_OK;
    }
    show_name(r, key, key_len);
    return steti_fail(r->err, STET_E_FORMAT,
                      "%s: __metadata__ key '%s': the value must be a string", r->path, r->shown);
}

static stet_status check_metadata(struct reader *r, const struct steti_json *value)
{
    if (!is_kind(value, STETI_JSON_OBJECT)) {
        return steti_fail(r->err, STET_E_FORMAT, "%s: __metadata__ must be an object of strings",
                          r->path);
    }
    return steti_json_each(value, check_metadata_member, r);
}

static stet_status read_dtype(struct reader *r, const struct steti_json *v, struct steti_tensor *t)
{
    size_t len;
    const char *text;
    if (!is_kind(v, STETI_JSON_STRING)) {
        return fail_field(r, "field dtype is missing or not a string");
    }
    text = steti_json_string(v, &len);
    if (!steti_dtype_parse(text, len, &t->dtype)) {
        return steti_fail(r->err, STET_E_FORMAT, "%s: tensor '%s': dtype '%.40s' is not supported",
                          r->path, r->shown, text);
    }
    return STET_OK;
}

/* Also computes the size in bytes, in the order the format's own reader multiplies. */
static stet_status read_shape(struct reader *r, const struct steti_json *v, struct steti_tensor *t,
                              size_t *bytes)
{
    size_t rank;
    if (!is_kind(v, STETI_JSON_ARRAY)) {
        return fail_field(r, "field shape is missing or not an array");
    }
    rank = steti_json_len(v);
    if (rank > STETI_MAX_RANK) {
        return steti_fail(r->err, STET_E_FORMAT,
                          "%s: tensor '%s': %zu dimensions, at most %d are supported", r->path,
                          r->shown, rank, STETI_MAX_RANK);
    }
    *bytes = steti_dtype_size(t->dtype);
    t->rank = (int)rank;
    for (size_t i = 0; i < rank; i++) {
        const struct steti_json *dim = steti_json_at(v, i);
        if (!is_kind(dim, STETI_JSON_INT) || steti_json_int(dim) < 0) {
            return steti_fail(r->err, STET_E_FORMAT,
                              "%s: tensor '%s': dimension %zu of the shape is not an integer >= 0",
                              r->path, r->shown, i);
        }
        t->shape[i] = steti_json_int(dim);
        if (!steti_mul_size(*bytes, (size_t)t->shape[i], bytes)) {
            return fail_field(r, "the shape needs more bytes than 64 bits can count");
        }
    }
    return STET_OK;
}

static stet_status read_offsets(struct reader *r, const struct steti_json *v, size_t bytes,
                                struct steti_tensor *t)
{
    int64_t be[2];
    if (!is_kind(v, STETI_JSON_ARRAY) || steti_json_len(v) != 2) {
        return fail_field(r, "field data_offsets is missing or not an array of two");
    }
    for (size_t i = 0; i < 2; i++) {
        const struct steti_json *x = steti_json_at(v, i);
        if (!is_kind(x, STETI_JSON_INT) || steti_json_int(x) < 0) {
            return fail_field(r, "data_offsets must be two integers >= 0");
        }
        be[i] = steti_json_int(x);
    }
    if (be[1] < be[0] || (uint64_t)be[1] > r->buffer_len) {
        return steti_fail(r->err, STET_E_FORMAT,
                          "%s: tensor '%s': data_offsets [%lld, %lld] are not a range inside the "
                          "%zu bytes of data; the file is cut off or damaged",
                          r->path, r->shown, (long long)be[0], (long long)be[1], r->buffer_len);
    }
    if ((uint64_t)(be[1] - be[0]) != bytes) {
        return steti_fail(
            r->err, STET_E_FORMAT,
            "%s: tensor '%s': data_offsets [%lld, %lld] hold %lld bytes, dtype and shape need %zu",
            r->path, r->shown, (long long)be[0], (long long)be[1], (long long)(be[1] - be[0]),
            bytes);
    }
    t->data = r->buffer + be[0];
    return STET_OK;
}

static stet_status read_member(void *ctx, const char *key, size_t key_len,
                               const struct steti_json *value)
{
    struct reader *r = ctx;
    struct steti_st_entry *e = &r->out->entries[r->out->n];
    size_t bytes = 0;
    if (strcmp(key, "__metadata__") == 0) {
        return check_metadata(r, value);
    }
    show_name(r, key, key_len);
    if (!is_kind(value, STETI_JSON_OBJECT)) {
        return fail_field(r, "the value must be an object with dtype, shape and data_offsets");
    }
    STETI_TRY(read_dtype(r, steti_json_get(value, "dtype"), &e->view));
    STETI_TRY(read_shape(r, steti_json_get(value, "shape"), &e->view, &bytes));
    STETI_TRY(read_offsets(r, steti_json_get(value, "data_offsets"), bytes, &e->view));
    if (steti_json_len(value) != 3) {
        return fail_field(r, "has fields other than dtype, shape and data_offsets");
    }
    memcpy(r->next_name, key, key_len + 1);
    e->name = r->next_name;
    r->next_name += key_len + 1;
    r->out->n++;
    return STET_OK;
}

static stet_status add_name_size(void *ctx, const char *key, size_t key_len,
                                 const struct steti_json *value)
{
    size_t *total = ctx;
    (void)key;
    (void)value;
    *total += key_len + 1;
    return STET_OK;
}

static stet_status read_members(struct reader *r, const struct steti_json *root)
{
    size_t n = steti_json_len(root), name_bytes = 0;
    STETI_TRY(steti_json_each(root, add_name_size, &name_bytes));
    r->out->entries = steti_calloc(n, sizeof *r->out->entries);
    r->out->names = steti_malloc(name_bytes);
    if (r->out->entries == NULL || r->out->names == NULL) {
        return steti_fail_nomem(r->err, r->path, n * sizeof *r->out->entries + name_bytes);
    }
    r->next_name = r->out->names;
    return steti_json_each(root, read_member, r);
}

/* Empty tensors come before the one that begins at the same place. */
static int by_place(const void *pa, const void *pb)
{
    const struct steti_tensor *a = &((const struct steti_st_entry *)pa)->view;
    const struct steti_tensor *b = &((const struct steti_st_entry *)pb)->view;
    size_t na, nb;
    if (a->data != b->data) {
        return (const char *)a->data < (const char *)b->data ? -1 : 1;
    }
    na = steti_tensor_bytes(a);
    nb = steti_tensor_bytes(b);
    return (na > nb) - (na < nb);
}

static int by_name(const void *pa, const void *pb)
{
    const struct steti_st_entry *a = pa, *b = pb;
    return strcmp(a->name, b->name);
}

/* Every byte of the buffer belongs to exactly one tensor, so that a file has one reading only. */
static stet_status check_layout(struct reader *r)
{
    struct steti_safetensors *out = r->out;
    size_t pos = 0;
    qsort(out->entries, out->n, sizeof *out->entries, by_place);
    for (size_t i = 0; i < out->n; i++) {
        const struct steti_tensor *t = &out->entries[i].view;
        size_t begin = (size_t)((const unsigned char *)t->data - r->buffer);
        if (begin != pos) {
            show_name(r, out->entries[i].name, strlen(out->entries[i].name));
            return steti_fail(
                r->err, STET_E_FORMAT, "%s: tensor '%s': begins at offset %zu, expected %zu: %s",
                r->path, r->shown, begin, pos,
                begin > pos ? "bytes that no tensor owns" : "overlaps another tensor");
        }
        pos += steti_tensor_bytes(t);
    }
    if (pos != r->buffer_len) {
        return steti_fail(
            r->err, STET_E_FORMAT,
            "%s: the tensors end at offset %zu of %zu bytes of data; the file is damaged", r->path,
            pos, r->buffer_len);
    }
    qsort(out->entries, out->n, sizeof *out->entries, by_name);
    return STET_OK;
}

/* Finds the JSON text of the header, without its padding, and the buffer behind it. */
static stet_status find_header(struct reader *r, const void *data, size_t len, size_t *json_len)
{
    struct steti_bytes in;
    uint64_t n = 0;
    const char *text;
    steti_bytes_init(&in, data, len);
    if (!steti_bytes_u64le(&in, &n)) {
        return steti_fail(r->err, STET_E_FORMAT,
                          "%s: %zu bytes are too few for a safetensors file; get it again", r->path,
                          len);
    }
    if (n > MAX_HEADER) {
        return steti_fail(r->err, STET_E_FORMAT,
                          "%s: header length %llu at offset 0 is over the limit of %u; it is not a "
                          "safetensors file",
                          r->path, (unsigned long long)n, MAX_HEADER);
    }
    if (n > steti_bytes_left(&in)) {
        return steti_fail(r->err, STET_E_FORMAT,
                          "%s: header length %llu at offset 0, but only %zu bytes follow; the file "
                          "is cut off",
                          r->path, (unsigned long long)n, steti_bytes_left(&in));
    }
    text = (const char *)in.p;
    if (n == 0 || text[0] != '{') {
        return steti_fail(r->err, STET_E_FORMAT, "%s: the header at offset %u must begin with '{'",
                          r->path, LENGTH_FIELD);
    }
    r->buffer = in.p + n;
    r->buffer_len = steti_bytes_left(&in) - (size_t)n;
    while (text[n - 1] == ' ') {
        n--;
    }
    *json_len = (size_t)n;
    return STET_OK;
}

stet_status steti_safetensors_parse(const void *data, size_t len, const char *name,
                                    struct steti_safetensors *out, stet_error *err)
{
    struct reader r = {.path = name, .out = out, .err = err};
    struct steti_json *root = NULL;
    size_t json_len = 0;
    stet_status st;
    memset(out, 0, sizeof *out);
    STETI_TRY(steti_refuse_pointer(data, len, name, err));
    STETI_TRY(find_header(&r, data, len, &json_len));
    STETI_TRY(steti_json_parse((const char *)data + LENGTH_FIELD, json_len, name, &root, err));
    STETI_TRY_GOTO(read_members(&r, root), st, fail_read);
    STETI_TRY_GOTO(check_layout(&r), st, fail_read);
    steti_json_free(root);
    out->file_len = len;
    return STET_OK;
fail_read:
    steti_json_free(root);
    steti_safetensors_close(out);
    return st;
}

stet_status steti_safetensors_open(const char *path, struct steti_safetensors *out, stet_error *err)
{
    struct steti_file_map map;
    stet_status st;
    memset(out, 0, sizeof *out);
    STETI_TRY(steti_file_map_open(path, SIZE_MAX, &map, err));
    st = steti_safetensors_parse(map.data, map.len, path, out, err);
    if (st != STET_OK) {
        steti_file_map_close(&map);
        return st;
    }
    out->map = map;
    return STET_OK;
}

void steti_safetensors_close(struct steti_safetensors *st)
{
    steti_free(st->entries);
    steti_free(st->names);
    steti_file_map_close(&st->map);
    memset(st, 0, sizeof *st);
}

const struct steti_tensor *steti_safetensors_find(const struct steti_safetensors *st,
                                                  const char *name)
{
    struct steti_st_entry key = {.name = name};
    const struct steti_st_entry *e;
    if (st->n == 0) {
        return NULL;
    }
    e = bsearch(&key, st->entries, st->n, sizeof *st->entries, by_name);
    return e != NULL ? &e->view : NULL;
}
