"""One run that measures this package beside its peers and beside hand-written SQLite.

    python -m benchmarks [--rounds N] [--only 1,7] [--json FILE]

    goals.py        what is measured, whom it is compared with, and which ratio is asked for
    work.py         the functions that are made durable
    large.py        those that are given or read a hundred megabytes, or reach hundreds of others
    contestants.py  one small class each: ourselves, the floors, joblib, diskcache, marimo, dask, DBOS
    child.py        a process that holds one contestant and does what it is asked
    run.py          starts the processes and asks them in shuffled turns
    table.py        medians, ratios, and which goals are met

Every contestant lives in a process of its own, so that none pays for another's threads, imports or hooks; all live at
once and one is asked at a time. Absolute figures mean nothing beyond their run: quote ratios.
"""
