/* Parses any bytes as JSON, visits every value, and writes every string back: what was written must
 * parse and give the same bytes. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "buf.h"
#include "json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile double sink;

static void visit(const struct steti_json *v, int depth);

static void write_back(const char *s, size_t n)
{
    struct steti_buf b;
    struct steti_json *root = NULL;
    const char *again;
    size_t len = 0;
    steti_buf_init(&b);
    if (steti_buf_puts(&b, "{\"k\":", NULL) != STET_OK ||
        steti_buf_json_string(&b, s, n, NULL) != STET_OK ||
        steti_buf_puts(&b, "}", NULL) != STET_OK ||
        steti_json_parse(b.data, b.len, "written", &root, NULL) != STET_OK) {
        __builtin_trap();
    }
    again = steti_json_string(steti_json_get(root, "k"), &len);
    if (len != n || memcmp(again, s, n) != 0) {
        __builtin_trap();
    }
    steti_json_free(root);
    steti_buf_free(&b);
}

static stet_status visit_member(void *ctx, const char *key, size_t key_len,
                                const struct steti_json *v)
{
    write_back(key, key_len);
    visit(v, *(int *)ctx + 1);
    return STET_OK;
}

static void visit(const struct steti_json *v, int depth)
{
    size_t len = 0;
    const char *s;
    if (depth > STETI_JSON_MAX_DEPTH) {
        __builtin_trap();
    }
    switch (steti_json_kind_of(v)) {
    case STETI_JSON_NULL:
        break;
    case STETI_JSON_BOOL:
        sink += steti_json_bool(v);
        break;
    case STETI_JSON_INT:
        sink += (double)steti_json_int(v);
        break;
    case STETI_JSON_REAL:
        sink += steti_json_real(v);
        break;
    case STETI_JSON_STRING:
        s = steti_json_string(v, &len);
        write_back(s, len);
        break;
    case STETI_JSON_ARRAY:
        for (size_t i = 0; i < steti_json_len(v); i++) {
            visit(steti_json_at(v, i), depth + 1);
        }
        break;
    case STETI_JSON_OBJECT:
        (void)steti_json_each(v, visit_member, &depth);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct steti_json *root = NULL;
    if (steti_json_parse((const char *)data, size, "fuzz", &root, NULL) != STET_OK) {
        return 0;
    }
    visit(root, 0);
    steti_json_free(root);
    return 0;
}
