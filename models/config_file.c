#include "config_file.h"

#include <string.h>

#include "alloc.h"

#define CONFIG_MAX_BYTES (16u << 20)

stet_status config_map(const char *folder, const char *name, int required,
                       struct steti_file_map *map, const char **text, stet_error *err)
{
    char *path = steti_path_join(folder, name);
    stet_status st = STET_OK;
    memset(map, 0, sizeof *map);
    *text = NULL;
    if (path == NULL) {
        return steti_fail_nomem(err, "a path", strlen(folder));
    }
    if (required || steti_file_named(path)) {
        st = steti_file_map_open(path, CONFIG_MAX_BYTES, map, err);
        *text = map->len > 0 ? (const char *)map->data : "";
    }
    steti_free(path);
    return st;
}

stet_status config_parse(const char *text, size_t len, const struct config *s,
                         struct steti_json **root, stet_error *err)
{
    char *path = steti_path_join(s->folder, s->file);
    stet_status st;
    if (path == NULL) {
        return steti_fail_nomem(err, "a path", strlen(s->folder));
    }
    st = steti_json_parse(text, len, path, root, err);
    steti_free(path);
    return st;
}

/* What fairseq calls its checkpoints. */
static const char *const checkpoints[] = {"checkpoint_best.pt", "checkpoint_last.pt", "model.pt",
                                          NULL};

static stet_status fail_checkpoint(const char *folder, const char *name, int *there,
                                   stet_error *err)
{
    char *path = steti_path_join(folder, name);
    if (path == NULL) {
        return steti_fail_nomem(err, "a path", strlen(folder));
    }
    *there = steti_file_named(path);
    steti_free(path);
    return !*there ? STET_OK
                   : steti_fail(err, STET_E_IO,
                                "%s: no config.json, but %s: a checkpoint of fairseq; "
                                "scripts/convert_fairseq.py makes a folder of it",
                                folder, name);
}

stet_status config_check_there(const char *folder, stet_error *err)
{
    char *path = steti_path_join(folder, "config.json");
    int there;
    if (path == NULL) {
        return steti_fail_nomem(err, "a path", strlen(folder));
    }
    there = steti_file_named(path);
    steti_free(path);
    for (size_t i = 0; !there && checkpoints[i] != NULL; i++) {
        STETI_TRY(fail_checkpoint(folder, checkpoints[i], &there, err));
    }
    return there ? STET_OK
                 : steti_fail(err, STET_E_IO,
                              "%s/config.json: is missing; a model is a folder with config.json, "
                              "model.safetensors and a tokenizer",
                              folder);
}
