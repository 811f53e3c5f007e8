// wrapped_ops.h - the CPU backend with a test in between: ops that fail at a chosen call, or that
// break the contract.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "check.h"
#include "cpu_backend.h"
}

namespace stet_test
{

// The same backend with every op of a pass called one by one, as a test in between needs it.
inline steti_backend_ops without_recordings(steti_backend_ops ops)
{
    ops.record_begin = nullptr;
    ops.record_end = nullptr;
    ops.free_recording = nullptr;
    ops.replay = nullptr;
    ops.loop_open = nullptr; // there are none without recordings
    ops.loop_close = nullptr;
    ops.loop_run = nullptr;
    ops.loop_bytes = nullptr;
    return ops;
}

// ---- A device that fails
// -------------------------------------------------------------------------------

enum class Op {
    open,
    mem_alloc,
    upload,
    pack_matrix,
    reserve,
    embed,
    norm,
    linear,
    attention,
    argmax,
    copy,
    sync,
    count
};

// The call number `at` (1 = the next) of op `op` gives STET_E_DEVICE, and, when sticky, all after
// it of any op.
struct FailingDevice {
    Op op = Op::count;
    int at = 0;
    bool sticky = false;
    bool broken = false; // a sticky failure happened
    int seen[static_cast<int>(Op::count)] = {};
};

inline FailingDevice &failing_device()
{
    static FailingDevice d;
    return d;
}

inline stet_status count_call(Op op, stet_error *err)
{
    FailingDevice &d = failing_device();
    int call = ++d.seen[static_cast<int>(op)];
    if (!d.broken && !(op == d.op && call == d.at)) {
        return STET_OK;
    }
    d.broken = d.broken || d.sticky;
    return steti_fail(err, STET_E_DEVICE, "test device: call %d of op %d", call,
                      static_cast<int>(op));
}

inline const steti_backend_ops *failing_ops()
{
    static const steti_backend_ops *cpu = steti_cpu_backend();
    static steti_backend_ops ops = without_recordings(*cpu);
    ops.open = [](const steti_backend_options *o, steti_backend **out, stet_error *err) {
        *out = nullptr;
        stet_status st = count_call(Op::open, err);
        return st != STET_OK ? st : cpu->open(o, out, err);
    };
    ops.mem_alloc = [](steti_backend *b, size_t n, void **out, stet_error *err) {
        stet_status st = count_call(Op::mem_alloc, err);
        return st != STET_OK ? st : cpu->mem_alloc(b, n, out, err);
    };
    ops.upload = [](steti_backend *b, void *dst, const void *src, size_t n, stet_error *err) {
        stet_status st = count_call(Op::upload, err);
        return st != STET_OK ? st : cpu->upload(b, dst, src, n, err);
    };
    ops.pack_matrix = [](steti_backend *b, const steti_tensor *src, const steti_tensor *scale,
                         enum steti_dtype compute, steti_matrix **out, stet_error *err) {
        stet_status st = count_call(Op::pack_matrix, err);
        return st != STET_OK ? st : cpu->pack_matrix(b, src, scale, compute, out, err);
    };
    ops.reserve = [](steti_backend *b, int rows, int in, int keys, stet_error *err) {
        stet_status st = count_call(Op::reserve, err);
        return st != STET_OK ? st : cpu->reserve(b, rows, in, keys, err);
    };
    ops.embed = [](steti_backend *b, const steti_embed_params *p, stet_error *err) {
        stet_status st = count_call(Op::embed, err);
        return st != STET_OK ? st : cpu->embed(b, p, err);
    };
    ops.norm = [](steti_backend *b, const steti_norm_params *p, stet_error *err) {
        stet_status st = count_call(Op::norm, err);
        return st != STET_OK ? st : cpu->norm(b, p, err);
    };
    ops.linear = [](steti_backend *b, const steti_linear_params *p, stet_error *err) {
        stet_status st = count_call(Op::linear, err);
        return st != STET_OK ? st : cpu->linear(b, p, err);
    };
    ops.attention = [](steti_backend *b, const steti_attention_params *p, stet_error *err) {
        stet_status st = count_call(Op::attention, err);
        return st != STET_OK ? st : cpu->attention(b, p, err);
    };
    ops.argmax = [](steti_backend *b, const steti_argmax_params *p, stet_error *err) {
        stet_status st = count_call(Op::argmax, err);
        return st != STET_OK ? st : cpu->argmax(b, p, err);
    };
    ops.copy = [](steti_backend *b, void *dst, const void *src, size_t n, stet_error *err) {
        stet_status st = count_call(Op::copy, err);
        return st != STET_OK ? st : cpu->copy(b, dst, src, n, err);
    };
    ops.sync = [](steti_backend *b, stet_error *err) {
        stet_status st = count_call(Op::sync, err);
        return st != STET_OK ? st : cpu->sync(b, err);
    };
    return &ops;
}

// ---- A backend that breaks the contract
// ----------------------------------------------------------------

// Results that depend on the number of rows, as with kernels that sum in another order for wider
// calls; on where a row's keys stand (tail_ulp); and copies that are not what they should be.
enum class Breach {
    none,
    linear_ulp,
    attention_ulp,
    embed_ulp,
    norm_ulp,
    argmax_flip,
    argmax_logprob,
    tail_ulp,
    tail_short,
    copy_ulp,
    copy_nothing
};

inline Breach &breach()
{
    static Breach b = Breach::none;
    return b;
}

inline void add_ulp(float *x)
{
    *x = std::nextafterf(*x, INFINITY);
}

inline const steti_backend_ops *breaching_ops()
{
    static const steti_backend_ops *cpu = steti_cpu_backend();
    static steti_backend_ops ops = without_recordings(*cpu);
    ops.linear = [](steti_backend *b, const steti_linear_params *p, stet_error *err) {
        stet_status st = cpu->linear(b, p, err);
        for (int r = 1; st == STET_OK && breach() == Breach::linear_ulp && r < p->n_rows; r++) {
            const steti_linear_part &part = p->parts[0];
            add_ulp(part.out + (part.row_map != nullptr ? part.row_map[r] : r) * part.ld_out);
        }
        return st;
    };
    ops.attention = [](steti_backend *b, const steti_attention_params *p, stet_error *err) {
        steti_attention_params q = *p;
        std::vector<int32_t> none(static_cast<size_t>(p->n_rows), 0);
        if (breach() == Breach::tail_short && p->tail_count != nullptr) {
            q.tail_count = none.data();
        }
        stet_status st = cpu->attention(b, &q, err);
        for (int r = 1; st == STET_OK && breach() == Breach::attention_ulp && r < p->n_rows; r++) {
            add_ulp(p->out + r * p->ld_out);
        }
        for (int r = 0; st == STET_OK && breach() == Breach::tail_ulp && r < p->n_rows; r++) {
            if (p->tail_count != nullptr && p->tail_count[r] > 0) {
                add_ulp(p->out + r * p->ld_out);
            }
        }
        return st;
    };
    ops.copy = [](steti_backend *b, void *dst, const void *src, size_t n, stet_error *err) {
        bool is_nothing = breach() == Breach::copy_nothing;
        stet_status st = cpu->copy(b, dst, is_nothing ? dst : src, is_nothing ? 0 : n, err);
        if (st == STET_OK && breach() == Breach::copy_ulp && n > 0) {
            add_ulp(static_cast<float *>(dst));
        }
        return st;
    };
    ops.embed = [](steti_backend *b, const steti_embed_params *p, stet_error *err) {
        stet_status st = cpu->embed(b, p, err);
        for (int r = 1; st == STET_OK && breach() == Breach::embed_ulp && r < p->n_rows; r++) {
            add_ulp(p->out + r * p->d);
        }
        return st;
    };
    ops.norm = [](steti_backend *b, const steti_norm_params *p, stet_error *err) {
        stet_status st = cpu->norm(b, p, err);
        for (int r = 1; st == STET_OK && breach() == Breach::norm_ulp && r < p->n_rows; r++) {
            add_ulp(p->out + r * p->d);
        }
        return st;
    };
    ops.argmax = [](steti_backend *b, const steti_argmax_params *p, stet_error *err) {
        stet_status st = cpu->argmax(b, p, err);
        for (int r = 1; st == STET_OK && r < p->n_rows; r++) {
            if (breach() == Breach::argmax_flip && r % 3 == 0) {
                p->id[r] = 3 + (p->id[r] + 1) % 100;
            }
            if (breach() == Breach::argmax_logprob && p->logprob != nullptr) {
                add_ulp(&p->logprob[r]);
            }
        }
        return st;
    };
    return &ops;
}

// ---- A backend that shows all logits
// -------------------------------------------------------------------

// 31 bits in which all bits of a row of logits take part (FNV-1a), as a float that is a number.
inline float hash_of_logits(const float *logits, size_t n)
{
    uint64_t h = 1469598103934665603u;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        std::memcpy(&bits, &logits[i], sizeof bits);
        h = (h ^ bits) * 1099511628211u;
        h ^= h >> 29;
    }
    uint32_t folded = static_cast<uint32_t>(h ^ h >> 32) & 0xBFFFFFFFu; // no NaN, no infinity
    float f;
    std::memcpy(&f, &folded, sizeof f);
    return f;
}

// Instead of its log probability, which is rounded, a token's score is a hash of all logits of its
// row: where scores are equal, complete rows of logits are (but for one chance in 2^31).
inline const steti_backend_ops *hashing_ops()
{
    static const steti_backend_ops *cpu = steti_cpu_backend();
    static steti_backend_ops ops = without_recordings(*cpu);
    ops.argmax = [](steti_backend *b, const steti_argmax_params *p, stet_error *err) {
        auto shape = reinterpret_cast<const steti_matrix_shape *>(p->table);
        size_t vocab = static_cast<size_t>(shape->n_out);
        std::vector<float> logits(static_cast<size_t>(p->n_rows) * vocab);
        steti_argmax_params q = *p;
        q.logits = logits.data();
        stet_status st = cpu->argmax(b, &q, err);
        for (int r = 0; st == STET_OK && p->logprob != nullptr && r < p->n_rows; r++) {
            p->logprob[r] = hash_of_logits(&logits[static_cast<size_t>(r) * vocab], vocab);
        }
        return st;
    };
    return &ops;
}

} // namespace stet_test
