/* What stands in a model folder beside the weights. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "file_map.h"
#include "file_out.h"
#include "quantize_internal.h"

#define CONFIG_MAX_BYTES (16u << 20)

static int ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && strcmp(s + n - k, end) == 0;
}

/* Weights in any form, those of other software too: they would be the old ones. */
static int is_weights(const char *name)
{
    static const char *const ends[] = {".safetensors", ".safetensors.index.json",
                                       ".bin",         ".bin.index.json",
                                       ".h5",          ".msgpack",
                                       ".ot",          ".pt",
                                       ".onnx",        ".npz"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        if (ends_with(name, ends[i])) {
            return 1;
        }
    }
    return 0;
}

static stet_status write_config(const char *from, const char *to, enum steti_dtype type,
                                stet_error *err)
{
    struct steti_file_map in;
    struct steti_file_out file;
    struct steti_buf text;
    stet_status st;
    STETI_TRY(steti_file_map_open(from, CONFIG_MAX_BYTES, &in, err));
    steti_buf_init(&text);
    STETI_TRY_GOTO(quantize_config((const char *)in.data, in.len, type, &text, err), st, done);
    STETI_TRY_GOTO(steti_file_out_open(&file, to, err), st, done);
    st = steti_file_out_write_at(&file, 0, text.data, text.len, err);
    if (st == STET_OK) {
        st = steti_file_out_close(&file, err);
    } else {
        steti_file_out_drop(&file);
    }
done:
    steti_buf_free(&text);
    steti_file_map_close(&in);
    return st;
}

static stet_status put_file(const char *from, const char *to, const char *name,
                            enum steti_dtype type, stet_error *err)
{
    char *source = steti_path_join(from, name), *target = steti_path_join(to, name);
    stet_status st;
    if (source == NULL || target == NULL) {
        st = steti_fail_nomem(err, "a path", strlen(from) + strlen(to) + 2 * strlen(name));
    } else if (strcmp(name, "config.json") == 0) {
        st = write_config(source, target, type, err);
    } else {
        st = steti_file_copy(source, target, err);
    }
    steti_free(source);
    steti_free(target);
    return st;
}

/* 1: a regular file, perhaps behind a link; 0: not; negative: a status. */
static int is_wanted(const char *folder, const char *name)
{
    char *path;
    int found;
    if (is_weights(name)) {
        return 0;
    }
    path = steti_path_join(folder, name);
    if (path == NULL) {
        return STET_E_NOMEM;
    }
    found = steti_file_exists(path);
    steti_free(path);
    return found;
}

static stet_status put_files(DIR *dir, const char *from, const char *to, enum steti_dtype type,
                             uint64_t *copied, stet_error *err)
{
    for (;;) {
        struct dirent *e;
        int wanted;
        errno = 0;
        e = readdir(dir);
        if (e == NULL) {
            return errno == 0 ? STET_OK
                              : steti_fail(err, STET_E_IO, "%s: cannot be read: %s", from,
                                           strerror(errno));
        }
        wanted = is_wanted(from, e->d_name);
        if (wanted < 0) {
            return steti_fail_nomem(err, "a path", strlen(from) + strlen(e->d_name) + 2);
        }
        if (wanted) {
            STETI_TRY(put_file(from, to, e->d_name, type, err));
            *copied += strcmp(e->d_name, "config.json") != 0;
        }
    }
}

stet_status quantize_files(const char *from, const char *to, enum steti_dtype type,
                           uint64_t *copied, stet_error *err)
{
    DIR *dir = opendir(from);
    stet_status st;
    *copied = 0;
    if (dir == NULL) {
        return steti_fail(err, STET_E_IO, "%s: cannot be opened: %s", from, strerror(errno));
    }
    st = put_files(dir, from, to, type, copied, err);
    closedir(dir);
    return st;
}
