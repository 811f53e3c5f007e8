#include "cli_model_path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alloc.h"
#include "buf.h"
#include "file_map.h"

#define DEFAULT_MODEL "models/stet-edge-en"

/* Folder of the running programme, without a final slash; "" when the system does not tell. */
static void own_folder(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    char *slash;
    out[n > 0 ? n : 0] = '\0';
    slash = strrchr(out, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
}

static stet_status copy_path(const char *path, char **out, stet_error *err)
{
    *out = steti_strndup(path, strlen(path));
    return *out != NULL ? STET_OK : steti_fail_nomem(err, "a path", strlen(path) + 1);
}

/* Sets *out if folder/tail is a model folder, else adds it to the list of places tried. */
static stet_status try_place(const char *folder, const char *tail, struct steti_buf *tried,
                             char **out, stet_error *err)
{
    char *path = steti_path_join(folder, tail);
    char *config = path != NULL ? steti_path_join(path, "config.json") : NULL;
    stet_status st = STET_OK;
    if (config == NULL) {
        st = steti_fail_nomem(err, "a path", strlen(folder) + strlen(tail));
    } else if (steti_file_exists(config)) {
        *out = path;
        path = NULL;
    } else {
        st = steti_buf_printf(tried, err, "%s %s", tried->len > 0 ? "," : "", path);
    }
    steti_free(config);
    steti_free(path);
    return st;
}

static stet_status search(struct steti_buf *tried, char **out, stet_error *err)
{
    char own[PATH_MAX];
    own_folder(own);
    if (own[0] != '\0') {
        STETI_TRY(try_place(own, "../" DEFAULT_MODEL, tried, out, err));
        if (*out == NULL) {
            STETI_TRY(try_place(own, "../share/stet/" DEFAULT_MODEL, tried, out, err));
        }
    }
    if (*out == NULL) {
        STETI_TRY(try_place(STETI_DATA_DIR, DEFAULT_MODEL, tried, out, err));
    }
    if (*out == NULL) {
        const char *list = steti_buf_cstr(tried);
        return steti_fail(err, STET_E_IO,
                          "no model found; name one with --model FOLDER or STET_MODEL. Tried:%s",
                          list != NULL ? list : "");
    }
    return STET_OK;
}

stet_status steti_model_path(const char *given, char **out, stet_error *err)
{
    const char *variable = getenv("STET_MODEL");
    struct steti_buf tried;
    stet_status st;
    *out = NULL;
    if (given != NULL) {
        return copy_path(given, out, err);
    }
    if (variable != NULL && variable[0] != '\0') {
        return copy_path(variable, out, err);
    }
    steti_buf_init(&tried);
    st = search(&tried, out, err);
    steti_buf_free(&tried);
    return st;
}
