#include "device_share.h"

int steti_share_choose(const struct steti_share *list, int n)
{
    int best = -1;
    for (int i = 0; i < n; i++) {
        if (!list[i].is_lost && (best < 0 || list[i].tokens < list[best].tokens)) {
            best = i;
        }
    }
    return best;
}

int steti_share_working(const struct steti_share *list, int n)
{
    int working = 0;
    for (int i = 0; i < n; i++) {
        working += !list[i].is_lost;
    }
    return working;
}

double steti_share_ns_per_token(const struct steti_share *list, int n)
{
    double tokens_per_ns = 0;
    for (int i = 0; i < n; i++) {
        if (!list[i].is_lost && list[i].ns_per_token > 0) {
            tokens_per_ns += 1 / list[i].ns_per_token;
        }
    }
    /* Of one device exactly the figure that it measured. */
    return n == 1 || !(tokens_per_ns > 0) ? list[0].ns_per_token : 1 / tokens_per_ns;
}

void steti_share_take(struct steti_share *s, uint64_t tokens)
{
    s->tokens = s->tokens + tokens >= tokens ? s->tokens + tokens : UINT64_MAX;
}

void steti_share_give(struct steti_share *s, uint64_t tokens)
{
    s->tokens -= tokens < s->tokens ? tokens : s->tokens;
}
