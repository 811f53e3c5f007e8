// failing_alloc.h - every allocation of a call fails once: those of the library, and those of
// jansson, which allocates by itself.
#pragma once

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
            if (j.fail_at != 0 && (call == j.fail_at || (j.sticky && call > j.fail_at))) {
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

// `call` does its work, cleans up after itself and returns its status. Calls it with the nth
// allocation failing, for n = 1, 2, ... until it succeeds; every failure must be STET_E_NOMEM and
// leave nothing behind.
inline void fail_every_allocation(const char *what, const std::function<stet_status()> &call)
{
    route_jansson();
    ASSERT_EQ(call(), STET_OK) << what;
    uint64_t before = live_blocks();
    for (int mode = 0; mode < 4; mode++) {
        bool sticky = mode % 2 != 0, in_jansson = mode >= 2;
        uint64_t n = 1;
        for (;; n++) {
            jansson().sticky = sticky;
            jansson().fail_at = in_jansson ? jansson().calls + n : 0;
            steti_alloc_fail_nth(in_jansson ? 0 : n, sticky);
            stet_status st = call();
            steti_alloc_fail_nth(0, 0);
            jansson().fail_at = 0;
            ASSERT_EQ(live_blocks(), before)
                << what << ": allocation " << n << " mode " << mode << " leaks";
            if (st == STET_OK) {
                break;
            }
            ASSERT_EQ(st, STET_E_NOMEM) << what << ": allocation " << n << " mode " << mode;
        }
        std::printf("%s: %llu %s allocations%s\n", what, static_cast<unsigned long long>(n - 1),
                    in_jansson ? "jansson" : "own", sticky ? ", all after it too" : "");
        ASSERT_EQ(call(), STET_OK) << what << " afterwards";
    }
}

} // namespace stet_test
