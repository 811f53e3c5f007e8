/* Splits any bytes in every mode and checks the laws of sentences.h and offsets.h. */
#include <stddef.h>
#include <stdint.h>

#include "offsets.h"
#include "sentences.h"
#include "stet.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok)
{
    if (!ok) {
        __builtin_trap();
    }
}

static int is_blank(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t cp;
        int k = steti_utf8_decode(s + i, n - i, &cp);
        if (k < 0 || !steti_cp_is_space(cp)) {
            return 0;
        }
        i += (size_t)k;
    }
    return 1;
}

static size_t check_split(const char *text, size_t len, enum steti_split mode)
{
    struct steti_spans s = {0};
    size_t pos = 0, n;
    require(steti_sentences_split(text, len, mode, &s, NULL) == STET_OK);
    for (size_t i = 0; i < s.len; i++) {
        require(pos <= s.data[i].begin && s.data[i].begin < s.data[i].end && s.data[i].end <= len);
        require(is_blank(text + pos, s.data[i].begin - pos));
        pos = s.data[i].end;
    }
    require(is_blank(text + pos, len - pos));
    n = s.len;
    steti_spans_free(&s);
    return n;
}

static void check_cuts(const char *text, size_t len)
{
    for (int mode = STETI_SPLIT_LINES; mode <= STETI_SPLIT_WRAPPED; mode++) {
        enum steti_split m = (enum steti_split)mode;
        size_t cut = steti_sentences_safe_cut(text, len / 2, m);
        require(cut <= len / 2);
        require(check_split(text, cut, m) + check_split(text + cut, len - cut, m) ==
                check_split(text, len, m));
    }
    for (size_t target = 0; len >= 8 && target < len; target += 1 + len / 16) {
        size_t cut = steti_sentences_hard_cut(text, len, target);
        require(cut >= 1 && cut < len);
    }
}

static void check_offsets(const char *text, size_t len)
{
    struct steti_offset_cursor wide, points;
    steti_offset_cursor_init(&wide, text, len, STET_UNIT_UTF16);
    steti_offset_cursor_init(&points, text, len, STET_UNIT_CODEPOINT);
    for (size_t i = 0; i < len; i += 3) {
        uint64_t a = steti_offset_at(&wide, i), b = steti_offset_at(&points, i);
        require(b <= a && a <= i);
    }
    require(steti_offset_at(&wide, len) == steti_utf8_count_utf16(text, len));
    require(steti_offset_at(&points, len) == steti_utf8_count(text, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    check_split(text, size, STETI_SPLIT_NONE);
    check_cuts(text, size);
    check_offsets(text, size);
    return 0;
}
