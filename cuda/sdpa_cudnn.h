/* sdpa_cudnn.h - what the two files that call cuDNN share: sdpa_cudnn.c opens it and runs plans,
 * sdpa_cudnn_plan.c makes them. */
#ifndef STETI_SDPA_CUDNN_H
#define STETI_SDPA_CUDNN_H

#include <cudnn_backend.h>

#include "sdpa.h"

/* What is called of the library. */
#define STETI_CUDNN_CALLS(XX)                                                                      \
    XX(cudnnGetVersion)                                                                            \
    XX(cudnnGetErrorString)                                                                        \
    XX(cudnnGetLastErrorString)                                                                    \
    XX(cudnnCreate)                                                                                \
    XX(cudnnDestroy)                                                                               \
    XX(cudnnSetStream)                                                                             \
    XX(cudnnBackendCreateDescriptor)                                                               \
    XX(cudnnBackendDestroyDescriptor)                                                              \
    XX(cudnnBackendSetAttribute)                                                                   \
    XX(cudnnBackendGetAttribute)                                                                   \
    XX(cudnnBackendFinalize)                                                                       \
    XX(cudnnBackendExecute)

typedef cudnnBackendDescriptor_t steti_cudnn_descriptor;

/* Codes of these files; cuDNN's are above 1000. */
enum { STETI_CUDNN_ABSENT = 1, STETI_CUDNN_OLD, STETI_CUDNN_NOMEM };

struct steti_sdpa_context {
    void *library;
#define STETI_CUDNN_MEMBER(name) __typeof__(name) *name;
    STETI_CUDNN_CALLS(STETI_CUDNN_MEMBER)
#undef STETI_CUDNN_MEMBER
    cudnnHandle_t handle;          /* NULL with a described device */
    steti_cudnn_descriptor device; /* NULL without one */
    char version[24];
    char text[512];
};

#define STETI_CUDNN_PARTS 16
struct steti_sdpa_plan {
    struct steti_sdpa_context *c;
    steti_cudnn_descriptor plan;
    int n_parts;
    /* the graph that the plan refers to, in the order it was made */
    steti_cudnn_descriptor parts[STETI_CUDNN_PARTS];
    size_t workspace;
    int ragged;
};

/* Names of the tensors in a plan. */
enum {
    STETI_CUDNN_Q = 1,
    STETI_CUDNN_K,
    STETI_CUDNN_V,
    STETI_CUDNN_OUT,
    STETI_CUDNN_SCALE,
    STETI_CUDNN_ROWS,
    STETI_CUDNN_KEYS,
    STETI_CUDNN_ROW_BEGIN,
    STETI_CUDNN_KEY_BEGIN
};

/* ---- Descriptors ----------------------------------------------------------------------------- */

/* A chain of calls: those after a failed one do nothing. */
struct steti_cudnn_build {
    struct steti_sdpa_context *c;
    struct steti_sdpa_plan *plan; /* NULL where none is made */
    int code;
};

/* NULL after a failure. */
steti_cudnn_descriptor steti_cudnn_make(struct steti_cudnn_build *b,
                                        cudnnBackendDescriptorType_t type);
void steti_cudnn_set(struct steti_cudnn_build *b, steti_cudnn_descriptor d,
                     cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                     int64_t count, const void *values);
void steti_cudnn_finish(struct steti_cudnn_build *b, steti_cudnn_descriptor d);

/* ---- Members of the table (sdpa.h) ----------------------------------------------------------- */

int steti_cudnn_plan(struct steti_sdpa_context *c, const struct steti_sdpa_shape *shape,
                     struct steti_sdpa_plan **out);
void steti_cudnn_plan_free(struct steti_sdpa_plan *p);
int steti_cudnn_save(struct steti_sdpa_context *c, const struct steti_sdpa_plan *p, char **text,
                     size_t *bytes);
int steti_cudnn_restore(struct steti_sdpa_context *c, const struct steti_sdpa_shape *shape,
                        const char *text, size_t bytes, struct steti_sdpa_plan **out);

#endif
