#include "file_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alloc.h"

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a folder"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

static stet_status check_file(int fd, const char *path, size_t max_len, size_t *len,
                              stet_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return steti_fail(err, STET_E_IO, "%s: cannot be examined: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return steti_fail(err, STET_E_IO, "%s: is %s, expected a regular file", path,
                          kind_of(st.st_mode));
    }
    if (st.st_size < 0 || (uint64_t)st.st_size > max_len) {
        return steti_fail(err, STET_E_FORMAT,
                          "%s: has %lld bytes, the limit for this kind of file is %zu", path,
                          (long long)st.st_size, max_len);
    }
    *len = (size_t)st.st_size;
    return STET_OK;
}

stet_status steti_file_map_open(const char *path, size_t max_len, struct steti_file_map *out,
                                stet_error *err)
{
    size_t len = 0;
    void *p;
    stet_status st;
    /* O_NONBLOCK: opening a pipe must not wait for a writer; it is refused right after. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    memset(out, 0, sizeof *out);
    if (fd < 0) {
        return steti_fail(err, STET_E_IO, "%s: cannot be opened: %s", path, strerror(errno));
    }
    STETI_TRY_GOTO(check_file(fd, path, max_len, &len, err), st, done);
    if (len == 0) {
        goto done;
    }
    p = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        st = steti_fail(err, STET_E_IO, "%s: cannot be mapped: %s", path, strerror(errno));
        goto done;
    }
    out->data = p;
    out->len = len;
done:
    close(fd);
    return st;
}

void steti_file_map_close(struct steti_file_map *m)
{
    if (m->data != NULL) {
        munmap((void *)(uintptr_t)m->data, m->len);
    }
    memset(m, 0, sizeof *m);
}

void steti_file_map_drop(const struct steti_file_map *m, size_t offset, size_t len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t begin = (offset + page - 1) / page * page;
    size_t end = (offset + len) / page * page;
    if (m->data != NULL && begin < end && end <= m->len + page) {
        madvise((void *)(uintptr_t)(m->data + begin), end - begin, MADV_DONTNEED);
    }
}

stet_status steti_folder_check(const char *path, stet_error *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return steti_fail(err, STET_E_IO, "%s: cannot be opened: %s", path, strerror(errno));
    }
    if (!S_ISDIR(st.st_mode)) {
        return steti_fail(err, STET_E_IO,
                          "%s: is not a folder; a model is a folder with config.json", path);
    }
    return STET_OK;
}

int steti_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int steti_file_named(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

stet_status steti_refuse_pointer(const void *data, size_t len, const char *path, stet_error *err)
{
    static const char first[] = "version https://git-lfs.";
    if (len < sizeof first - 1 || memcmp(data, first, sizeof first - 1) != 0) {
        return STET_OK;
    }
    return steti_fail(err, STET_E_FORMAT,
                      "%s: is a pointer of Git LFS, not the file itself; `git lfs pull` fetches it",
                      path);
}

char *steti_path_join(const char *folder, const char *name)
{
    size_t a = strlen(folder), b = strlen(name);
    char *p = steti_malloc(a + b + 2);
    if (p != NULL) {
        memcpy(p, folder, a);
        p[a] = '/';
        memcpy(p + a + 1, name, b + 1);
    }
    return p;
}
