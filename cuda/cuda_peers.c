#include "cuda_peers.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "cuda_blas.h"
#include "cuda_internal.h"

#define MOST_PEERS 256

struct steti_peers {
    int n;
    const struct steti_nccl *nccl; /* NULL: copies by the runtime */
    int is_broken;                 /* a call of NCCL failed */
    struct steti_backend *contexts[MOST_PEERS];
    void *comms[MOST_PEERS]; /* with NCCL: rank i is context i */
};

/* ---- Calls of NCCL --------------------------------------------------------------------------- */

static stet_status check(struct steti_peers *p, int code, const char *call, stet_error *err)
{
    if (code == 0) {
        return STET_OK;
    }
    p->is_broken = 1;
    return steti_fail(err, STET_E_DEVICE,
                      "device cuda:%d: %s: %s (error %d); set STET_NCCL=never to copy weights "
                      "without NCCL",
                      p->contexts[0]->device, call, p->nccl->error_text(code), code);
}

static int connect(struct steti_peers *p)
{
    int devices[MOST_PEERS];
    for (int i = 0; i < p->n; i++) {
        devices[i] = p->contexts[i]->device;
    }
    return p->nccl->init_all(p->comms, p->n, devices);
}

/* All ranks in one group: a single thread that told one after the other would wait for ever. */
static stet_status broadcast(struct steti_peers *p, const void *src, void *const *dst, size_t bytes,
                             stet_error *err)
{
    int code, end;
    STETI_TRY(check(p, p->nccl->group_start(), "ncclGroupStart", err));
    code = 0;
    for (int i = 0; i < p->n && code == 0; i++) {
        code = p->nccl->broadcast(src, dst[i], bytes, p->comms[i], p->contexts[i]->stream);
    }
    end = p->nccl->group_end();
    STETI_TRY(check(p, code, "ncclBroadcast", err));
    return check(p, end, "ncclGroupEnd", err);
}

/* ---- Sending --------------------------------------------------------------------------------- */

static stet_status ready(struct steti_peers *p, stet_error *err)
{
    for (int i = p->n - 1; i >= 0; i--) { /* in the end the first is the thread's device */
        STETI_TRY(steti_cuda_ready(p->contexts[i], err));
    }
    return STET_OK;
}

/* dst[0] is src. */
static stet_status send(struct steti_peers *p, const void *src, void *const *dst, size_t bytes,
                        stet_error *err)
{
    const struct steti_backend *from = p->contexts[0];
    if (bytes == 0) {
        return STET_OK;
    }
    if (p->nccl != NULL) {
        return broadcast(p, src, dst, bytes, err);
    }
    for (int i = 1; i < p->n; i++) {
        struct steti_backend *b = p->contexts[i];
        STETI_TRY(steti_cuda_ready(b, err));
        STETI_TRY(steti_cuda_check(
            b, b->rt->copy_peer(dst[i], b->device, src, from->device, bytes, b->stream),
            "cudaMemcpyPeerAsync", err));
    }
    return STET_OK;
}

static void free_blocks(struct steti_peers *p, void *const *dst)
{
    for (int i = 1; i < p->n; i++) {
        if (dst[i] != NULL) {
            p->contexts[i]->rt->bind(p->contexts[i]->device);
            p->contexts[i]->rt->mem_free(dst[i]);
        }
    }
}

/* A block on every device but the first, and its contents on their way. */
static stet_status copy_block(struct steti_peers *p, void *src, size_t bytes, const char *what,
                              void **dst, stet_error *err)
{
    stet_status st = STET_OK;
    memset(dst, 0, (size_t)p->n * sizeof *dst);
    dst[0] = src;
    for (int i = 1; i < p->n && st == STET_OK; i++) {
        st = steti_cuda_ready(p->contexts[i], err);
        st = st == STET_OK ? steti_cuda_alloc(p->contexts[i], bytes, what, &dst[i], err) : st;
    }
    st = st == STET_OK ? ready(p, err) : st;
    st = st == STET_OK ? send(p, src, dst, bytes, err) : st;
    if (st != STET_OK) {
        free_blocks(p, dst);
    }
    return st;
}

/* ---- Functions of the table ------------------------------------------------------------------ */

static void describe(struct steti_peers_note *note, const struct steti_peers *p, const char *why)
{
    int v = 0;
    if (p->nccl == NULL) {
        snprintf(note->text, sizeof note->text,
                 "weights are copied to %d devices without NCCL: %.160s", p->n, why);
    } else if (p->nccl->version(&v) == 0) {
        snprintf(note->text, sizeof note->text, "weights are copied to %d devices by NCCL %d.%d.%d",
                 p->n, v / 10000, v / 100 % 100, v % 100);
    }
}

stet_status steti_cuda_peers_open(const struct steti_cuda_peers_way *way,
                                  struct steti_backend *const *contexts, int n,
                                  struct steti_peers **out, struct steti_peers_note *note,
                                  stet_error *err)
{
    const char *why = way->why_not != NULL ? way->why_not : "";
    struct steti_peers *p;
    int code = 0;
    *out = NULL;
    note->text[0] = '\0';
    if (n < 2 && !way->is_always) {
        return STET_OK;
    }
    if (n > MOST_PEERS) {
        return steti_fail(err, STET_E_INVALID, "%d devices, at most %d are possible", n,
                          MOST_PEERS);
    }
    p = steti_calloc(1, sizeof *p);
    if (p == NULL) {
        return steti_fail_nomem(err, "the devices of a model", sizeof *p);
    }
    p->n = n;
    p->nccl = way->nccl;
    memcpy(p->contexts, contexts, (size_t)n * sizeof *contexts);
    if (p->nccl != NULL) {
        code = connect(p);
        why = code != 0 ? p->nccl->error_text(code) : why;
        p->nccl = code == 0 ? p->nccl : NULL;
    }
    describe(note, p, why);
    *out = p;
    return STET_OK;
}

