/* sdpa_cudnn_plan.c - plans of cuDNN: one operation (Q, K, V, O, scale, lengths, offsets) with its
 * engine and kernel named. cuDNN's heuristics would choose them by shape. */
#include "sdpa_cudnn.h"

#include <stdbool.h>

#include "alloc.h"

typedef steti_cudnn_descriptor descriptor;

/* One that lives as long as the plan. */
static descriptor make_part(struct steti_cudnn_build *b, cudnnBackendDescriptorType_t type)
{
    descriptor d = steti_cudnn_make(b, type);
    if (d != NULL) {
        b->plan->parts[b->plan->n_parts++] = d;
    }
    return d;
}

static void set_part(struct steti_cudnn_build *b, descriptor d, cudnnBackendAttributeName_t name,
                     descriptor part)
{
    steti_cudnn_set(b, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &part);
}

static void set_int(struct steti_cudnn_build *b, descriptor d, cudnnBackendAttributeName_t name,
                    int64_t value)
{
    steti_cudnn_set(b, d, name, CUDNN_TYPE_INT64, 1, &value);
}

/* A handle, or the device that was described. */
static void set_device(struct steti_cudnn_build *b, descriptor d,
                       cudnnBackendAttributeName_t handle, cudnnBackendAttributeName_t described)
{
    if (b->c->device != NULL) {
        set_part(b, d, described, b->c->device);
    } else {
        steti_cudnn_set(b, d, handle, CUDNN_TYPE_HANDLE, 1, &b->c->handle);
    }
}

/* ---- Plans ----------------------------------------------------------------------------------- */

struct tensor {
    int64_t name;
    cudnnDataType_t type;
    int64_t dims[4], strides[4];
    descriptor begin; /* NULL: not ragged */
    bool by_value;
};

