"""A rollout's states, those of its steps, and the moves between them, as data. Only moves.py makes moves."""

from __future__ import annotations

from actions import states

RUNNING, HALTED, FINISHED, ENDED = "running", "halted", "finished", "ended"
STATES = (RUNNING, HALTED, FINISHED, ENDED)
OVER = (FINISHED, ENDED)  # no way on

# new state -> the states it may come from
ALLOWED_FROM: dict[str, tuple[str, ...]] = {
    RUNNING: (HALTED,),
    HALTED: (RUNNING,),
    FINISHED: (RUNNING,),
    ENDED: (RUNNING, HALTED),
}

# A step: one server of the rollout.
TODO, ASKED, CHECKING, SUCCEEDED, FAILED, SKIPPED = "todo", "asked", "checking", "succeeded", "failed", "skipped"
STEP_STATES = (TODO, ASKED, CHECKING, SUCCEEDED, FAILED, SKIPPED)
AT_WORK = (ASKED, CHECKING)  # its command, or the probe after it
UNFINISHED = (TODO, *AT_WORK)  # the batch is not through while it has one of these

STEP_ALLOWED_FROM: dict[str, tuple[str, ...]] = {
    TODO: (ASKED, FAILED),  # its command was taken back before delivery; retried
    ASKED: (TODO,),
    CHECKING: (ASKED, FAILED),  # failed, here and below: an outcome that was unknown, and was settled since
    SUCCEEDED: (ASKED, CHECKING, FAILED),
    # succeeded: it did not hold until the next batch; failed: it was unknown, and was settled since
    FAILED: (TODO, ASKED, CHECKING, SUCCEEDED, FAILED),
    SKIPPED: (TODO, FAILED),
}

# What a person may do, and in which states of the rollout.
HALT, RESUME, RETRY, SKIP, END = "halt", "resume", "retry", "skip", "end"
WAYS_ON: dict[str, tuple[str, ...]] = {
    HALT: (RUNNING,),
    RESUME: (HALTED,),  # nothing has failed, or what had is settled
    RETRY: (HALTED,),
    SKIP: (HALTED,),
    END: (RUNNING, HALTED),
}
NEED_FAILURES = (RETRY, SKIP)

VERBS = (states.START, states.STOP, states.RESTART, states.RELOAD)  # what can be rolled out
BY_NAME, AS_LISTED, SHUFFLED = "name", "listed", "random"
ORDERS = (BY_NAME, AS_LISTED, SHUFFLED)
SKIP_SILENT, HALT_AT_SILENT = "skip", "halt"
SILENT_POLICIES = (SKIP_SILENT, HALT_AT_SILENT)
