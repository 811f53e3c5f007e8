/* sdpa_decide.c - whether a library makes attention, decided once for heads of one length. */
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "cuda_sdpa.h"
#include "log.h"

#define MOST_WIDTH 65536 /* elements of a call are counted in 31 bits */
static const int plan_entries[] = {8, STETI_SDPA_ENTRIES};
static const int plan_keys[] = {64, STETI_SDPA_KEYS};

struct steti_sdpa_shape steti_sdpa_plan_shape(const struct steti_sdpa_use *use, int i)
{
    struct steti_sdpa_shape s = {
        .heads = use->heads,
        .head_dim = use->head_dim,
        .batch = plan_entries[i % 2],
        .rows = plan_keys[i / 2],
        .keys = plan_keys[i / 2],
        .ragged = 1,
        .engine = STETI_SDPA_ENGINE,
        .kernel = STETI_SDPA_KERNEL,
    };
    return s;
}

int steti_sdpa_plan_for(int entries, int most)
{
    return 2 * (most > plan_keys[0]) + (entries > plan_entries[0]);
}

stet_status steti_sdpa_failed(struct steti_backend *b, int code, const char *call, stet_error *err)
{
    struct steti_cuda_sdpa *s = b->sdpa;
    const char *text = s->o.library->error_text(s->library, code);
    if (s->o.library->is_out_of_memory(code)) {
        return steti_fail(err, STET_E_NOMEM,
                          "device cuda:%d: %s: %s: %.200s; use a smaller batch or another device",
                          b->device, s->o.library->name, call, text);
    }
    snprintf(b->broken, sizeof b->broken, "%s: %s: %.180s", s->o.library->name, call, text);
    return steti_fail(err, STET_E_DEVICE, "device cuda:%d: %s", b->device, b->broken);
}

/* ---- The context's part ---------------------------------------------------------------------- */

stet_status steti_cuda_use_sdpa(struct steti_backend *b, const struct steti_cuda_sdpa_options *o,
                                stet_error *err)
{
    struct steti_cuda_sdpa *s = steti_calloc(1, sizeof *s);
    if (s == NULL) {
        return steti_fail_nomem(err, "attention by a library", sizeof *s);
    }
    s->o = *o;
    if (o->cache_folder != NULL) {
        char *folder = steti_strndup(o->cache_folder, strlen(o->cache_folder));
        if (folder == NULL) {
            steti_free(s);
            return steti_fail_nomem(err, "the name of a folder", strlen(o->cache_folder) + 1);
        }
        s->o.cache_folder = folder;
    }
    b->sdpa = s;
    return STET_OK;
}

static void free_plans(struct steti_cuda_sdpa *s, struct steti_sdpa_use *use)
{
    for (int i = 0; i < STETI_SDPA_PLANS; i++) {
        s->o.library->plan_free(use->plan[i]);
        use->plan[i] = NULL;
    }
}

void steti_cuda_free_sdpa(struct steti_backend *b)
{
    struct steti_cuda_sdpa *s = b->sdpa;
    union {
        const char *in;
        void *out;
    } folder;
    if (s == NULL) {
        return;
    }
    while (s->uses != NULL) {
        struct steti_sdpa_use *use = s->uses;
        s->uses = use->next;
        free_plans(s, use);
        steti_free(use);
    }
    s->o.library->close(s->library);
    folder.in = s->o.cache_folder; /* its own copy, see steti_cuda_use_sdpa */
    steti_free(folder.out);
    steti_free(s);
    b->sdpa = NULL;
}

/* ---- The decision ---------------------------------------------------------------------------- */

/* A failure is kept: it would be the same the next time, and decisions may not change. */
static stet_status open_library(struct steti_backend *b, char why[STETI_SDPA_WHY], stet_error *err)
{
    struct steti_cuda_sdpa *s = b->sdpa;
    const struct steti_sdpa *t = s->o.library;
    if (!s->is_open) {
        int code = t->open(NULL, &s->library);
        stet_status st = STET_OK;
        if (code != 0) {
            snprintf(s->failure, sizeof s->failure, "%.190s", t->error_text(s->library, code));
            st =
                t->is_out_of_memory(code) ? steti_sdpa_failed(b, code, "opening it", err) : STET_OK;
            t->close(s->library);
            s->library = NULL;
        }
        STETI_TRY(st);
        s->is_open = 1;
    }
    if (s->library == NULL) {
        snprintf(why, STETI_SDPA_WHY, "%s", s->failure);
    }
    return STET_OK;
}

static stet_status try_library(struct steti_backend *b, struct steti_sdpa_use *use,
                               char why[STETI_SDPA_WHY], stet_error *err)
{
    int64_t width = (int64_t)use->heads * use->head_dim;
    if (use->head_dim % 8 != 0) {
        snprintf(why, STETI_SDPA_WHY, "a head of %d is no multiple of 8", use->head_dim);
        return STET_OK;
    }
    if (width > b->ld_q || width > MOST_WIDTH) {
        snprintf(why, STETI_SDPA_WHY, "rows of %lld are too long: at most %lld", (long long)width,
                 (long long)(b->ld_q < MOST_WIDTH ? b->ld_q : MOST_WIDTH));
        return STET_OK;
    }
    STETI_TRY(open_library(b, why, err));
    for (int i = 0; i < STETI_SDPA_PLANS && why[0] == '\0'; i++) {
        STETI_TRY(steti_sdpa_get_plan(b, use, i, why, err));
    }
    if (why[0] == '\0' && !b->sdpa->o.unprobed) {
        STETI_TRY(steti_sdpa_probe(b, use, why, err));
    }
    return STET_OK;
}

static void log_decision(const struct steti_backend *b, const struct steti_sdpa_use *use,
                         const char *why)
{
    const struct steti_cuda_sdpa *s = b->sdpa;
    const char *version = s->library != NULL ? s->o.library->version(s->library) : "";
    steti_log(STET_LOG_INFO, "cuda", "device cuda:%d: attention of %d heads of %d: %s %s is %s%s%s",
              b->device, use->heads, use->head_dim, s->o.library->name, version,
              use->accepted ? "used" : "not used", use->accepted ? "" : ": ", why);
}

const struct steti_sdpa_use *steti_sdpa_decided(const struct steti_backend *b,
                                                const struct steti_attention_params *p)
{
    const struct steti_sdpa_use *use = b->sdpa->uses;
    while (use != NULL && (use->heads != p->n_heads || use->head_dim != p->head_dim)) {
        use = use->next;
    }
    return use;
}

stet_status steti_sdpa_decide(struct steti_backend *b, const struct steti_attention_params *p,
                              const struct steti_sdpa_use **out, stet_error *err)
{
    struct steti_cuda_sdpa *s = b->sdpa;
    char why[STETI_SDPA_WHY] = "";
    struct steti_sdpa_use *use = steti_calloc(1, sizeof *use);
    stet_status st;
    if (use == NULL) {
        return steti_fail_nomem(err, "plans of attention", sizeof *use);
    }
    use->heads = p->n_heads;
    use->head_dim = p->head_dim;
    st = try_library(b, use, why, err);
    if (st != STET_OK) {
        free_plans(s, use);
        steti_free(use);
        return st;
    }
    use->accepted = why[0] == '\0';
    log_decision(b, use, why);
    if (!use->accepted) {
        free_plans(s, use);
    }
    use->next = s->uses;
    s->uses = use;
    *out = use;
    return STET_OK;
}
