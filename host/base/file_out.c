#include "file_out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"
#include "file_map.h"

#define MAX_WRITE ((size_t)1 << 30) /* the system writes no more at once anyway */
#define TEMP_TRIES 1000
#define TEMP_ROOM 48 /* ".partial-PID-N" */

stet_status steti_file_out_open(struct steti_file_out *f, const char *path, stet_error *err)
{
    f->fd = -1;
    f->path = steti_strndup(path, strlen(path));
    if (f->path == NULL) {
        return steti_fail_nomem(err, "a path", strlen(path) + 1);
    }
    f->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (f->fd < 0) {
        stet_status st =
            steti_fail(err, STET_E_IO, "%s: cannot be made: %s", path, strerror(errno));
        steti_file_out_drop(f);
        return st;
    }
    return STET_OK;
}

stet_status steti_file_out_write_at(struct steti_file_out *f, uint64_t offset, const void *p,
                                    size_t n, stet_error *err)
{
    const char *at = p;
    while (n > 0) {
        ssize_t done = pwrite(f->fd, at, n < MAX_WRITE ? n : MAX_WRITE, (off_t)offset);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return steti_fail(err, STET_E_IO, "%s: cannot be written: %s", f->path,
                              done < 0 ? strerror(errno) : "no room");
        }
        at += done;
        offset += (uint64_t)done;
        n -= (size_t)done;
    }
    return STET_OK;
}

stet_status steti_file_out_close(struct steti_file_out *f, stet_error *err)
{
    stet_status st = STET_OK;
    if (f->fd >= 0 && close(f->fd) != 0) {
        st = steti_fail(err, STET_E_IO, "%s: cannot be written: %s", f->path, strerror(errno));
    }
    f->fd = -1;
    steti_file_out_drop(f);
    return st;
}

void steti_file_out_drop(struct steti_file_out *f)
{
    if (f->fd >= 0) {
        close(f->fd);
    }
    f->fd = -1;
    steti_free(f->path);
    f->path = NULL;
}

stet_status steti_file_copy(const char *from, const char *to, stet_error *err)
{
    struct steti_file_map in;
    struct steti_file_out out;
    stet_status st;
    STETI_TRY(steti_file_map_open(from, SIZE_MAX, &in, err));
    STETI_TRY_GOTO(steti_file_out_open(&out, to, err), st, close_in);
    st = steti_file_out_write_at(&out, 0, in.data, in.len, err);
    if (st == STET_OK) {
        st = steti_file_out_close(&out, err);
    } else {
        steti_file_out_drop(&out);
    }
close_in:
    steti_file_map_close(&in);
    return st;
}

/* ---- Folders --------------------------------------------------------------------------------- */

static int is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static stet_status check_free(const char *path, stet_error *err)
{
    struct stat st;
    DIR *dir;
    int is_empty = 1;
    if (lstat(path, &st) != 0 && errno == ENOENT) {
        return STET_OK;
    }
    dir = opendir(path);
    if (dir == NULL) {
        return steti_fail(err, STET_E_IO, "%s: is there already and is no empty folder: %s", path,
                          strerror(errno));
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        is_empty &= is_dots(e->d_name);
    }
    closedir(dir);
    if (!is_empty) {
        return steti_fail(err, STET_E_IO,
                          "%s: is there already and is not empty; name a folder that is new", path);
    }
    return STET_OK;
}

/* mkdir leaves the permissions to the process's mask, as every other new folder has them. */
static stet_status make_temp(struct steti_new_folder *f, stet_error *err)
{
    size_t cap = strlen(f->path) + TEMP_ROOM;
    f->temp = steti_malloc(cap);
    if (f->temp == NULL) {
        return steti_fail_nomem(err, "a path", cap);
    }
    for (int i = 0; i < TEMP_TRIES; i++) {
        snprintf(f->temp, cap, "%s.partial-%ld-%d", f->path, (long)getpid(), i);
        if (mkdir(f->temp, 0777) == 0) {
            return STET_OK;
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return steti_fail(err, STET_E_IO, "%s: cannot be made: %s", f->path, strerror(errno));
}

stet_status steti_new_folder_begin(struct steti_new_folder *f, const char *path, stet_error *err)
{
    size_t n = strlen(path);
    stet_status st;
    memset(f, 0, sizeof *f);
    while (n > 1 && path[n - 1] == '/') {
        n--;
    }
    f->path = steti_strndup(path, n);
    if (f->path == NULL) {
        return steti_fail_nomem(err, "a path", n + 1);
    }
    STETI_TRY_GOTO(check_free(f->path, err), st, fail);
    STETI_TRY_GOTO(make_temp(f, err), st, fail);
    return STET_OK;
fail:
    steti_free(f->temp); /* not made: nothing to remove */
    steti_free(f->path);
    memset(f, 0, sizeof *f);
    return st;
}

stet_status steti_new_folder_commit(struct steti_new_folder *f, stet_error *err)
{
    stet_status st = STET_OK;
    if (rename(f->temp, f->path) != 0) {
        st = steti_fail(err, STET_E_IO, "%s: cannot take this name: %s", f->path, strerror(errno));
    } else {
        steti_free(f->temp);
        f->temp = NULL;
    }
    steti_new_folder_abandon(f);
    return st;
}

void steti_new_folder_abandon(struct steti_new_folder *f)
{
    DIR *dir = f->temp != NULL ? opendir(f->temp) : NULL;
    if (dir != NULL) {
        for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
            if (!is_dots(e->d_name)) {
                unlinkat(dirfd(dir), e->d_name, 0);
            }
        }
        closedir(dir);
    }
    if (f->temp != NULL) {
        rmdir(f->temp);
    }
    steti_free(f->temp);
    steti_free(f->path);
    memset(f, 0, sizeof *f);
}