static descriptor make_tensor(struct steti_cudnn_build *b, const struct tensor *t)
{
    descriptor d = make_part(b, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    set_int(b, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, t->name);
    steti_cudnn_set(b, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &t->type);
    steti_cudnn_set(b, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, t->dims);
    steti_cudnn_set(b, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, t->strides);
    set_int(b, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 16);
    if (t->by_value) {
        steti_cudnn_set(b, d, CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, 1, &t->by_value);
    }
    if (t->begin != NULL) {
        set_part(b, d, CUDNN_ATTR_TENSOR_RAGGED_OFFSET_DESC, t->begin);
    }
    steti_cudnn_finish(b, d);
    return d;
}

/* n numbers, one an entry. */
static descriptor make_numbers(struct steti_cudnn_build *b, int64_t name, int64_t n)
{
    struct tensor t = {name, CUDNN_DATA_INT32, {n, 1, 1, 1}, {1, 1, 1, 1}, NULL, false};
    return make_tensor(b, &t);
}

static descriptor make_rows(struct steti_cudnn_build *b, int64_t name,
                            const struct steti_sdpa_shape *s, int64_t rows, descriptor begin)
{
    int64_t d = s->head_dim, width = d * s->heads;
    struct tensor t = {name,
                       CUDNN_DATA_BFLOAT16,
                       {s->batch, s->heads, rows, d},
                       {rows * width, d, width, 1},
                       begin,
                       false};
    return make_tensor(b, &t);
}

static descriptor make_operation(struct steti_cudnn_build *b, const struct steti_sdpa_shape *s)
{
    static const struct tensor scale = {
        STETI_CUDNN_SCALE, CUDNN_DATA_FLOAT, {1, 1, 1, 1}, {1, 1, 1, 1}, NULL, true};
    descriptor row_begin = s->ragged ? make_numbers(b, STETI_CUDNN_ROW_BEGIN, s->batch + 1) : NULL;
    descriptor key_begin = s->ragged ? make_numbers(b, STETI_CUDNN_KEY_BEGIN, s->batch + 1) : NULL;
    descriptor q = make_rows(b, STETI_CUDNN_Q, s, s->rows, row_begin);
    descriptor k = make_rows(b, STETI_CUDNN_K, s, s->keys, key_begin);
    descriptor v = make_rows(b, STETI_CUDNN_V, s, s->keys, key_begin);
    descriptor out = make_rows(b, STETI_CUDNN_OUT, s, s->rows, row_begin);
    descriptor by = make_tensor(b, &scale);
    descriptor rows = make_numbers(b, STETI_CUDNN_ROWS, s->batch);
    descriptor keys = make_numbers(b, STETI_CUDNN_KEYS, s->batch);
    descriptor op = make_part(b, CUDNN_BACKEND_OPERATION_SDPA_FWD_DESCRIPTOR);
    set_part(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_QDESC, q);
    set_part(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_KDESC, k);
    set_part(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_VDESC, v);
    set_part(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_ODESC, out);
    set_part(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_SCALEDESC, by);
    set_part(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_SEQ_LEN_QDESC, rows);
    set_part(b, op, CUDNN_ATTR_OPERATION_SDPA_FWD_SEQ_LEN_KVDESC, keys);
    steti_cudnn_finish(b, op);
    return op;
}

/* The kernel, in place of what a heuristic would take. */
static descriptor make_configuration(struct steti_cudnn_build *b, const struct steti_sdpa_shape *s,
                                     descriptor op)
{
    cudnnBackendKnobType_t knob = CUDNN_KNOB_TYPE_KERNEL_CFG;
    descriptor graph = make_part(b, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    descriptor engine = make_part(b, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    descriptor choice = make_part(b, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR);
    descriptor configuration = make_part(b, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    if (b->c->handle != NULL) {
        steti_cudnn_set(b, graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1,
                        &b->c->handle);
    }
    set_part(b, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, op);
    steti_cudnn_finish(b, graph);
    set_part(b, engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, graph);
    set_int(b, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, s->engine);
    if (b->c->device != NULL) {
        set_part(b, engine, CUDNN_ATTR_ENGINE_DEVICEPROP, b->c->device);
    }
    steti_cudnn_finish(b, engine);
    steti_cudnn_set(b, choice, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, CUDNN_TYPE_KNOB_TYPE, 1, &knob);
    set_int(b, choice, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, s->kernel);
    steti_cudnn_finish(b, choice);
    set_part(b, configuration, CUDNN_ATTR_ENGINECFG_ENGINE, engine);
    set_part(b, configuration, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES, choice);
    steti_cudnn_finish(b, configuration);
    return configuration;
}

void steti_cudnn_plan_free(struct steti_sdpa_plan *p)
{
    if (p == NULL) {
        return;
    }
    if (p->plan != NULL) {
        p->c->cudnnBackendDestroyDescriptor(p->plan);
    }
    while (p->n_parts > 0) {
        p->c->cudnnBackendDestroyDescriptor(p->parts[--p->n_parts]);
    }
    steti_free(p);
}

/* Of a finished plan, which then is *out; a plan that failed is freed. */
static int hand_over(struct steti_cudnn_build *b, struct steti_sdpa_plan **out)
{
    int64_t bytes = 0, n = 0;
    if (b->code == 0) {
        b->code = (int)b->c->cudnnBackendGetAttribute(b->plan->plan,
                                                      CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                                      CUDNN_TYPE_INT64, 1, &n, &bytes);
    }
    b->plan->workspace = (size_t)bytes;
    *out = b->code == 0 ? b->plan : NULL;
    if (b->code != 0) {
        steti_cudnn_plan_free(b->plan);
    }
    return b->code;
}

static int begin_plan(struct steti_cudnn_build *b, const struct steti_sdpa_shape *s)
{
    b->plan = steti_calloc(1, sizeof *b->plan);
    if (b->plan == NULL) {
        return STETI_CUDNN_NOMEM;
    }
    b->plan->c = b->c;
    b->plan->ragged = s->ragged;
    b->plan->plan = steti_cudnn_make(b, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    set_device(b, b->plan->plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE,
               CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP);
    return 0;
}

int steti_cudnn_plan(struct steti_sdpa_context *c, const struct steti_sdpa_shape *shape,
                     struct steti_sdpa_plan **out)
{
    struct steti_cudnn_build b = {c, NULL, 0};
    *out = NULL;
    if (begin_plan(&b, shape) != 0) {
        return STETI_CUDNN_NOMEM;
    }
    set_part(&b, b.plan->plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
             make_configuration(&b, shape, make_operation(&b, shape)));
    steti_cudnn_finish(&b, b.plan->plan);
    return hand_over(&b, out);
}

int steti_cudnn_restore(struct steti_sdpa_context *c, const struct steti_sdpa_shape *shape,
                        const char *text, size_t bytes, struct steti_sdpa_plan **out)
{
    struct steti_cudnn_build b = {c, NULL, 0};
    *out = NULL;
    if (begin_plan(&b, shape) != 0) {
        return STETI_CUDNN_NOMEM;
    }
    steti_cudnn_set(&b, b.plan->plan, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                    CUDNN_TYPE_CHAR, (int64_t)bytes, text);
    steti_cudnn_finish(&b, b.plan->plan);
    return hand_over(&b, out);
}

int steti_cudnn_save(struct steti_sdpa_context *c, const struct steti_sdpa_plan *p, char **text,
                     size_t *bytes)
{
    const cudnnBackendAttributeName_t json = CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION;
    int64_t n = 0;
    int code = (int)c->cudnnBackendGetAttribute(p->plan, json, CUDNN_TYPE_CHAR, 0, &n, NULL);
    *text = NULL;
    if (code != 0) {
        return code;
    }
    *text = steti_calloc(1, (size_t)n + 1);
    if (*text == NULL) {
        return STETI_CUDNN_NOMEM;
    }
    code = (int)c->cudnnBackendGetAttribute(p->plan, json, CUDNN_TYPE_CHAR, n, &n, *text);
    if (code != 0) {
        steti_free(*text);
        *text = NULL;
    }
    *bytes = (size_t)n;
    return code;
}
