#include "verify.h"

struct steti_verdict steti_verify(const int32_t *draft, int n, const int32_t *predicted,
                                  int32_t eos)
{
    struct steti_verdict v = {0, 0, 0};
    while (v.matched < n && draft[v.matched] == predicted[v.matched] &&
           predicted[v.matched] != eos) {
        v.matched++;
    }
    v.emitted = v.matched + 1;
    v.finished = predicted[v.matched] == eos;
    return v;
}
