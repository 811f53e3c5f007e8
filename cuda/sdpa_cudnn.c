/* sdpa_cudnn.c - cuDNN's fused attention behind sdpa.h, by its graph interface. The library is
 * loaded when it is opened; only types and numbers are taken from its headers. */
#include "sdpa_cudnn.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"

#define OLDEST 91900 /* the version that was tried */

/* ---- The library ----------------------------------------------------------------------------- */

static int is_unsupported(int code)
{
    return code >= CUDNN_STATUS_NOT_SUPPORTED && code < CUDNN_STATUS_INTERNAL_ERROR;
}

static int is_out_of_memory(int code)
{
    return code == STETI_CUDNN_NOMEM ||
           code == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
           code == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
}

static const char *error_text(struct steti_sdpa_context *c, int code)
{
    char more[400] = "";
    if (c == NULL || code == STETI_CUDNN_NOMEM) {
        return "out of memory";
    }
    if (code > CUDNN_STATUS_SUCCESS + 1000) {
        c->cudnnGetLastErrorString(more, sizeof more);
        snprintf(c->text, sizeof c->text, "%s (%d)%s%.390s",
                 c->cudnnGetErrorString((cudnnStatus_t)code), code, more[0] != '\0' ? ": " : "",
                 more);
    }
    return c->text; /* of STETI_CUDNN_ABSENT and STETI_CUDNN_OLD: what open has written */
}

static int find_calls(struct steti_sdpa_context *c)
{
    const char *missing = NULL;
    union { /* ISO C has no cast from an object's address to a function's */
        void *object;
        void (*function)(void);
    } at;
#define FIND(name)                                                                                 \
    at.object = dlsym(c->library, #name);                                                          \
    missing = at.object == NULL ? #name : missing;                                                 \
    c->name = (__typeof__(c->name))at.function;
    STETI_CUDNN_CALLS(FIND)
#undef FIND
    if (missing != NULL) {
        snprintf(c->text, sizeof c->text, "libcudnn has no function %s", missing);
        return STETI_CUDNN_ABSENT;
    }
    return 0;
}

static int load(struct steti_sdpa_context *c)
{
    size_t version;
    int code;
    c->library = dlopen("libcudnn.so.9", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (c->library == NULL) {
        const char *why = dlerror();
        snprintf(c->text, sizeof c->text, "%.400s", why != NULL ? why : "libcudnn.so.9: not found");
        c->library = dlopen("libcudnn.so", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    }
    if (c->library == NULL) {
        return STETI_CUDNN_ABSENT;
    }
    code = find_calls(c);
    if (code != 0) {
        return code;
    }
    version = c->cudnnGetVersion();
    snprintf(c->version, sizeof c->version, "%d.%d.%d", (int)(version / 10000),
             (int)(version / 100 % 100), (int)(version % 100));
    if (version < OLDEST || version >= 100000) {
        snprintf(c->text, sizeof c->text, "libcudnn is version %s, expected 9.19 or a later 9",
                 c->version);
        return STETI_CUDNN_OLD;
    }
    return 0;
}

/* ---- Descriptors ----------------------------------------------------------------------------- */

steti_cudnn_descriptor steti_cudnn_make(struct steti_cudnn_build *b,
                                        cudnnBackendDescriptorType_t type)
{
    steti_cudnn_descriptor d = NULL;
    if (b->code == 0) {
        b->code = (int)b->c->cudnnBackendCreateDescriptor(type, &d);
    }
    return b->code == 0 ? d : NULL;
}

void steti_cudnn_set(struct steti_cudnn_build *b, steti_cudnn_descriptor d,
                     cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                     int64_t count, const void *values)
{
    if (b->code == 0) {
        b->code = (int)b->c->cudnnBackendSetAttribute(d, name, type, count, values);
    }
}

void steti_cudnn_finish(struct steti_cudnn_build *b, steti_cudnn_descriptor d)
{
    if (b->code == 0) {
        b->code = (int)b->c->cudnnBackendFinalize(d);
    }
}

/* ---- Opening --------------------------------------------------------------------------------- */

static int describe_device(struct steti_sdpa_context *c, const char *json)
{
    struct steti_cudnn_build b = {c, NULL, 0};
    c->device = steti_cudnn_make(&b, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    steti_cudnn_set(&b, c->device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                    (int64_t)strlen(json) + 1, json);
    steti_cudnn_finish(&b, c->device);
    return b.code;
}

static int cudnn_open(const char *device, struct steti_sdpa_context **out)
{
    struct steti_sdpa_context *c = steti_calloc(1, sizeof *c);
    int code;
    *out = c;
    if (c == NULL) {
        return STETI_CUDNN_NOMEM;
    }
    code = load(c);
    if (code != 0) {
        return code;
    }
    return device != NULL ? describe_device(c, device) : (int)c->cudnnCreate(&c->handle);
}

static void cudnn_close(struct steti_sdpa_context *c)
{
    if (c == NULL) {
        return;
    }
    if (c->device != NULL) {
        c->cudnnBackendDestroyDescriptor(c->device);
    }
    if (c->handle != NULL) {
        c->cudnnDestroy(c->handle);
    }
    if (c->library != NULL) {
        dlclose(c->library);
    }
    steti_free(c);
}

static size_t workspace(const struct steti_sdpa_plan *p)
{
    return p->workspace;
}

static const char *version(const struct steti_sdpa_context *c)
{
    return c->version;
}

/* ---- Running --------------------------------------------------------------------------------- */

static int run(struct steti_sdpa_context *c, const struct steti_sdpa_plan *p,
               const struct steti_sdpa_call *call, void *stream)
{
    static const int64_t names[] = {STETI_CUDNN_Q,    STETI_CUDNN_K,         STETI_CUDNN_V,
                                    STETI_CUDNN_OUT,  STETI_CUDNN_SCALE,     STETI_CUDNN_ROWS,
                                    STETI_CUDNN_KEYS, STETI_CUDNN_ROW_BEGIN, STETI_CUDNN_KEY_BEGIN};
    const void *at[] = {call->q,    call->k,    call->v,         call->out,      &call->scale,
                        call->rows, call->keys, call->row_begin, call->key_begin};
    int64_t n = p->ragged ? 9 : 7;
    struct steti_cudnn_build b = {c, NULL, (int)c->cudnnSetStream(c->handle, (cudaStream_t)stream)};
    steti_cudnn_descriptor pack = steti_cudnn_make(&b, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    steti_cudnn_set(&b, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, n, names);
    steti_cudnn_set(&b, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, n, at);
    steti_cudnn_set(&b, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1,
                    &call->workspace);
    steti_cudnn_finish(&b, pack);
    if (b.code == 0) {
        b.code = (int)c->cudnnBackendExecute(c->handle, p->plan, pack);
    }
    if (pack != NULL) {
        c->cudnnBackendDestroyDescriptor(pack);
    }
    return b.code;
}

const struct steti_sdpa *steti_sdpa_cudnn(void)
{
    static const struct steti_sdpa table = {
        .name = "cuDNN",
        .is_unsupported = is_unsupported,
        .is_out_of_memory = is_out_of_memory,
        .error_text = error_text,
        .open = cudnn_open,
        .close = cudnn_close,
        .version = version,
        .plan = steti_cudnn_plan,
        .plan_free = steti_cudnn_plan_free,
        .workspace = workspace,
        .save = steti_cudnn_save,
        .restore = steti_cudnn_restore,
        .run = run,
    };
    return &table;
}
