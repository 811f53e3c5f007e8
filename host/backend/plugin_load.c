#include "plugin_load.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file_map.h"
#include "log.h"

#define NAME_CAP 64

/* ---- Where it is ----------------------------------------------------------------------------- */

/* The library or programme that this code was linked into. */
static int own_library(char out[PATH_MAX])
{
    static const char here = 0; /* any address in it */
    Dl_info info;
    return dladdr(&here, &info) != 0 && info.dli_fname != NULL &&
           strchr(info.dli_fname, '/') != NULL && realpath(info.dli_fname, out) != NULL;
}

static int own_programme(char out[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

/* Is there a file `name` in the folder that `of` stands in? */
static int is_beside(const char *of, const char *name, char path[PATH_MAX])
{
    const char *slash = strrchr(of, '/');
    int n = slash == NULL ? -1 : snprintf(path, PATH_MAX, "%.*s/%s", (int)(slash - of), of, name);
    return n > 0 && n < PATH_MAX && steti_file_exists(path);
}

/* A name without a slash would be looked for in the folders of the system's loader. */
static stet_status take_given(const char *device, const char *given, const char *name,
                              char path[PATH_MAX], stet_error *err)
{
    const char *before = strchr(given, '/') == NULL ? "./" : "";
    struct stat s;
    int is_folder = stat(given, &s) == 0 && S_ISDIR(s.st_mode);
    int n = snprintf(path, PATH_MAX, "%s%s%s%s", before, given, is_folder ? "/" : "",
                     is_folder ? name : "");
    errno = n < PATH_MAX ? 0 : ENAMETOOLONG;
    if (errno != 0 || stat(path, &s) != 0) {
        return steti_fail(err, STET_E_DEVICE,
                          "device %s: the plug-in that STET_PLUGIN_PATH names, \"%.200s\": %s; set "
                          "it to %s or its folder, unset it, or use device cpu",
                          device, given, strerror(errno), name);
    }
    return STET_OK;
}

/* A path, or the name alone for the system's loader. */
static stet_status find(const char *device, const char *name, char path[PATH_MAX], stet_error *err)
{
    const char *given = secure_getenv("STET_PLUGIN_PATH");
    char own[PATH_MAX];
    if (given != NULL && given[0] != '\0') {
        return take_given(device, given, name, path, err);
    }
    if ((own_library(own) && is_beside(own, name, path)) ||
        (own_programme(own) && is_beside(own, name, path))) {
        return STET_OK;
    }
    snprintf(path, PATH_MAX, "%s", name);
    return STET_OK;
}

/* ---- What it is ------------------------------------------------------------------------------ */

static stet_status not_opened(const char *device, const char *path, stet_error *err)
{
    const char *why = dlerror();
    size_t n = strlen(path);
    why = why != NULL ? why : "for no reason that the system's loader tells";
    if (strncmp(why, path, n) == 0 && why[n] == ':') { /* it names what is missing */
        why += n + 1 + (why[n + 1] == ' ');
        if (strchr(path, '/') == NULL) {
            return steti_fail(err, STET_E_DEVICE,
                              "device %s: there is no plug-in %s beside stet or where the system's "
                              "loader looks: %s; build stet with it, name it in STET_PLUGIN_PATH, "
                              "or use device cpu",
                              device, path, why);
        }
    }
    return steti_fail(err, STET_E_DEVICE,
                      "device %s: the plug-in %.200s cannot be opened: %.160s; repair it, install "
                      "what it needs, or use device cpu",
                      device, path, why);
}

static stet_status check_plugin(const char *device, const char *path, void *lib,
                                const struct steti_backend_ops **out, stet_error *err)
{
    void *symbol = dlsym(lib, STETI_PLUGIN_ENTRY);
    const struct steti_backend_ops *ops;
    steti_plugin_entry entry;
    if (symbol == NULL) {
        return steti_fail(err, STET_E_DEVICE,
                          "device %s: %.300s is no plug-in of stet: it has no function %s", device,
                          path, STETI_PLUGIN_ENTRY);
    }
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from data to functions */
    ops = entry();
    if (ops == NULL || ops->api_version != STETI_BACKEND_API) {
        return steti_fail(err, STET_E_DEVICE,
                          "device %s: the plug-in %.200s has version %d of the backend interface, "
                          "this stet needs version %d: use the one that was built with it",
                          device, path, ops != NULL ? ops->api_version : 0, STETI_BACKEND_API);
    }
    *out = ops;
    return STET_OK;
}

/* The system's loader opens a file that is loaded no second time. */
static stet_status open_plugin(const char *device, const char *path,
                               const struct steti_backend_ops **out, stet_error *err)
{
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    stet_status st;
    if (lib == NULL) {
        return not_opened(device, path, err);
    }
    st = check_plugin(device, path, lib, out, err);
    if (st != STET_OK) {
        dlclose(lib);
    } else if ((*out)->set_log != NULL) {
        steti_log_share((*out)->set_log);
    }
    return st;
}

stet_status steti_plugin_load(const char *device, const struct steti_backend_ops **out,
                              stet_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    char name[NAME_CAP], path[PATH_MAX];
    stet_status st;
    *out = NULL;
    snprintf(name, sizeof name, "libstet_%s.so", device);
    STETI_TRY(find(device, name, path, err));
    /* The thread that comes first runs what the plug-in does at its loading; the others must see
     * that done. */
    pthread_mutex_lock(&lock);
    st = open_plugin(device, path, out, err);
    pthread_mutex_unlock(&lock);
    return st;
}
