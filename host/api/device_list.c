#include "device_list.h"

#include <string.h>

static int read_index(const char **text, int *out)
{
    const char *p = *text;
    int v = 0;
    if (*p < '0' || *p > '9') {
        return 0;
    }
    for (; *p >= '0' && *p <= '9' && v <= API_MAX_DEVICE_INDEX; p++) {
        v = v * 10 + (*p - '0');
    }
    *text = p;
    *out = v;
    return v <= API_MAX_DEVICE_INDEX;
}

static int add(struct api_device_list *list, int index)
{
    for (int i = 0; i < list->n; i++) {
        if (list->index[i] == index) {
            return 0;
        }
    }
    if (list->n == API_MAX_DEVICES) {
        return 0;
    }
    list->index[list->n++] = (uint8_t)index;
    return 1;
}

/* N or N-M. */
static int add_range(const char **text, struct api_device_list *list)
{
    int first, last;
    if (!read_index(text, &first)) {
        return 0;
    }
    last = first;
    if (**text == '-') {
        ++*text;
        if (!read_index(text, &last) || last < first) {
            return 0;
        }
    }
    for (int i = first; i <= last; i++) {
        if (!add(list, i)) {
            return 0;
        }
    }
    return 1;
}

stet_status device_list_parse(const char *value, struct api_device_list *out, stet_error *err)
{
    struct api_device_list list = {0};
    const char *p = value;
    int good;
    if (strcmp(value, "all") == 0) {
        device_list_first(out, 1);
        out->is_all = 1;
        return STET_OK;
    }
    good = add_range(&p, &list);
    while (good && *p == ',') {
        p++;
        good = add_range(&p, &list);
    }
    if (!good || *p != '\0') {
        return steti_fail(err, STET_E_INVALID,
                          "option device_index: \"%.60s\" is not possible, use a whole number from "
                          "0 to %d, at most %d of them such as 0,1,3 or 0-3, each once, or all",
                          value, API_MAX_DEVICE_INDEX, API_MAX_DEVICES);
    }
    *out = list;
    return STET_OK;
}

void device_list_first(struct api_device_list *list, int n)
{
    list->n = n < API_MAX_DEVICES ? n : API_MAX_DEVICES;
    list->is_all = 0;
    for (int i = 0; i < list->n; i++) {
        list->index[i] = (uint8_t)i;
    }
}

int device_list_stray(const struct api_device_list *list)
{
    for (int i = 0; i < list->n; i++) {
        if (list->index[i] != i) {
            return list->index[i];
        }
    }
    return -1;
}
