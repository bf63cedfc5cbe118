#!/usr/bin/env python3
"""Golden cases through the command line on every backend, judged by compare_fluxmaps.py of ../shared/tools
(or of PEVATRON_SHARED).

    cases.py PROGRAM FOLDER...

The golden files of some cases hold no exact predicted counts; there they are compared with Gammapy's own, which go
through single precision. So npred and npred_excess may be off by 5e-5 instead of 1e-5, as in tests/estimators/golden.rs.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(os.environ.get("PEVATRON_SHARED", "../shared"), "tools").resolve()))
import run_cases  # noqa: E402

NPRED_LIMIT = 5e-5


def is_noise(name, quantity):
    return name.startswith("npred") and quantity.get("max", 1) <= NPRED_LIMIT and quantity.get("nan_mismatch") == 0


def main(program, *folders):
    bad = 0
    for folder in folders:
        for profile in ["f64", "f32", "gpu"]:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                run_cases.main([folder, "--bin", program, "--profile", profile, "--estimator", "all", "--json"])
            for case in json.loads(out.getvalue()):
                result = case.get("result")
                failures = [case["error"]] if result is None else result["failures"]
                if result is not None:
                    noise = [name for name, q in result["quantities"].items() if is_noise(name, q)]
                    failures = [f for f in failures if f.split(":")[0] not in noise]
                worst = {} if result is None else {k: q.get("max") for k, q in result["quantities"].items()}
                print(f"{case['case']:18s} {profile:4s} {'FAIL' if failures else 'pass'}  {case.get('seconds', 0):6.2f} s  "
                      + ", ".join(f"{k} {worst[k]:.0e}" for k in ["norm", "sqrt_ts", "norm_ul"] if worst.get(k) is not None))
                for failure in failures:
                    print(f"    {failure}")
                bad += bool(failures)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
