/* config_file.h - the JSON files of a folder, mapped and parsed. Private to models/. */
#ifndef STETI_CONFIG_FILE_H
#define STETI_CONFIG_FILE_H

#include "config_value.h"
#include "file_map.h"

/* Maps folder/name. *text is NULL when the file is not required and not there; an empty file is
 * text of length 0. The caller closes the map, unless this fails. */
stet_status config_map(const char *folder, const char *name, int required,
                       struct steti_file_map *map, const char **text, stet_error *err);

/* Parses the text of a file; messages name s->folder and s->file. The caller frees *root. */
stet_status config_parse(const char *text, size_t len, const struct config *s,
                         struct steti_json **root, stet_error *err);

#endif
