/* Microseconds: what it costs to start a kernel in a stream and in a graph, to go round a loop that
 * the device itself decides on, and to tell the host that something is done. */
#include "ceilings.h"

#include <stdio.h>

static __global__ void nothing(void)
{
}

/* ---- Launches -------------------------------------------------------------------------------- */

static int launch_many(void *ctx, int run)
{
    (void)run;
    for (int i = 0; i < *(const int *)ctx; i++) {
        nothing<<<1, 32>>>();
    }
    return cudaGetLastError();
}

static int replay(void *ctx, int run)
{
    (void)run;
    return cudaGraphLaunch((cudaGraphExec_t)ctx, 0);
}

/* `nodes` kernels, each after the one before. */
static int chain(int nodes, cudaGraphExec_t *out)
{
    cudaGraph_t graph;
    cudaGraphNode_t last = NULL, node;
    cudaKernelNodeParams p = {};
    void *no_arguments[1] = {NULL};
    p.func = (void *)nothing;
    p.gridDim = dim3(1);
    p.blockDim = dim3(32);
    p.kernelParams = no_arguments;
    TRY(cudaGraphCreate(&graph, 0));
    for (int i = 0; i < nodes; i++) {
        TRY(cudaGraphAddKernelNode(&node, graph, i > 0 ? &last : NULL, i > 0, &p));
        last = node;
    }
    TRY(cudaGraphInstantiate(out, graph, 0));
    return cudaGraphDestroy(graph);
}

int measure_launches(void)
{
    static const int nodes[] = {16, 64, 256};
    int count = 1000;
    double us = 0, before = 0, start;
    TRY(time_us(launch_many, &count, 10, &us));
    report("launch_stream", us / count, "us", "\"counts\": \"a kernel of a row of them\", ");
    start = now_us();
    TRY(launch_many(&count, 0));
    report("launch_host", (now_us() - start) / count, "us", "\"counts\": \"time of the host\", ");
    TRY(cudaDeviceSynchronize());
    for (int i = 0; i < 3; i++) {
        cudaGraphExec_t exec;
        char name[32];
        TRY(chain(nodes[i], &exec));
        TRY(time_us(replay, exec, 30, &us));
        snprintf(name, sizeof name, "graph_%d", nodes[i]);
        report(name, us, "us", "\"counts\": \"one replay\", ");
        if (i > 0) {
            snprintf(name, sizeof name, "graph_node_%d", nodes[i]);
            report(name, (us - before) / (nodes[i] - nodes[i - 1]), "us",
                   "\"counts\": \"one node more\", ");
        }
        before = us;
        TRY(cudaGraphExecDestroy(exec));
    }
    return 0;
}

/* ---- A loop on the device -------------------------------------------------------------------- */

#if CUDART_VERSION >= 13000

static __global__ void count_down(int *left, cudaGraphConditionalHandle handle)
{
    cudaGraphSetConditional(handle, --*left > 0);
}

static __global__ void set_left(int *left, int value)
{
    *left = value;
}

static int kernel_node(cudaGraph_t graph, cudaGraphNode_t after, void *function, void **arguments,
                       cudaGraphNode_t *out)
{
    cudaKernelNodeParams p = {};
    p.func = function;
    p.gridDim = dim3(1);
    p.blockDim = dim3(1);
    p.kernelParams = arguments;
    return cudaGraphAddKernelNode(out, graph, after != NULL ? &after : NULL, after != NULL, &p);
}

/* Sets the count, then: while it is not 0, `extra` kernels that do nothing and one that counts. */
static int loop(cudaGraph_t graph, int *left, int iterations, int extra)
{
    cudaGraph_t body;
    cudaGraphConditionalHandle handle;
    cudaGraphNodeParams p = {};
    cudaGraphNode_t first, last = NULL;
    void *set[2] = {&left, &iterations}, *count[2] = {&left, &handle};
    TRY(cudaGraphConditionalHandleCreate(&handle, graph, 1, cudaGraphCondAssignDefault));
    TRY(kernel_node(graph, NULL, (void *)set_left, set, &first));
    p.type = cudaGraphNodeTypeConditional;
    p.conditional.handle = handle;
    p.conditional.type = cudaGraphCondTypeWhile;
    p.conditional.size = 1;
    TRY(cudaGraphAddNode(&last, graph, &first, NULL, 1, &p));
    body = p.conditional.phGraph_out[0];
    last = NULL;
    for (int i = 0; i < extra; i++) {
        TRY(kernel_node(body, last, (void *)nothing, NULL, &last));
    }
    return kernel_node(body, last, (void *)count_down, count, &last);
}

static int time_loop(int *left, int iterations, int extra, double *us)
{
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    TRY(cudaGraphCreate(&graph, 0));
    TRY(loop(graph, left, iterations, extra));
    TRY(cudaGraphInstantiate(&exec, graph, 0));
    TRY(time_us(replay, exec, 10, us));
    TRY(cudaGraphExecDestroy(exec));
    return cudaGraphDestroy(graph);
}

