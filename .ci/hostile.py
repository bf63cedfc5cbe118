#!/usr/bin/env python3
"""Runs `info`, `plot` and `tsmap` on files that try to break the process, and `info` under valgrind if it is wanted.

    hostile.py PROGRAM FOLDER [--valgrind] [--log FILE]

FOLDER is ../shared/cases/safety: its make_compressed.py (numpy, astropy) makes the compressed maps, the FITS files that
lie beside it are tried as they are. Each run must end by itself with exit code 0, 1 or 2 below 2 GB of memory, without
a panic; valgrind must report nothing. Prints one row per command and one per failure; exit code 1 where one fails.
"""

import argparse
import collections
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MOST_MEMORY_KB = 2_000_000
LIMIT_S = 120
FOUND_BY_VALGRIND = 99


def run(command, log):
    """Exit code (negative: a signal, None: too slow), peak memory in kB, what it said."""
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said, stdin=subprocess.DEVNULL)
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                child.returncode = code = os.waitstatus_to_exitcode(status)
                break
            if time.monotonic() - began > LIMIT_S:
                child.kill()
                _, _, usage = os.wait4(child.pid, 0)
                child.returncode, code = -9, None
                break
            time.sleep(0.005)
        said.seek(0)
        text = said.read().decode(errors="replace")
    print(f"{' '.join(map(str, command))}\n  {code}, {usage.ru_maxrss} kB, {time.monotonic() - began:.1f} s\n{text}", file=log)
    return code, usage.ru_maxrss, text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--valgrind", action="store_true", help="run info under valgrind instead (minutes)")
    parser.add_argument("--log", type=argparse.FileType("w"), default=open(os.devnull, "w"))
    args = parser.parse_args()
    program = args.program.resolve()
    bad = []
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch, "made")
        subprocess.run([sys.executable, args.folder / "make_compressed.py", made], check=True, stdout=subprocess.DEVNULL)
        files = sorted(made.glob("*.fits")) + sorted(args.folder.glob("*.fits"))
        commands = {
            "info": lambda file: [program, "info", file],
            "plot": lambda file: [program, "plot", file, "-o", Path(scratch, "out.png"), "--overwrite"],
            "tsmap": lambda file: [program, "tsmap", file, "-o", Path(scratch, "out.fits"), "--overwrite"],
        }
        if args.valgrind:
            prefix = ["valgrind", "-q", f"--error-exitcode={FOUND_BY_VALGRIND}"]
            commands = {"info under valgrind": lambda file: [*prefix, program, "info", file]}
        for name, command in commands.items():
            codes, most, reports = collections.Counter(), (0, ""), 0
            for file in files:
                code, memory, text = run(command(file), args.log)
                codes["too slow" if code is None else code] += 1
                most = max(most, (memory, file.name))
                found = args.valgrind and (code == FOUND_BY_VALGRIND or "==" in text)
                reports += bool(found)
                # Under valgrind it is the memory of both.
                much = memory > MOST_MEMORY_KB and not args.valgrind
                if code not in (0, 1, 2) or "panicked" in text or found or much:
                    bad.append(f"{name} {file.name}: exit code {code}, {memory / 1e3:.0f} MB: {text[:300]}")
            ends = ", ".join(f"{code}: {number}" for code, number in sorted(codes.items(), key=str))
            found = f", {reports} reports" if args.valgrind else ""
            print(f"{name}: {len(files)} files; exit codes {ends}{found}; at most {most[0] / 1e3:.0f} MB ({most[1]})")
    print("\n".join(bad) if bad else "all as they should be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
