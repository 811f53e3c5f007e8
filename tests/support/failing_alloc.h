// failing_alloc.h - every allocation of a call fails once: those of the library, and those of
// jansson, which allocates by itself.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>

#include <jansson.h>

extern "C" {
#include "alloc.h"
}

#include <gtest/gtest.h>

namespace stet_test
{

struct Jansson {
    uint64_t calls = 0, fail_at = 0, live = 0;
    bool sticky = false;
};

inline Jansson &jansson()
{
    static Jansson j;
    return j;
}

inline void route_jansson()
{
    json_set_alloc_funcs(
        [](size_t n) -> void * {
            Jansson &j = jansson();
            uint64_t call = ++j.calls;
            // jansson 2.14 asserts when the buffer of a token (32, 64, ... bytes) cannot grow.
            bool is_buffer = n >= 32 && (n & (n - 1)) == 0;
            if (!is_buffer && j.fail_at != 0 &&
                (call == j.fail_at || (j.sticky && call > j.fail_at))) {
                return nullptr;
            }
            void *p = std::malloc(n);
            j.live += p != nullptr;
            return p;
        },
        [](void *p) {
            jansson().live -= p != nullptr;
            std::free(p);
        });
}

inline uint64_t live_blocks()
{
    steti_alloc_stats s{};
    steti_alloc_get_stats(&s);
    return s.live_count + jansson().live;
}

using Call = std::function<stet_status()>;

// The nth allocation of the library fails, for n = 1, 2, ... until `call` succeeds: every failure
// is STET_E_NOMEM.
inline void fail_own_allocations(const char *what, const Call &call, bool sticky, uint64_t before)
{
    for (uint64_t n = 1;; n++) {
        steti_alloc_fail_nth(n, sticky);
        stet_status st = call();
        steti_alloc_fail_nth(0, 0);
        ASSERT_EQ(live_blocks(), before) << what << ": allocation " << n << " leaks";
        if (st == STET_OK) {
            std::printf("%s: %llu allocations\n", what, static_cast<unsigned long long>(n - 1));
            return;
        }
        ASSERT_EQ(st, STET_E_NOMEM) << what << ": allocation " << n;
    }
}

// The same for jansson, which reports some of its failures as invalid text: any error will do, but
// no crash and no leak. A failure that jansson itself can do without may also go unnoticed.
inline void fail_jansson_allocations(const char *what, const Call &call, bool sticky,
                                     uint64_t before)
{
    uint64_t first = jansson().calls, failed = 0, tried = 0;
    call();
    uint64_t total = jansson().calls - first;
    // All of the first fifty, then fewer and fewer: a header makes thousands.
    for (uint64_t n = 1; n <= total; n += 1 + n / 50, tried++) {
        jansson().sticky = sticky;
        jansson().fail_at = jansson().calls + n;
        failed += call() != STET_OK;
        jansson().fail_at = 0;
        ASSERT_EQ(live_blocks(), before) << what << ": jansson's allocation " << n << " leaks";
    }
    EXPECT_GE(2 * failed, tried) << what << ": failures without a status";
}

// `call` does its work, cleans up after itself and returns its status.
inline void fail_every_allocation(const char *what, const Call &call)
{
    route_jansson();
    ASSERT_EQ(call(), STET_OK) << what;
    uint64_t before = live_blocks();
    for (bool sticky : {false, true}) {
        fail_own_allocations(what, call, sticky, before);
        fail_jansson_allocations(what, call, sticky, before);
        ASSERT_EQ(call(), STET_OK) << what << " afterwards";
    }
}

} // namespace stet_test
