/* cuda_peers.h - weights on several devices: packed on the first one and copied to the others, by a
 * broadcast of NCCL or, without it, from device to device by the CUDA runtime. */
#ifndef STETI_CUDA_PEERS_H
#define STETI_CUDA_PEERS_H

#include "backend.h"
#include "nccl_table.h"

/* How an open goes about it. */
struct steti_cuda_peers_way {
    const struct steti_nccl *nccl; /* NULL: without */
    const char *why_not;           /* then: the reason, for the note */
    int is_always;                 /* also with one device, whose rank broadcasts to itself */
};

/* What peers_open of the table does, see backend.h. NCCL that cannot be set up is done without. */
stet_status steti_cuda_peers_open(const struct steti_cuda_peers_way *way,
                                  struct steti_backend *const *contexts, int n,
                                  struct steti_peers **out, struct steti_peers_note *note,
                                  stet_error *err);

/* Fills in the table's functions of peers, around its peers_open. */
typedef stet_status (*steti_cuda_peers_fn)(struct steti_backend *const *contexts, int n,
                                           struct steti_peers **out, struct steti_peers_note *note,
                                           stet_error *err);
void steti_cuda_peers_ops(struct steti_backend_ops *ops, steti_cuda_peers_fn open);

#endif
