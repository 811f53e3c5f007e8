/* cuda_verdict.cu - what a pass said, and where the next draft begins: one warp for every sentence.
 *
 * A sentence's state is a few words that all lanes load and change alike; lane 0 writes them back.
 * It is read once from memory and once more from the cache, so shared memory would save nothing. */
#include "cuda_kernels.h"
#include "dev.h"
#include "dev_loop.h"

#define NONE (-0x7fffffff) /* less than any negated position */

/* ---- Pieces and words ------------------------------------------------------------------------ */

#define PIECE_WORD 1u
#define PIECE_ALNUM 2u
#define SHORT_PIECE 3
#define REACH_INNER 2
#define REACH_WORD 6

struct reader {
    const struct steti_cuda_verdict_args *a;
    const struct steti_cuda_loop_head *head;
    const int32_t *text;
    int n_text, lane;
};

DEV_FN uint32_t piece_of(const struct reader *r, int32_t id)
{
    uint32_t unknown = PIECE_WORD | PIECE_ALNUM | (SHORT_PIECE + 1) << 8;
    int known = r->a->pieces != 0 && id >= 0 && id < r->a->n_pieces;
    return known ? r->a->pieces[id] : unknown;
}

DEV_FN int piece_length(uint32_t piece)
{
    return (int)(piece >> 8 & 0xff);
}

/* The first position from `at` on that begins a word, or n_text. */
DEV_FN int next_word(const struct reader *r, int at)
{
    int first = r->n_text;
    for (int base = at; base < r->n_text && first == r->n_text; base += DEV_WARP) {
        int i = base + r->lane;
        int is_word = i < r->n_text && piece_of(r, r->text[i]) & PIECE_WORD;
        first = -DEV_MAX_INT(is_word ? -i : -r->n_text);
    }
    return first;
}

/* Whether `piece`, which is not what the text has at `at`, stands before the text's word there and
 * not for it. The rest of the word is read as far as it decides. */
DEV_FN int looks_inserted(const struct reader *r, int at, uint32_t piece)
{
    uint32_t source = piece_of(r, r->text[at]), first = source >> 16;
    int length = piece_length(source);
    if ((piece ^ source) & PIECE_ALNUM) {
        return !(piece & PIECE_ALNUM);
    }
    if (!(piece & PIECE_ALNUM) || piece_length(piece) > SHORT_PIECE) {
        return 0;
    }
    for (int i = at + 1; i < r->n_text && (length <= piece_length(piece) || first == 0); i++) {
        uint32_t next = piece_of(r, r->text[i]);
        if (next & PIECE_WORD) {
            break;
        }
        length += piece_length(next);
        first = first != 0 ? first : next >> 16;
    }
    return piece >> 16 != first && length > piece_length(piece);
}

/* Where the output should go on after it has `id` where the text has position `at`. */
DEV_FN int expected_after(const struct reader *r, int at, int32_t id)
{
    uint32_t piece = piece_of(r, id), source;
    int stays;
    if (at >= r->n_text || r->text[at] == id) {
        return dev_least(at + 1, r->n_text);
    }
    source = piece_of(r, r->text[at]);
    stays = (piece ^ source) & PIECE_WORD ? !(piece & PIECE_WORD) : looks_inserted(r, at, piece);
    return stays ? at : next_word(r, at + 1);
}

/* ---- Where the next draft begins ------------------------------------------------------------- */

/* How many of the output's last tokens stand before position `end` of the text, 0 .. `most`. */
DEV_FN int suffix_at(const struct reader *r, const struct steti_cuda_loop_now *s, int end, int most)
{
    int n = 0;
    DEV_UNROLL
    for (int k = 0; k < STETI_CUDA_LOOP_TAIL; k++) {
        n += n == k && k < most && k < end && r->text[end - 1 - k] == s->tail[k];
    }
    return n;
}

