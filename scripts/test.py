#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Install what is missing, build, run the tests, and say in one closing line how they ended.

usage: scripts/test [--quick] [NAME...]

  NAME...    only these tests, as `meson test` takes them (scripts/test --list shows them)
  --quick    without browsers, other WebRTC implementations, soak tests, floods, benchmarks, sanitizers and fuzzers

Without arguments every test runs: in build/, then, for the C tests, in build-asan/ (address and undefined
behaviour) and build-tsan/ (threads), and in build-fuzz/ each fuzzer for some seconds. Each folder's meson-logs/ tells
all there is to know about a run. The benchmarks are only tried; `meson test -C build --benchmark -v` takes their
measure.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# These start programs that were not built with a sanitizer, check no code at run time, or measure time.
NOT_SANITIZED = ["style", "launch", "browser", "peers", "bench", "soak", "network", "hostile"]
SLOW = ["browser", "peers", "bench", "soak", "hostile"]

# folder's name: what meson builds with, and the set-ups (tests/sanitizers) with what they run
EVERYTHING = [f"--no-suite={suite}" for suite in NOT_SANITIZED]
SANITIZERS = {
    "asan": ("address,undefined", {"asan": EVERYTHING, "leaks": ["--suite=core"]}),
    # The machines, and what tests them, have no thread.
    "tsan": ("thread", {"tsan": [*EVERYTHING, "--no-suite=native"]}),
}

# cases in what a test printed: TAP's, and those of libcheck (GstCheck)
TAP_LINE = re.compile(r"^(?P<result>ok|not ok)\b[^#\n]*(?P<directive>#\s*(?i:skip|todo)\b)?", re.M)
CHECK_LINE = re.compile(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)$", re.M)
FAILED_CASE = re.compile(r"^not ok\b.*(?:\n#.*)*", re.M)  # and what TAP lets a case say behind it
TAP_PLAN = re.compile(r"^1\.\.\d+", re.M)

# Most tests wait for time to pass, and so three of them run at once for each core, or two with a sanitizer. These keep
# a core busy. What has to be alone on the machine says so (is_parallel: false).
BUSY = ["browser"]
CORES = os.cpu_count() or 1
WAITING_AT_ONCE = 3 * CORES
SANITIZED_AT_ONCE = 2 * CORES

LAST_WORDS = 12  # lines of a failed test's output that are repeated at the end


class Count:
    """How many tests passed, failed and were skipped; a test that tells of its cases counts as so many."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def fail(self, why):
        self.failed += 1
        self.failures.append(why)

    def add(self, folder, test):
        """Count one entry of meson's testlog."""
        output, result = test.get("stdout") or "", test["result"]
        passed, failed, skipped = self._cases(output, result)
        if result in ("FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS"):
            failed = max(failed, 1)
        elif result not in ("OK", "SKIP", "EXPECTEDFAIL"):
            failed += 1  # a result that this script does not know is nothing to be proud of
        if failed:
            self.failures.append(f"{folder}: {test['name']} ({result.lower()})")
            self.failures += [f"  {line}" for case in FAILED_CASE.findall(output) for line in case.splitlines()]
            # Whoever reads only the end of a long log sees why.
            said = (output + (test.get("stderr") or "")).splitlines()
            self.failures += [f"  | {line}" for line in said[-LAST_WORDS:]]
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    @staticmethod
    def _cases(output, result):
        check = CHECK_LINE.search(output)
        if check:
            checks, failures, errors = map(int, check.groups())
            return checks - failures - errors, failures + errors, 0
        if TAP_PLAN.search(output):
            cases = TAP_LINE.findall(output)
            skipped = sum(1 for _, directive in cases if "skip" in directive.lower())
            failed = sum(1 for r, directive in cases if r == "not ok" and not directive)
            passed = sum(1 for r, directive in cases if r == "ok" and not directive)
            if cases:
                return passed, failed, skipped + (len(cases) - passed - failed - skipped)
        return int(result == "OK"), 0, int(result in ("SKIP", "EXPECTEDFAIL"))


