/* runtime_cudart.c - the CUDA runtime behind runtime.h. */
#include <cuda_runtime_api.h>
#include <stdio.h>

#include "runtime.h"

static const char *error_text(int code)
{
    return cudaGetErrorString((cudaError_t)code);
}

/* Too little memory is not the end: the next launch would report it once more. */
static int result(cudaError_t code)
{
    if (code == cudaErrorMemoryAllocation) {
        cudaGetLastError();
    }
    return (int)code;
}

static int attribute(int *value, enum cudaDeviceAttr what, int device)
{
    return (int)cudaDeviceGetAttribute(value, what, device);
}

/* nvcc makes a host function for every kernel; its address stands for the kernel. */
static const void *stub_of(enum steti_cuda_kernel kernel)
{
    switch (kernel) {
#define STUB(name, args)                                                                           \
    case STETI_CUDA_##name:                                                                        \
        return __extension__(const void *) steti_cuda_##name;
        STETI_CUDA_KERNEL_MAP(STUB)
#undef STUB
    default:
        return NULL;
    }
}

/* Else a kernel would be loaded at its first launch, which may be in a capture. */
static int load_kernels(void)
{
    int code = 0;
    for (int k = 0; k < STETI_CUDA_KERNEL_COUNT && code == 0; k++) {
        struct cudaFuncAttributes unused;
        code = (int)cudaFuncGetAttributes(&unused, stub_of((enum steti_cuda_kernel)k));
    }
    return code;
}

static int device_open(int device, struct steti_cuda_props *props, void **stream)
{
    struct cudaDeviceProp p;
    cudaStream_t s = NULL;
    int shared = 0, driver = 0;
    int code = (int)cudaGetDeviceProperties(&p, device);
    code = code == 0 ? attribute(&props->major, cudaDevAttrComputeCapabilityMajor, device) : code;
    code = code == 0 ? attribute(&props->minor, cudaDevAttrComputeCapabilityMinor, device) : code;
    code = code == 0 ? attribute(&shared, cudaDevAttrMaxSharedMemoryPerBlock, device) : code;
    code = code == 0 ? (int)cudaDriverGetVersion(&driver) : code;
    code = code == 0 ? (int)cudaSetDevice(device) : code;
    code = code == 0 ? load_kernels() : code;
    code = code == 0 ? (int)cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking) : code;
    if (code != 0) {
        return code;
    }
    snprintf(props->name, sizeof props->name, "%.63s", p.name);
    props->shared_bytes = (size_t)shared;
    props->has_while = driver >= 12040;
    *stream = s;
    return 0;
}

static int device_close(void *stream)
{
    return (int)cudaStreamDestroy(stream);
}

static int bind_device(int device)
{
    return (int)cudaSetDevice(device);
}

static int mem_alloc(size_t bytes, void **out)
{
    return result(cudaMalloc(out, bytes));
}

static int mem_free(void *p)
{
    return (int)cudaFree(p);
}

static int pinned_alloc(size_t bytes, void **out)
{
    return result(cudaMallocHost(out, bytes));
}

static int pinned_free(void *p)
{
    return (int)cudaFreeHost(p);
}

static int clear(void *dst, size_t bytes, void *stream)
{
    return result(cudaMemsetAsync(dst, 0, bytes, stream));
}

static int copy(void *dst, const void *src, size_t bytes, enum steti_cuda_direction way,
                void *stream)
{
    static const enum cudaMemcpyKind kinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost,
                                                cudaMemcpyDeviceToDevice};
    return result(cudaMemcpyAsync(dst, src, bytes, kinds[way], stream));
}

static int launch(const struct steti_cuda_launch *l, void *stream)
{
    dim3 grid = {l->grid_x, l->grid_y, 1}, block = {l->threads, 1, 1};
    /* The runtime takes pointers to arguments and writes to none of them. */
    union {
        const void *in;
        void *out;
    } arg = {l->arg};
    void *args[] = {arg.out};
    return result(cudaLaunchKernel(stub_of(l->kernel), grid, block, args, l->shared_bytes, stream));
}

static int sync_stream(void *stream)
{
    return (int)cudaStreamSynchronize(stream);
}

static int event_create(void **event)
{
    cudaEvent_t e = NULL;
    int code = (int)cudaEventCreate(&e);
    *event = e;
    return code;
}

static int event_destroy(void *event)
{
    return (int)cudaEventDestroy(event);
}

static int event_record(void *event, void *stream)
{
    return (int)cudaEventRecord(event, stream);
}

static int event_elapsed(float *ms, void *begin, void *end)
{
    int code = (int)cudaEventSynchronize(end);
    return code != 0 ? code : (int)cudaEventElapsedTime(ms, begin, end);
}

/* ---- Graphs ---------------------------------------------------------------------------------- */

/* With version 13.0 of the runtime the names of some calls stand for new forms, which take data of
 * edges. All edges here are plain ones: it is NULL. */

static cudaGraph_t graph_of(const struct steti_cuda_graph *g)
{
    return (cudaGraph_t)g->graph;
}

static int graph_create(struct steti_cuda_graph *g)
{
    cudaGraph_t graph = NULL;
    int code = result(cudaGraphCreate(&graph, 0));
    g->graph = graph;
    g->last = NULL;
    return code;
}

static int graph_free(struct steti_cuda_graph *g)
{
    cudaGraph_t graph = graph_of(g);
    g->graph = g->last = NULL;
    return graph != NULL ? (int)cudaGraphDestroy(graph) : 0;
}