/* Behind the shortest of the last 1 .. 3 tokens that the text has exactly once; -1: none is. */
DEV_FN int unique_suffix(const struct reader *r, const struct steti_cuda_loop_now *s)
{
    int most = dev_least(s->n_out, 3), low[3] = {NONE, NONE, NONE}, high[3] = {-1, -1, -1};
    for (int end = 1 + r->lane; end <= r->n_text; end += DEV_WARP) {
        int n = suffix_at(r, s, end, most);
        DEV_UNROLL
        for (int k = 0; k < 3; k++) {
            low[k] = n > k && low[k] == NONE ? -end : low[k];
            high[k] = n > k ? end : high[k];
        }
    }
    DEV_UNROLL
    for (int k = 0; k < 3; k++) {
        int last = DEV_MAX_INT(high[k]), first = -DEV_MAX_INT(low[k]);
        if (last < 0 || last == first) { /* the same for all lanes, as below */
            return last;
        }
    }
    return -1;
}

/* Behind the longest of the last 1 .. 4 tokens that the text has, where that is nearest to the
 * expected position, of two the later; -1: the text has none of them, or one alone too far off. */
DEV_FN int nearest_suffix(const struct reader *r, const struct steti_cuda_loop_now *s)
{
    int most = dev_least(s->n_out, STETI_CUDA_LOOP_TAIL), longest = 0, near = NONE, distance, reach;
    for (int end = 1 + r->lane; end <= r->n_text; end += DEV_WARP) {
        int n = suffix_at(r, s, end, most), off = end - s->expected;
        int key = off < 0 ? 2 * off - 1 : -2 * off;
        near = n > longest || (n == longest && key > near) ? key : near;
        longest = n > longest ? n : longest;
    }
    most = DEV_MAX_INT(longest);
    near = DEV_MAX_INT(longest == most ? near : NONE);
    distance = -near / 2;
    reach = piece_of(r, s->tail[0]) & PIECE_WORD ? REACH_WORD : REACH_INNER;
    if (most == 0 || (most == 1 && distance > reach)) {
        return -1;
    }
    return -near % 2 != 0 ? s->expected - distance : s->expected + distance;
}

DEV_FN int is_end(const struct steti_cuda_loop_head *head, int32_t id)
{
    int found = 0;
    for (int i = 0; i < head->n_ends; i++) {
        found |= head->ends[i] == id;
    }
    return found;
}

/* Tokens from `from` on that may be drafted. */
DEV_FN int draftable_from(const struct reader *r, int from, int has_ends)
{
    int first = r->n_text;
    for (int base = from; has_ends && base < r->n_text && first == r->n_text; base += DEV_WARP) {
        int i = base + r->lane;
        first = -DEV_MAX_INT(i < r->n_text && is_end(r->head, r->text[i]) ? -i : -r->n_text);
    }
    return first - from;
}

/* The pass matched `matched` of the draft and ended with token tail[0] of the model's own. */
DEV_FN void resume(const struct reader *r, struct steti_cuda_loop_now *s, int has_ends, int matched)
{
    int match = -1;
    s->after_miss = matched < s->proposed;
    if (r->head->policy == STETI_CUDA_LOOP_SAD) {
        match = unique_suffix(r, s);
    } else if (r->head->policy == STETI_CUDA_LOOP_EDIT) {
        int at = s->proposed == 0 ? s->expected : s->from + matched;
        s->expected = expected_after(r, at, s->tail[0]);
        match = nearest_suffix(r, s);
    }
    s->found = match >= 0 && match < r->n_text;
    s->from = s->found ? match : -1;
    if (!s->found && r->head->policy == STETI_CUDA_LOOP_EDIT && s->expected < r->n_text) {
        s->from = s->expected;
    }
    s->draftable = s->from < 0 ? 0 : draftable_from(r, s->from, has_ends);
}

/* ---- The verdict ----------------------------------------------------------------------------- */

DEV_FN int state_of(const struct steti_cuda_loop_head *head, const struct steti_cuda_best *b)
{
    if (b->nan) {
        return STETI_CUDA_LOOP_NAN;
    }
    if (!(b->value > -dev_float(DEV_INFINITY_BITS))) {
        return STETI_CUDA_LOOP_NO_TOKEN;
    }
    return is_end(head, b->id) ? STETI_CUDA_LOOP_ENDED : STETI_CUDA_LOOP_RUNNING;
}

/* The first drafted token that the rows do not agree with, or how many there are. A row without an
 * answer agrees with nothing. */
