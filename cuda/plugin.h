/* plugin.h - what libstet_cuda.so exports, and nothing else. */
#ifndef STETI_PLUGIN_H
#define STETI_PLUGIN_H

#include "backend.h"

/* The backend's table of functions; valid as long as the library is loaded. Its api_version tells
 * whether it fits the program that loads it. */
__attribute__((visibility("default"))) const struct steti_backend_ops *steti_backend_plugin(void);

#endif
