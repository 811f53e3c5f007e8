/* A plug-in that has nothing to hand out. */
#include <stddef.h>

#include "plugin_load.h"

__attribute__((visibility("default"))) const struct steti_backend_ops *steti_backend_plugin(void);

const struct steti_backend_ops *steti_backend_plugin(void)
{
    return NULL;
}