DEV_FN int longest_match(const struct steti_cuda_loop_now *s, const struct steti_cuda_best *best,
                         const int32_t *draft, int lane)
{
    int first = s->drafted;
    for (int base = 0; base < s->drafted && first == s->drafted; base += DEV_WARP) {
        int i = base + lane, is_wrong = 0;
        if (i < s->drafted) {
            struct steti_cuda_best b = best[i];
            is_wrong = b.nan || !(b.value > -dev_float(DEV_INFINITY_BITS)) || b.id != draft[i];
        }
        first = -DEV_MAX_INT(is_wrong ? -i : -s->drafted);
    }
    return first;
}

DEV_FN void append_tail(struct steti_cuda_loop_now *s, const struct steti_cuda_best *best, int n)
{
    for (int i = n > STETI_CUDA_LOOP_TAIL ? n - STETI_CUDA_LOOP_TAIL : 0; i < n; i++) {
        DEV_UNROLL
        for (int k = STETI_CUDA_LOOP_TAIL - 1; k > 0; k--) {
            s->tail[k] = s->tail[k - 1];
        }
        s->tail[0] = best[i].id;
    }
}

/* Writes the first n tokens to the output, and the sums of n_sums rows. */
DEV_FN void write_out(int32_t *base, const struct steti_cuda_loop_seq *s,
                      const struct steti_cuda_best *best, int n, int n_sums, int lane)
{
    int32_t *out = base + s->out + s->now.n_new;
    float *sum = (float *)(void *)(base + s->sum) + s->now.n_new;
    for (int i = lane; i < n_sums; i += DEV_WARP) {
        sum[i] = best[i].sum;
        if (i < n) {
            out[i] = best[i].id;
        }
    }
}

/* Writes down what a pass was, and what the sentence is behind it. */
DEV_FN void write_state(int32_t *base, struct steti_cuda_loop_seq *s,
                        const struct steti_cuda_loop_now *now, int matched)
{
    struct steti_cuda_loop_pass *pass = (struct steti_cuda_loop_pass *)(void *)(base + s->pass);
    pass[now->n_passes].drafted = now->drafted;
    pass[now->n_passes].matched = matched;
    s->now = *now;
    s->now.n_passes++;
}

DEV_FN void judge(const struct steti_cuda_verdict_args *a, struct steti_cuda_loop_seq *s, int lane)
{
    struct steti_cuda_loop_now now = s->now;
    struct reader r = {a, dev_loop_head(a->base), a->base + s->text, s->n_text, lane};
    const struct steti_cuda_best *best = a->best + now.row;
    int matched = longest_match(&now, best, r.text + (now.from > 0 ? now.from : 0), lane);
    int state = state_of(r.head, &best[matched]), n = matched + (state == STETI_CUDA_LOOP_RUNNING);
    write_out(a->base, s, best, n, n + (state == STETI_CUDA_LOOP_ENDED), lane);
    append_tail(&now, best, n);
    now.n_out += n;
    now.n_new += n;
    now.state = state;
    if (state == STETI_CUDA_LOOP_RUNNING && now.n_out >= s->most_out) {
        now.state = STETI_CUDA_LOOP_FULL;
    }
    if (now.state == STETI_CUDA_LOOP_RUNNING) {
        resume(&r, &now, s->has_ends, matched);
    }
    DEV_SYNC_WARP(); /* all lanes have read what the first one changes */
    if (lane == 0) {
        write_state(a->base, s, &now, matched);
    }
}

/* A warp for every sentence. Block 0 also counts the pass. */
DEV_KERNEL DEV_THREADS(128) steti_cuda_verdict(struct steti_cuda_verdict_args a)
{
    struct steti_cuda_loop_head *head = dev_loop_head(a.base);
    int lane = dev_thread() % DEV_WARP;
    int i = (dev_block_x() * dev_n_threads() + dev_thread()) / DEV_WARP;
    if (head->n_rows != STETI_CUDA_LOOP_OVER && i < head->n_seqs) { /* the same for a warp */
        struct steti_cuda_loop_seq *s = dev_loop_seqs(a.base) + i;
        if (s->now.state == STETI_CUDA_LOOP_RUNNING) {
            judge(&a, s, lane);
        }
        if (i == 0 && lane == 0) {
            head->n_passes++;
        }
    }
}
