/* Greedy decoding: nothing is drafted. */
#include "draft.h"

static stet_status none_open(const struct steti_draft_limits *l, struct steti_draft **out,
                             stet_error *err)
{
    (void)l;
    (void)err;
    *out = NULL;
    return STET_OK;
}

static void none_close(struct steti_draft *d)
{
    (void)d;
}

static void none_begin(struct steti_draft *d, const int32_t *src, int n)
{
    (void)d;
    (void)src;
    (void)n;
}

static int none_propose(struct steti_draft *d, int branch, int budget, int32_t *out)
{
    (void)d;
    (void)branch;
    (void)budget;
    (void)out;
    return 0;
}

static void none_accept(struct steti_draft *d, const int32_t *emitted, int n, int branch,
                        int matched)
{
    (void)d;
    (void)branch;
    (void)emitted;
    (void)n;
    (void)matched;
}

static int none_reentries(const struct steti_draft *d)
{
    (void)d;
    return 0;
}

const struct steti_draft_ops steti_draft_none = {
    .name = "none",
    .about = "no draft: one token a pass (greedy decoding)",
    .open = none_open,
    .close = none_close,
    .begin = none_begin,
    .propose = none_propose,
    .accept = none_accept,
    .reentries = none_reentries,
};
