#include "shim_internal.h"

#define DEV_WARP 32
#include "dev_host.h"

namespace stet_shim
{
namespace
{

constexpr int kMostRounds = 100000; // of a loop: more must be a mistake

Graph *graph_of(const steti_cuda_graph *g)
{
    return static_cast<Graph *>(g->graph);
}

int graph_create(steti_cuda_graph *g)
{
    if (int code = call_outside("graph_create")) {
        return code;
    }
    g->graph = new Graph;
    device().graphs.insert(graph_of(g));
    return 0;
}

int graph_free(steti_cuda_graph *g)
{
    Graph *graph = graph_of(g);
    *g = {};
    if (graph != nullptr && device().graphs.erase(graph) == 0) {
        return fail(1, "graph_free: no graph, or the body of a loop");
    }
    delete graph;
    return 0;
}

int capture_begin(steti_cuda_graph *g, void *)
{
    if (int code = call_outside("capture_begin")) {
        return code;
    }
    device().capturing = graph_of(g);
    device().spoilt = false;
    return 0;
}

int capture_end(steti_cuda_graph *g, void *)
{
    Device &d = device();
    int code = count_call("capture_end");
    bool is_open = d.capturing != nullptr && d.capturing == graph_of(g);
    d.capturing = nullptr;
    if (code != 0) {
        return code;
    }
    if (!is_open) {
        return fail(901, "capture_end: no capture into this graph was begun");
    }
    return d.spoilt ? fail(901, "capture_end: a call failed in the capture: " + d.problem) : 0;
}

int graph_add(steti_cuda_graph *g, const steti_cuda_graph *child)
{
    if (int code = call_outside("graph_add")) {
        return code;
    }
    Graph *to = graph_of(g);
    const Graph from = *graph_of(child); // a copy: both may be one
    if (!from.conditions.empty()) {
        return fail(1, "graph_add: the child has conditions");
    }
    to->nodes.insert(to->nodes.end(), from.nodes.begin(), from.nodes.end());
    return 0;
}

int condition_create(steti_cuda_graph *g, unsigned value, steti_cuda_condition *out)
{
    static steti_cuda_condition last = 0x1000;
    if (int code = call_outside("condition_create")) {
        return code;
    }
    graph_of(g)->conditions[++last] = value;
    *out = last;
    return 0;
}

int while_add(steti_cuda_graph *g, steti_cuda_condition condition, steti_cuda_graph *body)
{
    if (int code = call_outside("while_add")) {
        return code;
    }
    if (graph_of(g)->conditions.count(condition) == 0) {
        return fail(1, "while_add: the condition is not the graph's");
    }
    Node n;
    n.kind = Node::loop;
    n.condition = condition;
    n.body = std::make_shared<Graph>();
    graph_of(g)->nodes.push_back(n);
    *body = {n.body.get(), nullptr};
    return 0;
}

Graph deep_copy(const Graph &from)
{
    Graph to = from;
    for (Node &n : to.nodes) {
        if (n.body != nullptr) {
            n.body = std::make_shared<Graph>(deep_copy(*n.body));
        }
    }
    return to;
}

int exec_create(const steti_cuda_graph *g, void **exec)
{
    *exec = nullptr;
    if (int code = call_outside("exec_create")) {
        return code;
    }
    Graph *copy = new Graph(deep_copy(*graph_of(g)));
    device().execs.insert(copy);
    *exec = copy;
    return 0;
}

int run_graph(const Graph &g)
{
    for (const auto &condition : g.conditions) {
        device().conditions[condition.first] = condition.second;
    }
    for (const Node &n : g.nodes) {
        if (int code = perform(n)) {
            return code;
        }
    }
    for (const auto &condition : g.conditions) {
        device().conditions.erase(condition.first);
    }
    return 0;
}

int exec_launch(void *exec, void *)
{
    if (int code = call_outside("exec_launch")) {
        return code;
    }
    if (device().execs.count(static_cast<Graph *>(exec)) == 0) {
        return fail(1, "exec_launch: not made, or freed");
    }
    device().graph_launches++;
    return run_graph(*static_cast<Graph *>(exec));
}

int exec_free(void *exec)
{
    if (exec != nullptr && device().execs.erase(static_cast<Graph *>(exec)) == 0) {
        return fail(1, "exec_free: not made, or freed");
    }
    delete static_cast<Graph *>(exec);
    return 0;
}

std::string name_of(const Node &n)
{
    static const char *const kernels[] = {
#define NAME(name, args) #name,
        STETI_CUDA_KERNEL_MAP(NAME)
#undef NAME
    };
    static const char *const ways[] = {"to device", "to host", "on device"};
    switch (n.kind) {
    case Node::launch:
        return kernels[n.work.kernel];
    case Node::copy:
        return ways[n.way];
    default:
        return n.kind == Node::loop ? "while" : "clear";
    }
}

} // namespace

int run_loop(const Node &n)
{
    for (int round = 0; device().conditions[n.condition] != 0; round++) {
        if (round == kMostRounds) {
            return fail(719, "a loop does not end");
        }
        if (int code = run_graph(*n.body)) {
            return code;
        }
    }
    return 0;
}

std::vector<std::string> work_of(const void *graph_or_exec)
{
    std::vector<std::string> names;
    for (const Node &n : static_cast<const Graph *>(graph_or_exec)->nodes) {
        names.push_back(name_of(n));
    }
    return names;
}

void add_graph_calls(steti_cuda_runtime *rt)
{
    rt->graph_create = graph_create;
    rt->graph_free = graph_free;
    rt->capture_begin = capture_begin;
    rt->capture_end = capture_end;
    rt->graph_add = graph_add;
    rt->condition_create = condition_create;
    rt->while_add = while_add;
    rt->exec_create = exec_create;
    rt->exec_launch = exec_launch;
    rt->exec_free = exec_free;
}

} // namespace stet_shim

void steti_dev_set_condition(uint64_t condition, uint32_t value)
{
    auto &all = stet_shim::device().conditions;
    auto it = all.find(condition);
    if (it == all.end()) {
        steti_dev_fault("a condition of no graph that runs", 0);
    }
    it->second = value;
}
