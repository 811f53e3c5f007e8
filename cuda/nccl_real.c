/* nccl_real.c - NCCL behind nccl_table.h, from libnccl.so.2 as it is found at run time. With
 * runtime_cudart.c the only host file that sees CUDA's headers, and alone with NCCL's. */
#include "nccl_table.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#ifdef STETI_HAVE_NCCL
#include <nccl.h>

/* The functions that are used, with the types of NCCL's own declarations. */
#define NCCL_MAP(XX)                                                                               \
    XX(ncclGetErrorString)                                                                         \
    XX(ncclGetVersion)                                                                             \
    XX(ncclCommInitAll)                                                                            \
    XX(ncclCommDestroy)                                                                            \
    XX(ncclCommAbort)                                                                              \
    XX(ncclGroupStart)                                                                             \
    XX(ncclGroupEnd)                                                                               \
    XX(ncclBroadcast)                                                                              \
    XX(ncclCommGetAsyncError)

static struct {
#define MEMBER(name) __typeof__(&name) name;
    NCCL_MAP(MEMBER)
#undef MEMBER
} lib;

_Static_assert(sizeof(ncclComm_t) == sizeof(void *), "communicators are pointers");

static const char *error_text(int code)
{
    return lib.ncclGetErrorString((ncclResult_t)code);
}

static int version(int *out)
{
    return (int)lib.ncclGetVersion(out);
}

static int init_all(void **comms, int n, const int *devices)
{
    return (int)lib.ncclCommInitAll((ncclComm_t *)(void *)comms, n, devices);
}

static int destroy(void *comm)
{
    return (int)lib.ncclCommDestroy((ncclComm_t)comm);
}

static int abort_comm(void *comm)
{
    return (int)lib.ncclCommAbort((ncclComm_t)comm);
}

static int group_start(void)
{
    return (int)lib.ncclGroupStart();
}

static int group_end(void)
{
    return (int)lib.ncclGroupEnd();
}

static int broadcast(const void *src, void *dst, size_t bytes, void *comm, void *stream)
{
    return (int)lib.ncclBroadcast(src, dst, bytes, ncclInt8, 0, (ncclComm_t)comm,
                                  (cudaStream_t)stream);
}

static int async_error(void *comm, int *code)
{
    ncclResult_t result = ncclSuccess;
    ncclResult_t rc = lib.ncclCommGetAsyncError((ncclComm_t)comm, &result);
    *code = (int)result;
    return (int)rc;
}

static const struct steti_nccl table = {.error_text = error_text,
                                        .version = version,
                                        .init_all = init_all,
                                        .destroy = destroy,
                                        .abort = abort_comm,
                                        .group_start = group_start,
                                        .group_end = group_end,
                                        .broadcast = broadcast,
                                        .async_error = async_error};

static int find(void *so, const char *name, void *out)
{
    void *symbol = dlsym(so, name);
    memcpy(out, &symbol, sizeof symbol); /* ISO C has no cast from data to functions */
    return symbol != NULL;
}

/* Returns what is missing, or NULL. */
static const char *load(void)
{
    void *so = dlopen("libnccl.so.2", RTLD_NOW | RTLD_LOCAL);
    if (so == NULL) {
        return dlerror();
    }
#define FIND(name)                                                                                 \
    if (!find(so, #name, &lib.name)) {                                                             \
        return "libnccl.so.2 has no function " #name;                                              \
    }
    NCCL_MAP(FIND)
#undef FIND
    return NULL;
}

const struct steti_nccl *steti_nccl_real(char *why, size_t cap)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static int is_loaded;
    const char *missing = NULL;
    pthread_mutex_lock(&lock);
    if (!is_loaded) {
        missing = load();
        is_loaded = missing == NULL;
    }
    if (missing != NULL) {
        snprintf(why, cap, "%s", missing);
    }
    pthread_mutex_unlock(&lock);
    return missing == NULL ? &table : NULL;
}

#else

const struct steti_nccl *steti_nccl_real(char *why, size_t cap)
{
    snprintf(why, cap, "this plug-in was built without NCCL's header");
    return NULL;
}

#endif
