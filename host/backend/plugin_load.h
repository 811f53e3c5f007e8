/* plugin_load.h - backends in shared libraries of their own, which are looked for when a device is
 * asked for: a program without that device needs none of its libraries. */
#ifndef STETI_PLUGIN_LOAD_H
#define STETI_PLUGIN_LOAD_H

#include "backend.h"

/* What a plug-in exports, a function without arguments. Its table is valid as long as the plug-in
 * is loaded. */
#define STETI_PLUGIN_ENTRY "steti_backend_plugin"
typedef const struct steti_backend_ops *(*steti_plugin_entry)(void);

/* Loads the plug-in of a device, such as "cuda": libstet_cuda.so. It is the file that the
 * environment variable STET_PLUGIN_PATH names (or stands in the folder that it names); without the
 * variable the one beside the library or the programme that this code is in, else beside the
 * running programme, else the one that the system's loader finds.
 * A plug-in stays loaded; asking again gives the same table. Any thread.
 * STET_E_DEVICE: there is none, or it is none of this version (message: what is wrong with which
 * file, and what to do). */
stet_status steti_plugin_load(const char *device, const struct steti_backend_ops **out,
                              stet_error *err);

#endif