static size_t row_bytes(const struct steti_matrix *m)
{
    return m->rows == NULL
               ? 0
               : (size_t)m->filled_out * (size_t)m->ld_rows * steti_cuda_rows_element(m->view.type);
}

/* A copy on context i, all but its values, and without the row-major ones. */
static struct steti_matrix *new_copy(const struct steti_matrix *m, void *values)
{
    struct steti_matrix *copy = steti_malloc(sizeof *copy);
    if (copy != NULL) {
        *copy = *m;
        copy->bytes = m->bytes - row_bytes(m);
        copy->rows = NULL;
        copy->verdict = NULL;
        copy->values = values;
        copy->view.values = values;
        if (m->view.scale != NULL) {
            size_t at = (size_t)((const char *)m->view.scale - (const char *)m->values);
            copy->view.scale = (const float *)(const void *)((const char *)values + at);
        }
    }
    return copy;
}

static stet_status copy_panels(struct steti_peers *p, const struct steti_matrix *m,
                               struct steti_matrix **copies, stet_error *err)
{
    void *dst[MOST_PEERS];
    STETI_TRY(copy_block(p, m->values, m->bytes - row_bytes(m), "a weight matrix", dst, err));
    for (int i = 1; i < p->n; i++) {
        copies[i - 1] = new_copy(m, dst[i]);
        if (copies[i - 1] == NULL) {
            while (--i > 0) {
                steti_free(copies[i - 1]);
            }
            free_blocks(p, dst);
            return steti_fail_nomem(err, "a weight matrix", sizeof *m);
        }
    }
    for (int i = 1; i < p->n; i++) {
        p->contexts[i]->weight_bytes += copies[i - 1]->bytes;
    }
    return STET_OK;
}

static void give_rows(struct steti_backend *b, const struct steti_matrix *m,
                      struct steti_blas_verdict *v, void *rows, struct steti_matrix *copy)
{
    if (v == NULL || !v->passed) {
        b->rt->bind(b->device);
        b->rt->mem_free(rows);
        return;
    }
    copy->rows = rows;
    copy->verdict = v;
    copy->bytes += row_bytes(m);
    b->weight_bytes += row_bytes(m);
    if (copy->filled_out > b->library.widest) {
        b->library.widest = copy->filled_out;
    }
}

/* What a library multiplies with. Whether it may is found out on each device anew; too little
 * memory leaves the copies without: their bits are the same. */
static stet_status copy_rows(struct steti_peers *p, const struct steti_matrix *m,
                             struct steti_matrix **copies, stet_error *err)
{
    struct steti_blas_verdict *verdicts[MOST_PEERS] = {NULL};
    void *dst[MOST_PEERS];
    stet_status st;
    for (int i = 1; i < p->n; i++) {
        STETI_TRY(steti_cuda_ready(p->contexts[i], err));
        STETI_TRY(steti_cuda_library_verdict(p->contexts[i], m->shape.n_out, m->shape.n_in,
                                             m->view.type, &verdicts[i], err));
    }
    st = copy_block(p, m->rows, row_bytes(m), "the rows of a weight matrix", dst, err);
    if (st != STET_OK) {
        return st == STET_E_NOMEM ? STET_OK : st;
    }
    for (int i = 1; i < p->n; i++) {
        give_rows(p->contexts[i], m, verdicts[i], dst[i], copies[i - 1]);
    }
    return STET_OK;
}

static stet_status peers_matrix(struct steti_peers *p, const struct steti_matrix *m,
                                struct steti_matrix **copies, stet_error *err)
{
    stet_status st;
    STETI_TRY(copy_panels(p, m, copies, err));
    st = m->rows != NULL ? copy_rows(p, m, copies, err) : STET_OK;
    for (int i = 1; i < p->n && st != STET_OK; i++) {
        steti_cuda_free_matrix(p->contexts[i], copies[i - 1]);
    }
    return st;
}

static stet_status peers_memory(struct steti_peers *p, const void *src, size_t bytes, void **copies,
                                stet_error *err)
{
    void *dst[MOST_PEERS];
    /* An in-place broadcast writes nothing on the first rank. */
    union {
        const void *in;
        void *out;
    } first = {src};
    STETI_TRY(copy_block(p, first.out, bytes, "weights", dst, err));
    memcpy(copies, dst + 1, (size_t)(p->n - 1) * sizeof *copies);
    return STET_OK;
}

static stet_status peers_finish(struct steti_peers *p, stet_error *err)
{
    for (int i = 0; i < p->n; i++) {
        STETI_TRY(steti_cuda_ready(p->contexts[i], err));
        STETI_TRY(steti_cuda_sync(p->contexts[i], err));
        if (p->nccl != NULL) {
            int late = 0;
            STETI_TRY(
                check(p, p->nccl->async_error(p->comms[i], &late), "ncclCommGetAsyncError", err));
            STETI_TRY(check(p, late, "ncclBroadcast", err));
        }
    }
    return STET_OK;
}

static void peers_close(struct steti_peers *p)
{
    if (p == NULL) {
        return;
    }
    for (int i = 0; p->nccl != NULL && i < p->n; i++) {
        /* After a failure the others may wait for one that will never come. */
        (p->is_broken ? p->nccl->abort : p->nccl->destroy)(p->comms[i]);
    }
    steti_free(p);
}

void steti_cuda_peers_ops(struct steti_backend_ops *ops, steti_cuda_peers_fn open)
{
    ops->peers_open = open;
    ops->peers_matrix = peers_matrix;
    ops->peers_memory = peers_memory;
    ops->peers_finish = peers_finish;
    ops->peers_close = peers_close;
}
