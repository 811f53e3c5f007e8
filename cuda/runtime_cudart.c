/* runtime_cudart.c - the CUDA runtime behind runtime.h. No other host file but nccl_real.c sees
 * CUDA's headers. */
#include <cuda_runtime_api.h>
#include <stdio.h>

#include "runtime.h"

static const char *error_text(int code)
{
    return cudaGetErrorString((cudaError_t)code);
}

static int attribute(int *value, enum cudaDeviceAttr what, int device)
{
    return (int)cudaDeviceGetAttribute(value, what, device);
}

static int device_open(int device, struct steti_cuda_props *props, void **stream)
{
    struct cudaDeviceProp p;
    cudaStream_t s = NULL;
    int shared = 0;
    int code = (int)cudaGetDeviceProperties(&p, device);
    code = code == 0 ? attribute(&props->major, cudaDevAttrComputeCapabilityMajor, device) : code;
    code = code == 0 ? attribute(&props->minor, cudaDevAttrComputeCapabilityMinor, device) : code;
    code = code == 0 ? attribute(&shared, cudaDevAttrMaxSharedMemoryPerBlock, device) : code;
    code = code == 0 ? (int)cudaSetDevice(device) : code;
    code = code == 0 ? (int)cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking) : code;
    if (code != 0) {
        return code;
    }
    snprintf(props->name, sizeof props->name, "%.63s", p.name);
    props->shared_bytes = (size_t)shared;
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
    int code = (int)cudaMalloc(out, bytes);
    if (code == cudaErrorMemoryAllocation) {
        cudaGetLastError(); /* or the next launch reports it once more */
    }
    return code;
}

static int mem_free(void *p)
{
    return (int)cudaFree(p);
}

static int pinned_alloc(size_t bytes, void **out)
{
    int code = (int)cudaMallocHost(out, bytes);
    if (code == cudaErrorMemoryAllocation) {
        cudaGetLastError();
    }
    return code;
}

static int pinned_free(void *p)
{
    return (int)cudaFreeHost(p);
}

static int clear(void *dst, size_t bytes, void *stream)
{
    return (int)cudaMemsetAsync(dst, 0, bytes, stream);
}

static int copy(void *dst, const void *src, size_t bytes, enum steti_cuda_direction way,
                void *stream)
{
    static const enum cudaMemcpyKind kinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost,
                                                cudaMemcpyDeviceToDevice};
    return (int)cudaMemcpyAsync(dst, src, bytes, kinds[way], stream);
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

static int launch(const struct steti_cuda_launch *l, void *stream)
{
    dim3 grid = {l->grid_x, l->grid_y, 1}, block = {l->threads, 1, 1};
    /* The runtime takes pointers to arguments and writes to none of them. */
    union {
        const void *in;
        void *out;
    } arg = {l->arg};
    void *args[] = {arg.out};
    return (int)cudaLaunchKernel(stub_of(l->kernel), grid, block, args, l->shared_bytes, stream);
}

static int sync_stream(void *stream)
{
    return (int)cudaStreamSynchronize(stream);
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
        .device_count = device_count,
        .copy_peer = copy_peer,
    };
    return &rt;
}