def run(*command, **kwargs):
    print("+ " + " ".join(map(str, command)), flush=True)
    return subprocess.run(list(map(str, command)), cwd=ROOT, check=False, **kwargs).returncode


def build(folder, *options, targets=(), **environment):
    """Configure (once) and compile. Returns whether that went well."""
    if not (ROOT / folder / "build.ninja").exists():
        if run("meson", "setup", folder, *options, env=os.environ | environment):
            return False
    return run("meson", "compile", "-C", folder, *targets) == 0


def run_meson_tests(folder, count, arguments, at_once=CORES, setup=None, log="testlog", prefix=()):
    """Run a folder's tests and count them. AT_ONCE: how many of those that need not be alone."""
    options = ["--num-processes", at_once, "--logbase", log, *([f"--setup={setup}"] if setup else [])]
    log = ROOT / folder / "meson-logs" / (log + (f"-{setup}" if setup else "") + ".json")
    log.unlink(missing_ok=True)
    run(*prefix, "meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs", *options, *arguments)
    if not log.exists():
        count.fail(f"{folder}: meson found no test to run")
        return
    with open(log, encoding="utf-8") as f:
        for line in f:
            count.add(folder, json.loads(line))


def run_sanitizers(count):
    for name, (sanitizer, setups) in SANITIZERS.items():
        folder = f"build-{name}"
        # gcc's -Db_lundef is about symbols that the sanitizer's runtime brings; examples have no tests. Checks make a
        # program large, and to optimise that takes long.
        options = [f"-Db_sanitize={sanitizer}", "-Db_lundef=false", "-Dexamples=disabled", "-Doptimization=1"]
        if not build(folder, *options, targets=["check-programs"]):
            count.fail(f"{folder}: does not build")
            continue
        # The thread sanitizer of gcc 12 knows nothing of kernels that randomise more than 28 bits of an address.
        prefix = ("setarch", platform.machine(), "--addr-no-randomize") if name == "tsan" else ()
        for setup, selection in setups.items():
            run_meson_tests(folder, count, selection, SANITIZED_AT_ONCE, setup=setup, prefix=prefix)


def run_fuzzers(count):
    if build("build-fuzz", "-Dfuzz=true", "-Db_lundef=false", "-Dexamples=disabled", targets=["fuzzers"], CC="clang"):
        run_meson_tests("build-fuzz", count, ["--suite=fuzz"])
    else:
        count.fail("build-fuzz: does not build")


def parse_arguments():
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, add_help=False)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    if options.help:
        print(__doc__.strip())
        sys.exit(0)
    return options


def run_everything(options, count):
    if run("scripts/setup", "test"):
        count.fail("scripts/setup: could not install what the tests need")
        return
    # The Python peers' interpreter, and the Go that scripts/setup may have had to fetch
    os.environ["PATH"] = f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"
    if not build("build"):
        count.fail("build: does not build")
        return
    if options.list:
        sys.exit(run("meson", "test", "-C", "build", "--no-rebuild", "--list"))

    if options.names:
        run_meson_tests("build", count, options.names)
        return
    left_out = {*BUSY, *SLOW} if options.quick else BUSY
    run_meson_tests("build", count, [f"--no-suite={suite}" for suite in left_out], WAITING_AT_ONCE)
    if not options.quick:
        run_meson_tests("build", count, [f"--suite={suite}" for suite in BUSY], CORES + 1, log="testlog-busy")
        run_sanitizers(count)
        run_fuzzers(count)


def main():
    count = Count()
    run_everything(parse_arguments(), count)
    if count.failures:
        print("\nfailed:\n  " + "\n  ".join(count.failures))
    if not count.passed and not count.failed:
        print("nothing ran")
    print(f"{count.passed} passed, {count.failed} failed, {count.skipped} skipped")
    return 0 if count.passed and not count.failed else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
