#!/bin/sh
# Reads the log of `cargo test` in file $1, and prints a line for each test that failed or was skipped: result, test and
# reason, with tabs between; and a last one with the number of those that passed. For `.ci/run` and scripts/matrix.sh.
#
# A test that is skipped for want of something says so, and counts as passed to the harness (skip in tests/common/mod.rs).
set -eu

awk -v OFS='\t' '
    # The name of the test program makes the name of the test unique.
    /^ +Running / { program = $0; sub(/^ +Running (unittests )?/, "", program); sub(/ \(.*/, "", program) }
    /^ +Doc-tests / { program = "doc-tests " $2 }
    match($0, /[^ ]+: skipped: .*/) {
        line = substr($0, RSTART)
        name = line; sub(/: skipped: .*/, "", name)
        sub(/^[^ ]+: skipped: /, "", line)
        # It counts as passed to the harness.
        if (!seen[program, name]++) { n--; print "skipped", program " " name, line }
    }
    /^test .* \.\.\. .*ignored/ {
        name = $0; sub(/^test /, "", name); sub(/ \.\.\. .*/, "", name)
        reason = $0
        if (!sub(/.*ignored, /, "", reason)) reason = "ignored"
        # Neither examples in the documentation that are not meant to be compiled, nor what other tests start.
        if (program !~ /^doc-tests/ && reason !~ /is run by (an)?(the )?other test/) print "skipped", program " " name, reason
    }
    /^test .*FAILED$/ { name = $0; sub(/^test /, "", name); sub(/ \.\.\. .*/, "", name); print "failed", program " " name, "" }
    /^test result: / { for (i = 2; i <= NF; i++) if ($i == "passed;") n += $(i - 1) }
    # A test program that died has no results.
    /process didn.t exit successfully/ && /signal/ { print "failed", program, $0 }
    END { print "passed", n + 0, "" }' "$1"
