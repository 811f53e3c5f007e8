/* config_value.h - values of a configuration file, with messages that name folder, file and key.
 * Private to models/.
 *
 * A key that is absent or null leaves *out as it is, unless it is required.
 */
#ifndef STETI_CONFIG_VALUE_H
#define STETI_CONFIG_VALUE_H

#include "json.h"
#include "status.h"

/* A JSON object with the name of its file. */
struct config {
    const struct steti_json *obj;
    const char *folder;
    const char *file;
};

stet_status config_bad(const struct config *s, stet_error *err, const char *key, const char *what);

/* 1 if the key is there and not null. */
int config_has(const struct config *s, const char *key);

/* A whole number in [lo, hi]. */
stet_status config_int(const struct config *s, const char *key, int lo, int hi, int required,
                       int *out, stet_error *err);
stet_status config_bool(const struct config *s, const char *key, int *out, stet_error *err);
stet_status config_real(const struct config *s, const char *key, double lo, double hi, float *out,
                        stet_error *err);

/* A token of a vocabulary of `size`. */
stet_status config_token(const struct config *s, const char *key, const struct steti_json *v,
                         int size, int32_t *out, stet_error *err);
/* *n = 0 where the key is absent or null. */
stet_status config_list(const struct config *s, const char *key, const struct steti_json **list,
                        size_t *n, stet_error *err);

struct config_choice {
    const char *name;
    int value;
};

/* A string out of a list that ends with a NULL name; the message lists what is possible. */
stet_status config_one_of(const struct config *s, const char *key, const struct config_choice *list,
                          int required, int *out, stet_error *err);

#endif
