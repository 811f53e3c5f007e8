/* inspect_internal.h - what stet_model_inspect finds out about a folder, and how it is written.
 * Private to host/api. */
#ifndef STETI_INSPECT_INTERNAL_H
#define STETI_INSPECT_INTERNAL_H

#include "api_internal.h"

#define INSPECT_PROBLEMS 6
#define INSPECT_FLIGHTS 4
#define INSPECT_DEVICES (API_MAX_DEVICES + 1) /* the processor, and all of a list */

struct inspect_device {
    const char *name;
    int index; /* -1: no list of devices was asked for */
    int is_usable;
    unsigned compute_types;
    char text[sizeof((stet_error *)0)->message]; /* what it is, or why it cannot be used */
};

struct report {
    const char *path;
    struct api_options options;
    stet_status status; /* of loading */
    stet_error error;
    /* Of all parts, each once; the first is not always that of loading. */
    char problems[INSPECT_PROBLEMS][sizeof((stet_error *)0)->message];
    int n_problems;
    int has_spec, has_weights;
    struct steti_spec spec;
    struct steti_around around; /* with the languages of an engine, where there would be one */
    enum steti_dtype stored;
    unsigned weight_types; /* compute types that the weights can be bound for (compute_types.h) */
    unsigned device_types; /* that the device of the options has */
    size_t n_tensors, n_files, file_bytes;
    uint64_t parameters;
    struct steti_tokenizer *tokenizer; /* NULL: it cannot be opened */
    uint32_t n_misspellings;           /* that are mended before the model reads a sentence */
    int n_languages;
    char languages[160];
    char prompt[128]; /* the beginning of it */
    size_t weight_bytes, engine_bytes, least_bytes;
    size_t flight_bytes[INSPECT_FLIGHTS];
    char backend[64];
    struct inspect_device devices[INSPECT_DEVICES];
    int n_devices; /* of these */
    int n_used;    /* that an engine would use */
};

/* Requests in flight that memory is told for. */
extern const int inspect_flights[INSPECT_FLIGHTS];

stet_status inspect_write_text(const struct report *r, struct steti_buf *b, stet_error *err);
stet_status inspect_write_json(const struct report *r, struct steti_buf *b, stet_error *err);

#endif
