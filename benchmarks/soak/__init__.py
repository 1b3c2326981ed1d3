"""Faults over whole pipelines: processes killed, stopped and run twice, disks that fill up, files cut short.

Whatever happens to `ptde run`, the same command typed again ends with the result of an undisturbed one, bit for bit, or
says in one sentence why not; no file is unreadable, and no status says "running" where nothing runs.

    python -m benchmarks soak --kills 200 --out soak.json     random SIGKILLs over all stages and algorithms
    python -m benchmarks soak --rounds 20                      each other fault so often
    python -m benchmarks soak --minutes 60                     memory, handles and folders of one long training
"""