/* Only this thread is kept from calls that a capture forbids: contexts of other threads go on. */
static int capture_begin(struct steti_cuda_graph *g, void *stream)
{
    cudaGraphNode_t last = (cudaGraphNode_t)g->last;
    return result(cudaStreamBeginCaptureToGraph((cudaStream_t)stream, graph_of(g),
                                                last != NULL ? &last : NULL, NULL, last != NULL,
                                                cudaStreamCaptureModeThreadLocal));
}

/* The node that the next one of the captured stream would wait for. */
static cudaError_t last_captured(cudaStream_t stream, void **last)
{
    enum cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    const cudaGraphNode_t *nodes = NULL;
    size_t n = 0;
    cudaError_t code;
#if CUDART_VERSION >= 13000
    code = cudaStreamGetCaptureInfo(stream, &status, NULL, NULL, &nodes, NULL, &n);
#else
    code = cudaStreamGetCaptureInfo_v2(stream, &status, NULL, NULL, &nodes, &n);
#endif
    if (code == cudaSuccess && n > 1) {
        return cudaErrorStreamCaptureUnjoined; /* more than a chain */
    }
    if (code == cudaSuccess && n == 1) {
        *last = nodes[0];
    }
    return code;
}

static int capture_end(struct steti_cuda_graph *g, void *stream)
{
    cudaGraph_t graph = NULL;
    cudaError_t first = last_captured((cudaStream_t)stream, &g->last);
    cudaError_t code = cudaStreamEndCapture((cudaStream_t)stream, &graph);
    return result(code != cudaSuccess ? code : first);
}

static int graph_add(struct steti_cuda_graph *g, const struct steti_cuda_graph *child)
{
    cudaGraphNode_t last = (cudaGraphNode_t)g->last, node = NULL;
    int code = result(cudaGraphAddChildGraphNode(&node, graph_of(g), last != NULL ? &last : NULL,
                                                 last != NULL, graph_of(child)));
    g->last = code == 0 ? node : g->last;
    return code;
}

static int condition_create(struct steti_cuda_graph *g, unsigned value, steti_cuda_condition *out)
{
    cudaGraphConditionalHandle handle = 0;
    int code = result(
        cudaGraphConditionalHandleCreate(&handle, graph_of(g), value, cudaGraphCondAssignDefault));
    *out = handle;
    return code;
}

static int while_add(struct steti_cuda_graph *g, steti_cuda_condition condition,
                     struct steti_cuda_graph *body)
{
    struct cudaGraphNodeParams params = {.type = cudaGraphNodeTypeConditional};
    cudaGraphNode_t last = (cudaGraphNode_t)g->last, node = NULL;
    size_t n = last != NULL;
    int code;
    params.conditional.handle = condition;
    params.conditional.type = cudaGraphCondTypeWhile;
    params.conditional.size = 1;
#if CUDART_VERSION >= 13000
    code = result(cudaGraphAddNode(&node, graph_of(g), n > 0 ? &last : NULL, NULL, n, &params));
#else
    code = result(cudaGraphAddNode(&node, graph_of(g), n > 0 ? &last : NULL, n, &params));
#endif
    if (code == 0) {
        g->last = node;
        body->graph = params.conditional.phGraph_out[0];
        body->last = NULL;
    }
    return code;
}

static int exec_create(const struct steti_cuda_graph *g, void **exec)
{
    cudaGraphExec_t made = NULL;
    int code = result(cudaGraphInstantiate(&made, graph_of(g), 0));
    *exec = code == 0 ? made : NULL;
    return code;
}

static int exec_launch(void *exec, void *stream)
{
    return (int)cudaGraphLaunch((cudaGraphExec_t)exec, (cudaStream_t)stream);
}

static int exec_free(void *exec)
{
    return exec != NULL ? (int)cudaGraphExecDestroy((cudaGraphExec_t)exec) : 0;
}

static int device_count(int *out)
{
    return (int)cudaGetDeviceCount(out);
}

/* Through the host where the devices do not reach each other. */
static int copy_peer(void *dst, int dst_device, const void *src, int src_device, size_t bytes,
                     void *stream)
{
    return (int)cudaMemcpyPeerAsync(dst, dst_device, src, src_device, bytes, stream);
}

const struct steti_cuda_runtime *steti_cudart(void)
{
    static const struct steti_cuda_runtime rt = {
        .out_of_memory = cudaErrorMemoryAllocation,
        .error_text = error_text,
        .device_open = device_open,
        .device_close = device_close,
        .bind = bind_device,
        .mem_alloc = mem_alloc,
        .mem_free = mem_free,
        .pinned_alloc = pinned_alloc,
        .pinned_free = pinned_free,
        .clear = clear,
        .copy = copy,
        .launch = launch,
        .sync = sync_stream,
        .event_create = event_create,
        .event_destroy = event_destroy,
        .event_record = event_record,
        .event_elapsed = event_elapsed,
        .graph_create = graph_create,
        .graph_free = graph_free,
        .capture_begin = capture_begin,
        .capture_end = capture_end,
        .graph_add = graph_add,
        .condition_create = condition_create,
        .while_add = while_add,
        .exec_create = exec_create,
        .exec_launch = exec_launch,
        .exec_free = exec_free,
        .device_count = device_count,
        .copy_peer = copy_peer,
    };
    return &rt;
}
