/* completion_queue.h - where engines put finished requests. Private to host/api. */
#ifndef STETI_COMPLETION_QUEUE_H
#define STETI_COMPLETION_QUEUE_H

#include "stet.h"

/* STET_E_FORKED: the queue was made before fork(). */
stet_status cq_check(const stet_cq *cq, stet_error *err);

/* A request in flight keeps its queue alive, so that the queue may be destroyed at any time. */
void cq_retain(stet_cq *cq);
void cq_release(stet_cq *cq);

/* Takes the result, with its id, tag, status and message set, and a reference to the queue. Cannot
 * fail: the result is its own link. Its caller is the only one who knows the result. */
void cq_put(stet_cq *cq, stet_result *result);

#endif
