/* Any JSON object as a config.json whose type is changed: the result is an object with the same
 * members but those that tell the type, and changing back and forth ends where it was. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "json.h"
#include "quantize_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition) {
        __builtin_trap();
    }
}

static const char mark[] = "quantization_config";

/* Of an object, or NULL. */
static struct steti_json *parse(const char *text, size_t len)
{
    struct steti_json *root = NULL;
    stet_status st = steti_json_parse(text, len, "config.json", &root, NULL);
    if (st == STET_OK && steti_json_kind_of(root) != STETI_JSON_OBJECT) {
        steti_json_free(root);
        return NULL;
    }
    return st == STET_OK ? root : NULL;
}

static void check_type(const struct steti_json *before, const struct steti_json *after,
                       const char *key, const char *type)
{
    const struct steti_json *old = steti_json_get(before, key), *now = steti_json_get(after, key);
    must((old == NULL) == (now == NULL));
    if (old != NULL && steti_json_kind_of(old) == STETI_JSON_STRING) {
        must(steti_json_kind_of(now) == STETI_JSON_STRING);
        must(strcmp(steti_json_string(now, NULL), type) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum steti_dtype types[] = {STETI_I8, STETI_F16, STETI_I8, STETI_F16};
    const char *text = (const char *)data;
    struct steti_buf out[4];
    struct steti_json *root;
    /* Keys with escapes are names like any other: they are not looked for. */
    if (size > 4096 || memchr(text != NULL ? text : "", '\\', size) != NULL) {
        return 0;
    }
    root = parse(text, size);
    if (root == NULL) {
        return 0;
    }
    for (int i = 0; i < 4; i++) {
        int is_int8 = types[i] == STETI_I8, had = steti_json_get(root, mark) != NULL;
        struct steti_json *now;
        steti_buf_init(&out[i]);
        must(quantize_config(i > 0 ? out[i - 1].data : text, i > 0 ? out[i - 1].len : size,
                             types[i], &out[i], NULL) == STET_OK);
        now = parse(out[i].data, out[i].len);
        must(now != NULL);
        must((steti_json_get(now, mark) != NULL) == is_int8);
        must(steti_json_len(now) == steti_json_len(root) - (size_t)had + (size_t)is_int8);
        check_type(root, now, "dtype", is_int8 ? "int8" : "float16");
        check_type(root, now, "torch_dtype", is_int8 ? "int8" : "float16");
        steti_json_free(now);
    }
    must(out[1].len == out[3].len && memcmp(out[1].data, out[3].data, out[1].len) == 0);
    for (int i = 0; i < 4; i++) {
        steti_buf_free(&out[i]);
    }
    steti_json_free(root);
    return 0;
}
