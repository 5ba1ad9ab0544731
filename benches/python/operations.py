"""Runs and times the operations with Python's `pid` and `filelock`.

    operations.py CONTENDER hold PATH               holds the file until stdin is closed
    operations.py CONTENDER once OPERATION PATH     runs the operation twice, the second time
                                                    between two marks for strace
    operations.py                                   for each line on stdin, which is
                                                    "CONTENDER OPERATION COUNT PATH", prints the
                                                    mean time of the operation in nanoseconds
"""

import os
import sys
import time

import filelock
import pid

NONEXISTENT_PID = 2**31 - 1
BEGIN, END = "pidlock-benches: begin", "pidlock-benches: end"


def pid_file(path):
    directory, name = os.path.split(path)
    return pid.PidFile(name, piddir=directory)


def pid_cycle(path):
    with pid_file(path):
        pass


def pid_refused(path):
    try:
        pid_file(path).create()
    except pid.PidFileAlreadyLockedError:
        return
    raise AssertionError("must be refused")


def pid_look(path):
    try:
        pid_file(path).check()
    except pid.PidFileAlreadyRunningError as error:
        assert error.pid
        return
    raise AssertionError("must be running")


def pid_hold(path):
    file = pid_file(path)
    file.create()
    return file


def filelock_cycle(path):
    with filelock.FileLock(path, timeout=0):
        pass


def filelock_refused(path):
    try:
        filelock.FileLock(path, timeout=0).acquire()
    except filelock.Timeout:
        return
    raise AssertionError("must be refused")


def filelock_hold(path):
    lock = filelock.FileLock(path, timeout=0)
    lock.acquire()
    return lock


CONTENDERS = {
    "pid": {
        "fresh": pid_cycle,
        "stale": pid_cycle,
        "contended": pid_refused,
        "status": pid_look,
        "hold": pid_hold,
    },
    "filelock": {
        "fresh": filelock_cycle,
        "stale": filelock_cycle,
        "contended": filelock_refused,
        "hold": filelock_hold,
    },
}


def prepare(operation, path):
    if operation == "fresh":
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
    elif operation == "stale":
        with open(path, "w") as file:
            file.write("%d\n" % NONEXISTENT_PID)


def timed(run, operation, count, path):
    total = 0
    for _ in range(count):
        prepare(operation, path)
        start = time.perf_counter_ns()
        run(path)
        total += time.perf_counter_ns() - start
    return total // count


def main(arguments):
    if not arguments:
        for line in sys.stdin:
            contender, operation, count, path = line.rstrip("\n").split(" ", 3)
            run = CONTENDERS[contender][operation]
            print(timed(run, operation, int(count), path), flush=True)
        return
    contender, what, *rest = arguments
    if what == "hold":
        held = CONTENDERS[contender]["hold"](*rest)
        print("held", flush=True)
        sys.stdin.read()
        del held
        return
    operation, path = rest
    run = CONTENDERS[contender][operation]
    for mark in False, True:
        prepare(operation, path)
        if mark:
            os.access(BEGIN, os.F_OK)
        run(path)
        if mark:
            os.access(END, os.F_OK)


main(sys.argv[1:])
