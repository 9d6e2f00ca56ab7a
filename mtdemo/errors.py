"""Every error this project raises on purpose, as one small tree.

    MtdemoError
    ├── SettingsError               a setting that cannot be used
    ├── UsageError                  options of a command or an endpoint that cannot be used together
    ├── UnknownNameError            a name that is none of those there are (part, target, scenario, label, model)
    ├── InputError                  sentences that cannot be answered
    │   ├── EmptyInputError         nothing to read
    │   └── TooMuchInputError       more than a limit allows
    ├── CheckpointError             a model that cannot be loaded
    │   ├── CheckpointNotFoundError nothing stands at that place
    │   ├── InvalidCheckpointError  something stands there, but it is not a usable checkpoint
    │   ├── HubUnreachableError     the hub did not answer
    │   └── ModelTooLargeError      it would not fit the memory bound
    ├── PlanError                   a freezing or optimizer plan that contradicts itself
    ├── TooBusyError                more requests wait than a limit allows
    ├── PassLostError               the thread that computes died
    ├── RequestGoneError            nobody waits for the answer any more
    ├── LaboratoryError             a run that cannot begin now
    ├── TrainingError               a run that cannot go on
    │   └── ResumeError             a saved state that a run cannot go on from
    └── DataFileError               a file that cannot be read or used
        └── FileWriteError          a file that cannot be written

Each message is one sentence or two for the person at the screen: what was given, what is allowed, what to do.
Anything else that escapes is a bug and is meant to look like one.
"""


class MtdemoError(Exception):
    """The root of all errors with a message for people.

    Catch it to show the message instead of a traceback.
    """


class SettingsError(MtdemoError):
    """A setting that cannot be used."""


class UsageError(MtdemoError):
    """Options that cannot be used, or not together."""


class UnknownNameError(MtdemoError):
    """An unknown name; the message lists the known ones."""


class InputError(MtdemoError):
    """Sentences that cannot be answered.

    Args:
        reason: what is wrong and what is allowed, as a sentence of its own.
        sentence: number of the sentence that it is about, from 1; None for the request as a whole.
    """

    def __init__(self, reason: str, sentence: int | None = None) -> None:
        super().__init__(reason if sentence is None else f"Sentence {sentence}: {reason}")
        self.reason = reason
        self.sentence = sentence


class EmptyInputError(InputError):
    """There is nothing to read."""


class TooMuchInputError(InputError):
    """More sentences or characters than the settings allow."""


class CheckpointError(MtdemoError):
    """A model that cannot be loaded."""


class CheckpointNotFoundError(CheckpointError):
    """Nothing stands at the given place."""


class InvalidCheckpointError(CheckpointError):
    """Something at the given place that is no usable checkpoint."""


class HubUnreachableError(CheckpointError):
    """No answer from the hub, nothing in the cache."""


class ModelTooLargeError(CheckpointError):
    """Weights beyond the memory bound of the settings."""


class PlanError(MtdemoError):
    """A freezing or optimizer plan that contradicts itself.

    Args:
        message: what is wrong and what is allowed.
        field: the setting that it is about, such as `rank` or, for a rate, whose it is; empty where it is about several.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class TooBusyError(MtdemoError):
    """More requests wait than a limit allows."""


class PassLostError(MtdemoError):
    """The thread that computes died; asking again helps."""


class RequestGoneError(MtdemoError):
    """Nobody waits for the answer any more."""


class LaboratoryError(MtdemoError):
    """A run that cannot begin now."""


class TrainingError(MtdemoError):
    """A run whose numbers are no numbers any more."""


class ResumeError(TrainingError):
    """A saved state that a run cannot go on from."""


class DataFileError(MtdemoError):
    """A file that cannot be used; the message says where."""


class FileWriteError(DataFileError):
    """A file that cannot be written; the message names it."""
