"""The seven kinds of tasks of the demonstration model: what it learns from and what it is asked.

Each module has examples(random), an endless stream of Example for training and testing alike. What is held out is
decided by the key of an example alone, so that no test item can be in the training text.
"""
import dataclasses
import hashlib

HELD_OUT_SHARE = 6  # one key in so many is kept from training


def number_of(text):
    """A number that depends on the text alone, on every machine."""
    return int.from_bytes(hashlib.sha256(("assay mini " + text).encode()).digest()[:8], "big")


def held_out(key, share=HELD_OUT_SHARE):
    return number_of(key) % share == 0


@dataclasses.dataclass
class Example:
    key: str         # what is asked, without names and other dressing; decides between training and test
    question: str
    response: str    # what the model shall answer under the project's own protocol
    target: str = ""
    group: str = ""
    extra: dict = dataclasses.field(default_factory=dict)
