/* cli_flight.h - the units between reading and writing, as a ring in the order of the input.
 *
 *     first                     next                end
 *       | done, in flight ...     | not handed in     |
 *
 * Results come in any order and are taken from the front only, so the output has the order of the
 * input. What must be written between units has entries of its own: where a file begins and ends,
 * and messages.
 *
 * The ring is bounded in entries, in bytes, and in requests that the engine has at once. It is
 * longer than what the engine has: a slow unit at the front does not leave the decoder without
 * work.
 */
#ifndef STETI_CLI_FLIGHT_H
#define STETI_CLI_FLIGHT_H

#include "cli_reader.h"

enum steti_entry_kind {
    STETI_ENTRY_UNIT,
    STETI_ENTRY_BEGIN, /* of `file` */
    STETI_ENTRY_END,
    STETI_ENTRY_NOTICE /* `text` is a message about the input */
};

struct steti_entry {
    enum steti_entry_kind kind;
    int is_done;
    struct steti_unit unit; /* UNIT: points to `text` */
    char *text;             /* ends in a NUL */
    const char *file;
    uint64_t id;         /* of the request */
    stet_result *result; /* NULL: left as it is */
    stet_status status;
    char *message; /* with another status than STET_OK; NULL: use the text of the status */
};

struct steti_flight {
    stet_engine *engine;
    stet_cq *cq;
    uint32_t request_flags;
    struct steti_entry *ring;
    size_t cap, max_bytes, max_requests;
    uint64_t first, next, end; /* counts of entries */
    size_t bytes, in_flight;
    int is_failed;       /* an entry will end the work: nothing more is handed in */
    uint64_t refused_ns; /* since when the engine refuses, with nothing in flight; 0: it does not */
    uint32_t retry_ms;   /* then: when to try again */
};

/* max_requests: as many as keep the engine busy. */
stet_status steti_flight_init(struct steti_flight *f, stet_engine *engine, size_t max_requests,
                              stet_error *err);
/* Cancels what the engine still has, and waits for its end. Legal on a zeroed struct. */
void steti_flight_free(struct steti_flight *f);

/* 1 if more entries may be added. Room for one is room for the end of a file and a message too. */
int steti_flight_has_room(const struct steti_flight *f);
int steti_flight_is_empty(const struct steti_flight *f);

stet_status steti_flight_add_unit(struct steti_flight *f, const struct steti_unit *unit,
                                  stet_error *err);
void steti_flight_add_begin(struct steti_flight *f, const char *file); /* not copied */
void steti_flight_add_end(struct steti_flight *f);
stet_status steti_flight_add_notice(struct steti_flight *f, const char *text, stet_error *err);

/* Hands in as much as the engine takes. What it does not want at all becomes the entry's status. */
void steti_flight_submit(struct steti_flight *f);

/* Takes what is done. Never waits: steti_flight_fd is readable when there is something. */
stet_status steti_flight_collect(struct steti_flight *f, stet_error *err);
int steti_flight_fd(const struct steti_flight *f); /* -1 with nothing in flight */

/* The first entry, once it is done; else NULL. */
struct steti_entry *steti_flight_front(struct steti_flight *f);
void steti_flight_pop(struct steti_flight *f);

#endif
