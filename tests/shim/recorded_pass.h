// recorded_pass.h - a pass with every op that a recording may have, over buffers that show all that
// it writes; called op by op, or recorded and replayed.
#ifndef RECORDED_PASS_H
#define RECORDED_PASS_H

#include <climits>

#include "tuned_backend.h"

struct RecordedPass {
    static constexpr int kDim = 64, kHeads = 2, kVocab = 300, kKeys = 12, kMemory = 200;
    static constexpr int kBias = 2 * kKeys - 1;

    RecordedPass(Backend *backend, int max_rows, steti_dtype type) : be(backend), most(max_rows)
    {
        Rng rng(3);
        size_t rows = static_cast<size_t>(most);
        for (auto *array : {&ids, &pos, &map, &begin, &count, &tail, &tail_count}) {
            array->assign(rows, INT_MIN); // what is beyond the live rows must not be read
        }
        be->Reserve(most, kDim, 2 * kKeys);
        table = be->Pack(rng.Floats(kVocab * kDim), kVocab, kDim, type);
        for (steti_matrix *&m : w) {
            m = be->Pack(rng.Floats(kDim * kDim), kDim, kDim, type);
        }
        positions = be->Up(rng.Floats(kKeys * kDim));
        gamma = be->Up(rng.Floats(kDim));
        beta = be->Up(rng.Floats(kDim));
        bias = be->Up(rng.Floats(kHeads * kBias));
        for (float **p : {&x, &y, &q, &a}) {
            first.emplace_back(rows * kDim, 77.0f);
            *p = be->Up(first.back());
        }
        for (float **p : {&k, &v, &copied}) {
            first.push_back(rng.Floats(p == &copied ? kDim : kMemory * kDim));
            *p = be->Up(first.back());
        }
        Reset();
    }

    std::vector<float *> Buffers() const
    {
        return {x, y, q, a, k, v, copied};
    }

    // Everything that the pass writes becomes what it was at first.
    void Reset()
    {
        for (size_t i = 0; i < first.size(); i++) {
            EXPECT_EQ(be->ops->upload(be->b, Buffers()[i], first[i].data(),
                                      first[i].size() * sizeof(float), &be->err),
                      STET_OK);
        }
        out_id.assign(static_cast<size_t>(most), -7);
        out_logprob.assign(static_cast<size_t>(most), -7.0f);
    }

    // Rows `from` .. `to` - 1 are given numbers that mean something.
    void FillRows(int from, int to, uint32_t seed)
    {
        Rng rng(seed);
        for (int r = from; r < to; r++) {
            ids[r] = rng.Int(kVocab);
            pos[r] = rng.Int(kKeys);
            map[r] = r * 2 % kMemory;
            count[r] = 1 + rng.Int(kKeys - pos[r]);
            begin[r] = rng.Int(kMemory - kKeys);
            tail_count[r] = rng.Int(kKeys - pos[r] - count[r] + 1);
            tail[r] = tail_count[r] > 0 ? rng.Int(kMemory - kKeys) : INT_MIN;
        }
    }

    stet_status Products(int n)
    {
        steti_linear_part parts[3] = {};
        float *outs[3] = {q, k, v};
        for (int i = 0; i < 3; i++) {
            parts[i].w = w[i];
            parts[i].out = outs[i];
            parts[i].ld_out = kDim;
            parts[i].act = i == 0 ? STETI_ACT_GELU : STETI_ACT_NONE;
            parts[i].row_map = i == 0 ? nullptr : map.data();
            parts[i].residual = i == 0 ? x : nullptr;
            parts[i].ld_residual = kDim;
        }
        steti_linear_params p = {n, kDim, y, 3, parts};
        return be->ops->linear(be->b, &p, &be->err);
    }

    stet_status Attend(int n)
    {
        steti_attention_params p = {};
        p.n_rows = n;
        p.n_heads = kHeads;
        p.head_dim = kDim / kHeads;
        p.scale = 0.25f;
        p.q = q;
        p.k = k;
        p.v = v;
        p.out = a;
        p.ld_q = p.ld_kv = p.ld_out = kDim;
        p.key_begin = begin.data();
        p.key_count = count.data();
        p.tail_begin = tail.data();
        p.tail_count = tail_count.data();
        p.bias = bias;
        p.ld_bias = kBias;
        p.bias_zero = kKeys - 1;
        p.query_pos = pos.data();
        return be->ops->attention(be->b, &p, &be->err);
    }

    stet_status Ops(int n)
    {
        steti_embed_params e = {n, kDim, table, ids.data(), pos.data(), positions, 2.0f, x};
        steti_norm_params m = {n, kDim, STETI_NORM_LAYER, 1e-5f, x, nullptr, gamma, beta, y};
        steti_argmax_params g = {n,       kDim,          a,       table,  nullptr, 1.0f, nullptr,
                                 nullptr, out_id.data(), nullptr, nullptr};
        g.logprob = out_logprob.data();
        STETI_TRY(be->ops->embed(be->b, &e, &be->err));
        STETI_TRY(be->ops->norm(be->b, &m, &be->err));
        STETI_TRY(Products(n));
        STETI_TRY(Attend(n));
        STETI_TRY(be->ops->copy(be->b, copied, k, kDim * sizeof(float), &be->err));
        return be->ops->argmax(be->b, &g, &be->err);
    }

    stet_status Record()
    {
        stet_status st = be->ops->record_begin(be->b, most, &be->err);
        if (st != STET_OK) {
            return st;
        }
        st = Ops(most);
        stet_status ended = be->ops->record_end(be->b, &recording, &be->err);
        return st != STET_OK ? st : ended;
    }

    stet_status Replay(int n)
    {
        STETI_TRY(be->ops->replay(be->b, recording, n, &be->err));
        return be->ops->sync(be->b, &be->err);
    }

    ~RecordedPass()
    {
        be->ops->free_recording(be->b, recording);
    }

    // All bytes that the pass may have written.
    std::vector<float> Everything()
    {
        std::vector<float> all = out_logprob;
        for (size_t i = 0; i < first.size(); i++) {
            std::vector<float> part = be->Down(Buffers()[i], first[i].size());
            all.insert(all.end(), part.begin(), part.end());
        }
        for (int32_t id : out_id) {
            all.push_back(static_cast<float>(id));
        }
        return all;
    }

    Backend *be;
    int most;
    std::vector<int32_t> ids, pos, map, begin, count, tail, tail_count, out_id;
    std::vector<float> out_logprob;
    steti_matrix *table, *w[3];
    float *positions, *gamma, *beta, *bias;
    float *x, *y, *q, *a, *k, *v, *copied;
    std::vector<std::vector<float>> first; // in the order of Buffers
    steti_recording *recording = nullptr;
};

#endif
