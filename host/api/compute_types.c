#include "compute_types.h"

#include <stdio.h>
#include <string.h>

/* In the order of lists. */
static const struct {
    const char *name;
    enum steti_dtype type;
} types[] = {
    {"float32", STETI_F32}, {"int8", STETI_I8}, {"bfloat16", STETI_BF16}, {"float16", STETI_F16}};

enum { N_TYPES = sizeof types / sizeof types[0] };

int compute_type_find(const char *name, enum steti_dtype *out)
{
    for (int i = 0; i < N_TYPES; i++) {
        if (strcmp(types[i].name, name) == 0) {
            *out = types[i].type;
            return 1;
        }
    }
    return 0;
}

const char *compute_type_name(enum steti_dtype type)
{
    for (int i = 0; i < N_TYPES; i++) {
        if (types[i].type == type) {
            return types[i].name;
        }
    }
    return "?";
}

const char *compute_type_list(unsigned set, char buf[COMPUTE_LIST])
{
    size_t n = 0;
    snprintf(buf, COMPUTE_LIST, "none");
    for (int i = 0; i < N_TYPES; i++) {
        if ((set >> types[i].type & 1u) != 0) {
            n += (size_t)snprintf(buf + n, COMPUTE_LIST - n, n > 0 ? ", %s" : "%s", types[i].name);
        }
    }
    return buf;
}
