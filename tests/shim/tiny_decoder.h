/* tiny_decoder.h - one layer of a decoder with random weights, recorded: what a loop needs, and no
 * model around it. */
#ifndef TINY_DECODER_H
#define TINY_DECODER_H

#include "tuned_backend.h"

class TinyDecoder
{
  public:
    static constexpr int kRows = 32, kDim = 16, kVocab = 13, kSlots = 4, kSlotRows = 40;
    static constexpr int kCross = 6; /* keys of a source */

    explicit TinyDecoder(const steti_cuda_tuning &tuning = steti_cuda_default_tuning)
        : be(OpenTuned(tuning))
    {
        if (be->b != nullptr) {
            MakeWeights();
        }
    }
    TinyDecoder(const TinyDecoder &) = delete;
    TinyDecoder &operator=(const TinyDecoder &) = delete;
    ~TinyDecoder()
    {
        if (be->b != nullptr) {
            be->ops->free_recording(be->b, recording);
        }
    }

    stet_status Record(bool with_scores = true)
    {
        stet_status st = be->ops->record_begin(be->b, kRows, &be->err);
        if (st == STET_OK) {
            stet_error first = be->err;
            st = Ops(kRows, with_scores);
            first = be->err;
            stet_status ended = be->ops->record_end(be->b, &recording, &be->err);
            be->err = st != STET_OK ? first : be->err;
            st = st != STET_OK ? st : ended;
        }
        return st;
    }

    /* Fills row r: token `id` at position `at` of sentence `slot`. */
    void SetRow(int r, int slot, int32_t id, int at)
    {
        ids[r] = id;
        pos[r] = at;
        key_begin[r] = slot * kSlotRows;
        key_count[r] = at + 1;
        row_map[r] = key_begin[r] + at;
        cross_begin[r] = slot * kCross;
        cross_count[r] = kCross;
    }

    /* Places and arrays; the caller fills the rest. */
    void Place(int slot, steti_loop_seq *s)
    {
        s->self_begin = slot * kSlotRows;
        s->cross_begin = slot * kCross;
        s->cross_count = kCross;
    }
    steti_loop_params Params(std::vector<steti_loop_seq> *seqs)
    {
        steti_loop_params p{};
        p.recording = recording;
        p.ids = ids;
        p.pos = pos;
        p.key_begin = key_begin;
        p.key_count = key_count;
        p.row_map = row_map;
        p.cross_begin = cross_begin;
        p.cross_count = cross_count;
        p.window = 100;
        p.budget = kRows;
        p.max_passes = 8;
        p.stop_done = 100;
        p.n_seqs = static_cast<int>(seqs->size());
        p.seqs = seqs->data();
        return p;
    }

    std::unique_ptr<Backend> be;
    steti_recording *recording = nullptr;
    int32_t ids[kRows] = {}, pos[kRows] = {}, key_begin[kRows] = {}, key_count[kRows] = {};
    int32_t row_map[kRows] = {}, cross_begin[kRows] = {}, cross_count[kRows] = {};
    int32_t predicted[kRows] = {};
    float logprob[kRows] = {};

  private:
    void MakeWeights()
    {
        Rng rng(31);
        size_t d = kDim;
        auto floats = [&](size_t n) {
            std::vector<float> all = rng.Floats(n * d);
            for (float &x : all) {
                x *= 3.0f;
            }
            return all;
        };
        table = be->Pack(floats(kVocab), kVocab, kDim, STETI_F32);
        for (steti_matrix *&m : w) {
            m = be->Pack(floats(kDim), kDim, kDim, STETI_F32);
        }
        positions = be->Up(floats(kSlotRows));
        k = be->Up(std::vector<float>(kSlots * kSlotRows * d));
        v = be->Up(std::vector<float>(kSlots * kSlotRows * d));
        source = be->Up(floats(kSlots * kCross));
        for (float *&x : rows) {
            x = be->Up(std::vector<float>(kRows * d));
        }
        be->Reserve(kRows, kDim, kSlotRows);
    }

