/* file_out.h - writing: a new file, and a folder that is there whole or not at all. Every write and
 * close is checked. All messages name the path. */
#ifndef STETI_FILE_OUT_H
#define STETI_FILE_OUT_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

struct steti_file_out {
    int fd;     /* -1: closed */
    char *path; /* owned */
};

/* A file of this name must not be there yet. */
stet_status steti_file_out_open(struct steti_file_out *f, const char *path, stet_error *err);
/* All n bytes, at this place of the file. */
stet_status steti_file_out_write_at(struct steti_file_out *f, uint64_t offset, const void *p,
                                    size_t n, stet_error *err);
/* Also frees the path, in any case. */
stet_status steti_file_out_close(struct steti_file_out *f, stet_error *err);
/* Closes without looking; legal on a closed file. The file stays where it is. */
void steti_file_out_drop(struct steti_file_out *f);

/* A new file `to` with the bytes of the regular file `from`. */
stet_status steti_file_copy(const char *from, const char *to, stet_error *err);

/* A folder under a name of its own beside `path`, which takes that name when it is complete. */
struct steti_new_folder {
    char *path; /* as it will be called; no slash at the end */
    char *temp; /* where files are written until then; NULL: nothing is begun */
};

/* STET_E_IO: `path` is there and not an empty folder, or none can be made beside it. */
stet_status steti_new_folder_begin(struct steti_new_folder *f, const char *path, stet_error *err);
/* Gives it its name. On failure it is abandoned. */
stet_status steti_new_folder_commit(struct steti_new_folder *f, stet_error *err);
/* Removes the folder with the files in it. Legal on a zeroed struct, and after a commit. */
void steti_new_folder_abandon(struct steti_new_folder *f);

#endif
