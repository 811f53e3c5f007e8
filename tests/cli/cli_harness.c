/* The command line with the stand-in library. STET_TEST_FAIL_NTH=n makes the nth allocation
 * fail, and reports on standard error how many there were and how many blocks were left. */
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "cli_main.h"

int main(int argc, char **argv)
{
    const char *nth = getenv("STET_TEST_FAIL_NTH");
    struct steti_alloc_stats stats;
    int code;
    if (nth != NULL) {
        steti_alloc_fail_nth(strtoull(nth, NULL, 10), 0);
    }
    code = steti_cli_main(argc, argv);
    if (nth != NULL) {
        steti_alloc_get_stats(&stats);
        fprintf(stderr, "allocations %llu left %llu\n", (unsigned long long)stats.calls,
                (unsigned long long)stats.live_count);
    }
    return code;
}