    steti_linear_part Part(int matrix, float *out, const int32_t *map) const
    {
        steti_linear_part p = {};
        p.w = w[matrix];
        p.out = out;
        p.ld_out = kDim;
        p.row_map = map;
        return p;
    }
    stet_status Attend(int n, float *q, const float *keys, const float *values, bool is_cross)
    {
        steti_attention_params a = {};
        a.n_rows = n;
        a.n_heads = 2;
        a.head_dim = kDim / 2;
        a.kind = is_cross ? STETI_ATTN_CROSS : STETI_ATTN_CAUSAL;
        a.scale = 0.5f;
        a.q = q;
        a.k = keys;
        a.v = values;
        a.ld_q = a.ld_kv = a.ld_out = kDim;
        a.key_begin = is_cross ? cross_begin : key_begin;
        a.key_count = is_cross ? cross_count : key_count;
        a.out = q;
        return be->ops->attention(be->b, &a, &be->err);
    }
    stet_status Ops(int n, bool with_scores)
    {
        float *x = rows[0], *q = rows[1], *y = rows[2];
        steti_embed_params e = {n, kDim, table, ids, pos, positions, 1.0f, x};
        steti_linear_part qkv[3] = {Part(0, q, nullptr), Part(1, k, row_map), Part(2, v, row_map)};
        steti_linear_part last = Part(3, y, nullptr);
        last.residual = x;
        last.ld_residual = kDim;
        steti_linear_params l = {n, kDim, x, 3, qkv}, o = {n, kDim, q, 1, &last};
        steti_argmax_params a = {
            n,      kDim,    y,       table,     nullptr,
            0.2f,   nullptr, nullptr, predicted, with_scores ? logprob : nullptr,
            nullptr};
        stet_status st = be->ops->embed(be->b, &e, &be->err);
        st = st == STET_OK ? be->ops->linear(be->b, &l, &be->err) : st;
        st = st == STET_OK ? Attend(n, q, k, v, false) : st;
        st = st == STET_OK ? Attend(n, q, source, source, true) : st;
        st = st == STET_OK ? be->ops->linear(be->b, &o, &be->err) : st;
        return st == STET_OK ? be->ops->argmax(be->b, &a, &be->err) : st;
    }

    steti_matrix *table = nullptr, *w[4] = {};
    float *positions = nullptr, *k = nullptr, *v = nullptr, *source = nullptr, *rows[3] = {};
};

/* ---- Loops of it ----------------------------------------------------------------------------- */

constexpr int kMostOut = 20, kPasses = 16;
constexpr int32_t kStart[] = {0, 1}, kEnds[] = {5, 7};

inline steti_loop_options Options(steti_loop_draft draft, int n_start = 1)
{
    steti_loop_options o{};
    o.draft = draft;
    o.max_seqs = TinyDecoder::kSlots;
    o.max_text = 20;
    o.max_out = kMostOut;
    o.max_passes = kPasses;
    o.n_start = n_start;
    o.start = kStart;
    o.n_ends = 2;
    o.ends = kEnds;
    return o;
}

/* What a sentence gives. */
struct Output {
    std::vector<int32_t> ids;
    std::vector<float> scores;
    bool ended = false;
};

/* Row by row: the plain way to run a recording. */
inline Output Greedy(TinyDecoder *d, int slot, int n_start, int most = kMostOut)
{
    Output out;
    int32_t last = kStart[0];
    for (int at = 0;; at++) {
        d->SetRow(0, slot, last, at);
        EXPECT_EQ(d->be->ops->replay(d->be->b, d->recording, 1, &d->be->err), STET_OK);
        EXPECT_EQ(d->be->ops->sync(d->be->b, &d->be->err), STET_OK) << d->be->err.message;
        last = at + 1 < n_start ? kStart[at + 1] : d->predicted[0];
        if (at + 1 < n_start) {
            continue;
        }
        out.scores.push_back(d->logprob[0]);
        out.ended = last == kEnds[0] || last == kEnds[1];
        if (out.ended) {
            return out;
        }
        out.ids.push_back(last);
        if (static_cast<int>(out.ids.size()) == most) {
            return out;
        }
    }
}

/* A sentence with its memory. */
struct Sentence {
    std::vector<int32_t> text, out = std::vector<int32_t>(kMostOut);
    std::vector<float> scores = std::vector<float>(kMostOut + 1);
    steti_loop_pass passes[kPasses];
};

struct Sentences {
    Sentences(TinyDecoder *d, const std::vector<std::vector<int32_t>> &texts) : all(texts.size())
    {
        for (size_t i = 0; i < texts.size(); i++) {
            steti_loop_seq s{};
            all[i].text = texts[i];
            s.text = all[i].text.data();
            s.n_text = static_cast<int>(texts[i].size());
            s.most_out = kMostOut;
            s.out = all[i].out.data();
            s.logprob = all[i].scores.data();
            s.passes = all[i].passes;
            d->Place(static_cast<int>(i), &s);
            seqs.push_back(s);
        }
    }
    Output Result(size_t i) const
    {
        bool ended = seqs[i].state == STETI_LOOP_ENDED;
        long n = seqs[i].n_out;
        return {{all[i].out.begin(), all[i].out.begin() + n},
                {all[i].scores.begin(), all[i].scores.begin() + n + ended},
                ended};
    }
    std::vector<Sentence> all;
    std::vector<steti_loop_seq> seqs;
};

#endif
