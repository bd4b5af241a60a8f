"""What a result file says beside its numbers, so that they can be judged and repeated."""

import datetime
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_info

from lstm_lib.files import write_atomically

RESULTS = Path(__file__).resolve().parent / "results"


def cpu_model():
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(x.partition(":")[2].strip() for x in lines if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def circumstances(command):
    """Machine, versions, libraries and date, as a dict."""
    np.dot(np.ones((2, 2)), np.ones((2, 2)))  # so that BLAS is loaded and listed
    blas = {
        f"{pool['internal_api']} {pool['version']} ({pool.get('architecture', 'unknown')})"
        for pool in threadpool_info()
        if pool["user_api"] == "blas"
    }
    usable = getattr(os, "sched_getaffinity", None)
    return {
        "command": command,
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "machine": {
            "cpu": cpu_model(),
            "cores": len(usable(0)) if usable else os.cpu_count(),
            "system": f"{platform.system()} {platform.machine()}",
            "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        },
        "versions": {
            "python": platform.python_version(),
            "numpy": version("numpy"),
            "torch": version("torch"),
            "blas of numpy": ", ".join(sorted(blas)),
            "vector code of torch": torch.backends.cpu.get_cpu_capability(),
        },
        "busy": round(os.getloadavg()[0], 2),
    }


def write(folder, suite, rows, facts):
    """Write the results of a suite into ``folder/suite.json`` and return the path."""
    path = Path(folder) / f"{suite}.json"
    text = json.dumps({"suite": suite, **facts, "rows": rows}, indent=1, ensure_ascii=False) + "\n"
    write_atomically(path, text.encode("utf-8"))
    return path
