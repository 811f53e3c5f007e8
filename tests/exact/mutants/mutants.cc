// Mistakes that STET_MUTANT chooses. The linker puts these functions in the place of the real ones
// (--wrap in CMakeLists.txt); the code under test is not compiled in another way.
//
// end_inside_a_draft: the engine also refuses to draft the end of a sentence (slot_pass.c), so only
// the test of the rule itself can see this one.
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "check.h"
#include "cpu_backend.h"
#include "kv_cache.h"
#include "verify.h"

steti_verdict __real_steti_verify(const int32_t *draft, int n, const int32_t *predicted,
                                  int32_t eos);
steti_verdict __wrap_steti_verify(const int32_t *draft, int n, const int32_t *predicted,
                                  int32_t eos);
stet_status __real_steti_kv_adopt(steti_kv_cache *kv, int slot, int side, int at, int n,
                                  stet_error *err);
stet_status __wrap_steti_kv_adopt(steti_kv_cache *kv, int slot, int side, int at, int n,
                                  stet_error *err);
const steti_backend_ops *__real_steti_cpu_backend(void);
const steti_backend_ops *__wrap_steti_cpu_backend(void);
}

namespace
{

bool is_mutant(const char *name)
{
    static const char *chosen = std::getenv("STET_MUTANT");
    return chosen != nullptr && std::strcmp(chosen, name) == 0;
}

stet_status argmax_highest(steti_backend *b, const steti_argmax_params *p, stet_error *err)
{
    auto shape = reinterpret_cast<const steti_matrix_shape *>(p->table);
    size_t vocab = static_cast<size_t>(shape->n_out);
    std::vector<float> logits(static_cast<size_t>(p->n_rows) * vocab);
    steti_argmax_params q = *p;
    q.logits = logits.data();
    stet_status st = __real_steti_cpu_backend()->argmax(b, &q, err);
    for (int r = 0; st == STET_OK && r < p->n_rows; r++) {
        const float *row = &logits[static_cast<size_t>(r) * vocab];
        for (size_t id = 0; id < vocab; id++) {
            p->id[r] = row[id] >= row[p->id[r]] ? static_cast<int32_t>(id) : p->id[r];
        }
    }
    return st;
}

} // namespace

steti_verdict __wrap_steti_verify(const int32_t *draft, int n, const int32_t *predicted,
                                  int32_t eos)
{
    steti_verdict v = __real_steti_verify(draft, n, predicted, eos);
    if (is_mutant("one_token_too_many") && v.matched < n) {
        v.matched++;
    }
    if (is_mutant("end_inside_a_draft")) {
        for (v.matched = 0; v.matched < n && draft[v.matched] == predicted[v.matched];) {
            v.matched++;
        }
    }
    v.emitted = v.matched + 1;
    v.finished = predicted[v.matched] == eos;
    return v;
}

stet_status __wrap_steti_kv_adopt(steti_kv_cache *kv, int slot, int side, int at, int n,
                                  stet_error *err)
{
    return is_mutant("winner_not_adopted") ? STET_OK
                                           : __real_steti_kv_adopt(kv, slot, side, at, n, err);
}

const steti_backend_ops *__wrap_steti_cpu_backend(void)
{
    static const steti_backend_ops highest = [] {
        steti_backend_ops ops = *__real_steti_cpu_backend();
        ops.argmax = argmax_highest;
        return ops;
    }();
    return is_mutant("tie_to_the_highest_id") ? &highest : __real_steti_cpu_backend();
}
