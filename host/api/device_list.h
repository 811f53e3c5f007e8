/* device_list.h - option device_index: which devices of one kind. Private to host/api. */
#ifndef STETI_DEVICE_LIST_H
#define STETI_DEVICE_LIST_H

#include <stdint.h>

#include "status.h"

#define API_MAX_DEVICE_INDEX 255
#define API_MAX_DEVICES 64

struct api_device_list {
    int n;      /* 1 .. API_MAX_DEVICES */
    int is_all; /* however many there are; until that is known n is 1 */
    uint8_t index[API_MAX_DEVICES];
};

/* "2", "0,1,3", "0-3", "0-3,6" or "all"; each device once. STET_E_INVALID. */
stet_status device_list_parse(const char *value, struct api_device_list *out, stet_error *err);

/* The first n devices, at most API_MAX_DEVICES. */
void device_list_first(struct api_device_list *list, int n);
/* The first that breaks the sequence 0, 1, 2 ..; -1: none does. */
int device_list_stray(const struct api_device_list *list);

#endif