int measure_while(void)
{
    void *left;
    TRY(cudaMalloc(&left, sizeof(int)));
    for (int extra = 0; extra <= 16; extra += 16) {
        double few = 0, many = 0;
        TRY(time_loop((int *)left, 10, extra, &few));
        TRY(time_loop((int *)left, 510, extra, &many));
        report(extra == 0 ? "while_iteration" : "while_iteration_17_kernels", (many - few) / 500,
               "us", "");
    }
    return cudaFree(left);
}

#else

int measure_while(void)
{
    note_failure("this toolkit is older than CUDA 13: loops in graphs", -1);
    return -1;
}

#endif

/* ---- Telling the host ------------------------------------------------------------------------ */

enum { TRIPS = 2000 };

static int trip_stream(void *device, void *host)
{
    (void)device;
    (void)host;
    nothing<<<1, 32>>>();
    return cudaStreamSynchronize(0);
}

static int trip_event(void *event, void *host)
{
    (void)host;
    nothing<<<1, 32>>>();
    TRY(cudaEventRecord((cudaEvent_t)event, 0));
    return cudaEventSynchronize((cudaEvent_t)event);
}

static int trip_copy(void *device, void *host)
{
    nothing<<<1, 32>>>();
    TRY(cudaMemcpyAsync(host, device, 4, cudaMemcpyDeviceToHost, 0));
    return cudaStreamSynchronize(0);
}

static int trips(const char *name, int (*trip)(void *, void *), void *a, void *b)
{
    static double us[TRIPS];
    for (int i = -20; i < TRIPS; i++) {
        double start = now_us();
        TRY(trip(a, b));
        us[i < 0 ? 0 : i] = now_us() - start;
    }
    TRY(cudaGetLastError());
    report_samples(name, us, TRIPS, "us");
    return 0;
}

int measure_round_trips(void)
{
    void *device, *host;
    cudaEvent_t event;
    TRY(cudaMalloc(&device, 64));
    TRY(cudaMallocHost(&host, 64));
    TRY(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    TRY(trips("sync_stream", trip_stream, NULL, NULL));
    TRY(trips("sync_event", trip_event, event, NULL));
    TRY(trips("sync_with_copy", trip_copy, device, host));
    TRY(cudaEventDestroy(event));
    TRY(cudaFreeHost(host));
    return cudaFree(device);
}

/* ---- A mailbox in the host's memory ---------------------------------------------------------- */

/* [0]: the host writes the number of a letter; [16]: the device answers with the same number. Both
 * sides give up after a while, so that a device that does not see the host's memory ends. */
static __global__ void answer_letters(volatile int *box, int letters)
{
    for (int i = 1; i <= letters; i++) {
        long long give_up = clock64() + 2000000000LL;
        while (box[0] < i && clock64() < give_up) {
        }
        box[16] = box[0] < i ? -1 : i;
        __threadfence_system();
        if (box[0] < i) {
            return;
        }
    }
}

static __global__ void write_letter(volatile int *box, int number)
{
    box[16] = number;
    __threadfence_system();
}

static int wait_for(volatile int *box, int number)
{
    double give_up = now_us() + 3e6;
    while (box[16] != number) {
        if (box[16] == -1 || now_us() > give_up) {
            note_failure("waiting for a letter of the device", -1);
            return -1;
        }
    }
    return 0;
}

static int exchange(volatile int *host, double *us)
{
    for (int i = 0; i < TRIPS; i++) {
        double start = now_us();
        host[0] = i + 1;
        TRY(wait_for(host, i + 1));
        us[i] = now_us() - start;
    }
    return 0;
}

int measure_mailbox(void)
{
    static double us[TRIPS];
    void *memory, *device;
    volatile int *host;
    TRY(cudaHostAlloc(&memory, 4096, cudaHostAllocMapped));
    TRY(cudaHostGetDevicePointer(&device, memory, 0));
    host = (volatile int *)memory;
    host[0] = host[16] = 0;
    answer_letters<<<1, 1>>>((volatile int *)device, TRIPS);
    TRY(cudaGetLastError());
    TRY(exchange(host, us));
    TRY(cudaDeviceSynchronize());
    report_samples("mailbox_round_trip", us, TRIPS, "us");
    for (int i = 0; i < TRIPS; i++) {
        double start = now_us();
        write_letter<<<1, 1>>>((volatile int *)device, i + 10);
        TRY(wait_for(host, i + 10));
        us[i] = now_us() - start;
        TRY(cudaDeviceSynchronize());
    }
    report_samples("launch_to_mailbox", us, TRIPS, "us");
    return cudaFreeHost(memory);
}
