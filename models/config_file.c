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
    if (required || steti_file_exists(path)) {
        st = steti_file_map_open(path, CONFIG_MAX_BYTES, map, err);
        *text = map->len > 0 ? (const char *)map->data : "";
    }
    steti_free(path);
    return st;
}

stet_status config_parse(const char *text, size_t len, const struct config *s,
                         struct steti_json **root, stet_error *err)
{
    stet_status st = steti_json_parse(text, len, s->file, root, err);
    return st == STET_OK ? STET_OK : steti_fail_context(err, st, "%s", s->folder);
}
