/* The devices of a model: opened once each, with weights that were read and packed once. */
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "api_internal.h"
#include "backends.h"
#include "log.h"
#include "model_devices.h"
#include "thread.h"

#define DEFAULT_MAX_THREADS 4

int api_threads(const struct api_options *o)
{
    int cpus = steti_cpu_count();
    if (o->threads > 0) {
        return o->threads;
    }
    return cpus < DEFAULT_MAX_THREADS ? cpus : DEFAULT_MAX_THREADS;
}

struct steti_backend_options api_device_options(const stet_model *m, int i)
{
    int threads = api_threads(&m->options), n = m->options.devices.n;
    struct steti_backend_options o = {.device_index = m->options.devices.index[i]};
    o.threads = threads / n + (i < threads % n);
    o.threads = o.threads > 0 ? o.threads : 1;
    return o;
}

const struct steti_model *api_model_net(const stet_model *m, int i)
{
    return i == 0 || m->n_replicas == 0 ? m->net : m->replicas[i - 1].net;
}

stet_status api_context_open(const stet_model *m, int i, struct steti_backend **out,
                             stet_error *err)
{
    struct steti_backend_options o = api_device_options(m, i);
    STETI_TRY(m->ops->open(&o, out, err));
    if (m->ops->use_weights != NULL) {
        m->ops->use_weights(*out,
                            i == 0 || m->n_replicas == 0 ? m->backend : m->replicas[i - 1].backend);
    }
    return STET_OK;
}

static int is_processor(const stet_model *m)
{
    return strcmp(m->options.device, "cpu") == 0;
}

/* Option device_index "all", and the numbers that a processor's parts have. */
static stet_status settle_list(stet_model *m, stet_error *err)
{
    struct api_device_list *list = &m->options.devices;
    int n = list->n;
    if (list->is_all && m->ops->count_devices == NULL) {
        return steti_fail(err, STET_E_INVALID,
                          "option device_index: device %s cannot tell how many there are, use a "
                          "list such as 0-3 instead of all",
                          m->options.device);
    }
    if (list->is_all) {
        STETI_TRY(m->ops->count_devices(&n, err));
    }
    if (list->is_all || is_processor(m)) {
        device_list_first(list, n);
    }
    return STET_OK;
}

stet_status model_devices_open(stet_model *m, stet_error *err)
{
    struct steti_backend_options o = {.threads = 1, .device_index = m->options.devices.index[0]};
    struct steti_device d;
    STETI_TRY(steti_device_open(m->options.device, &o, &d, err));
    m->ops = d.ops;
    m->backend = d.backend;
    /* In place of "auto": the choice is made once. */
    snprintf(m->options.device, sizeof m->options.device, "%s", d.name);
    return settle_list(m, err);
}

static stet_status open_replicas(stet_model *m, struct steti_backend **contexts, stet_error *err)
{
    int n = m->options.devices.n - 1;
    contexts[0] = m->backend;
    if (n == 0) {
        return STET_OK;
    }
    m->replicas = steti_calloc((size_t)n, sizeof *m->replicas);
    if (m->replicas == NULL) {
        return steti_fail_nomem(err, "a model", (size_t)n * sizeof *m->replicas);
    }
    m->n_replicas = n;
    for (int i = 0; i < n; i++) {
        struct steti_backend_options o = {.threads = 1,
                                          .device_index = m->options.devices.index[i + 1]};
        STETI_TRY(m->ops->open(&o, &m->replicas[i].backend, err));
        contexts[i + 1] = m->replicas[i].backend;
    }
    return STET_OK;
}

static stet_status copy_weights(stet_model *m, struct steti_peers *peers, stet_error *err)
{
    struct steti_model_copies to = {.peers = peers, .n = m->n_replicas};
    struct steti_model *nets[API_MAX_DEVICES];
    for (int i = 0; i < m->n_replicas; i++) {
        to.backends[i] = m->replicas[i].backend;
    }
    STETI_TRY(steti_model_copy(m->net, &to, nets, err));
    for (int i = 0; i < m->n_replicas; i++) {
        m->replicas[i].net = nets[i];
    }
    return STET_OK;
}

stet_status model_devices_share(stet_model *m, stet_error *err)
{
    struct steti_backend *contexts[API_MAX_DEVICES];
    struct steti_peers_note note = {{0}};
    struct steti_peers *peers = NULL;
    stet_status st;
    if (m->ops->peers_open == NULL) {
        return STET_OK;
    }
    STETI_TRY(open_replicas(m, contexts, err));
    STETI_TRY(m->ops->peers_open(contexts, m->n_replicas + 1, &peers, &note, err));
    if (note.text[0] != '\0') {
        steti_log(STET_LOG_INFO, "device", "%s", note.text);
    }
    if (peers == NULL) {
        return STET_OK;
    }
    st = copy_weights(m, peers, err);
    m->ops->peers_close(peers);
    return st;
}

void model_devices_close(stet_model *m)
{
    for (int i = 0; i < m->n_replicas; i++) {
        steti_model_close(m->replicas[i].net);
        m->ops->close(m->replicas[i].backend);
    }
    steti_free(m->replicas);
    steti_model_close(m->net);
    if (m->ops != NULL) {
        m->ops->close(m->backend);
    }
}

size_t api_model_weight_bytes(const stet_model *m)
{
    struct steti_backend_caps caps;
    size_t bytes;
    m->ops->caps(m->backend, &caps);
    bytes = caps.weight_bytes;
    for (int i = 0; i < m->n_replicas; i++) {
        m->ops->caps(m->replicas[i].backend, &caps);
        bytes += caps.weight_bytes;
    }
    return bytes;
}

size_t model_devices_elsewhere(const stet_model *m)
{
    size_t devices = (size_t)m->n_replicas + 1;
    return is_processor(m) ? 0
                           : api_model_weight_bytes(m) + devices * steti_model_vector_bytes(m->net);
}
