"""Sentences to try: sets for the box, each with what it teaches."""

from __future__ import annotations

from dataclasses import dataclass

REFERENCE_EXAMPLES = (
    "Fetch Rewards is a good company!",
    "I need this job.",
    "Deep learning models are powerful.",
    "The new iPhone model will release next month.",
    "John and Lisa went to Microsoft to work.",
)


@dataclass(frozen=True, slots=True)
class Example:
    """Sentences to try.

    Attributes:
        title: names the set on its button.
        sentences: the sentences.
        teaches: a sentence or two about what to look at, as Markdown.
    """

    title: str
    sentences: tuple[str, ...]
    teaches: str

    @property
    def text(self) -> str:
        return "\n".join(self.sentences)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A sentence that the embedded model answers wrongly.

    Attributes:
        sentence: the sentence.
        reason: why it is hard, to follow its number.
        label: the class that a reader would give; empty where the mistake is another one.
        entities: the names that a reader would mark.
    """

    sentence: str
    reason: str
    label: str = ""
    entities: tuple[str, ...] = ()


MISTAKES = (
    Mistake("Great, another Monday.", "sarcasm is read word by word, so it passes for praise", "negative"),
    Mistake("Nobody could call this a waste of money.", "a complaint that is denied still reads as one", "positive"),
    Mistake(
        "I expected to hate it, but I have to say the ending moved me.",
        "the turn at the end weighs less than *hate*",
        "positive",
    ),
    Mistake("Will Smith will smith a sword.", "the name runs on over the verb", entities=("Will Smith",)),
    Mistake(
        "Das Essen war kalt und der Kellner war unfreundlich.",
        "German is not its language, and it does not notice: a complaint, called neutral",
        "negative",
    ),
    Mistake(
        "Shell and BP are both down today.",
        "a name that is also a common word is missed",
        entities=("Shell", "BP"),
    ),
    Mistake("Man bites dog.", "this and the next say opposite things and lie close together all the same"),
    Mistake("Dog bites man.", "see 7"),
)

EXAMPLES = (
    Example(
        "Everyday",
        REFERENCE_EXAMPLES,
        "One reading, three answers: the names in each sentence, its class, and which other is nearest in meaning.",
    ),
    Example(
        "Two kinds of bank",
        (
            "The bank raised its interest rates.",
            "Borrowing money became more expensive.",
            "We sat on the bank of the river.",
            "The water was calm and clear.",
        ),
        "The same word in two meanings: 1 is nearer to 2, which shares no word with it, than to 3.",
    ),
    Example(
        "A negation",
        (
            "The drug lowered blood pressure.",
            "The drug did not lower blood pressure.",
            "The medicine reduced hypertension.",
            "The traffic was terrible this morning.",
        ),
        "Opposites are neighbours: similarity hears what a sentence is about before it hears the *not*.",
    ),
    Example(
        "Names",
        (
            "Washington signed the bill in Washington.",
            "Amazon announced record profits.",
            "The Amazon is the largest river.",
            "Angela Merkel met Emmanuel Macron in Paris before flying to New York.",
            "Nothing in this sentence has a name.",
        ),
        "The same name gets another type in another sentence: what stands around it decides.",
    ),
    Example(
        "Reviews",
        (
            "The battery lasts for days, and the screen is gorgeous.",
            "The food was cold and the waiter was rude.",
            "The meeting starts at nine in room 204.",
            "Not bad at all, I would go again.",
        ),
        "Praise, a complaint, a fact, and praise in the words of a complaint.",
    ),
    Example(
        "Support questions",
        (
            "How do I reset my password?",
            "I forgot my login and can't get in.",
            "Where can I change my delivery address?",
            "My parcel should go to another street.",
        ),
        "Two wishes, each said twice in other words: each is nearest to its twin.",
    ),
    Example(
        "It gets these wrong",
        tuple(mistake.sentence for mistake in MISTAKES),
        " · ".join(f"**{number}** {mistake.reason}" for number, mistake in enumerate(MISTAKES, start=1)),
    ),
)
