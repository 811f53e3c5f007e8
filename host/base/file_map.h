/* file_map.h - a regular file, read-only, in memory.
 *
 * The file must not be made shorter while it is mapped: the system answers a read past the new end
 * with SIGBUS. Replace model folders by renaming, not by writing into them.
 */
#ifndef STETI_FILE_MAP_H
#define STETI_FILE_MAP_H

#include <stddef.h>

#include "status.h"

struct steti_file_map {
    const unsigned char *data; /* page-aligned; NULL when len is 0 */
    size_t len;
};

/* Refuses folders, devices, pipes and files over max_len bytes. Messages name the path. */
stet_status steti_file_map_open(const char *path, size_t max_len, struct steti_file_map *out,
                                stet_error *err);
void steti_file_map_close(struct steti_file_map *m); /* legal on a zeroed map, and twice */

/* Tells the system that the pages of [offset, offset + len) are not needed for now: they leave the
 * resident set and come back from the file when touched. Whole pages inside the range only. */
void steti_file_map_drop(const struct steti_file_map *m, size_t offset, size_t len);

/* STET_E_IO unless path is a folder; the message names it. */
stet_status steti_folder_check(const char *path, stet_error *err);

/* 1 if path is a regular file. */
int steti_file_exists(const char *path);

/* 1 if there is something of that name: also a folder, a pipe, a link that leads nowhere, or what
 * cannot be examined. Opening it says what is wrong with it. */
int steti_file_named(const char *path);

/* STET_E_FORMAT if the bytes are the few lines that Git LFS leaves in place of a large file. */
stet_status steti_refuse_pointer(const void *data, size_t len, const char *path, stet_error *err);

/* folder + "/" + name in new memory; NULL when out of memory. */
char *steti_path_join(const char *folder, const char *name);

#endif
