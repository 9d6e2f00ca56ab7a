"""Files from the field, by surface: every command and the laboratory read a file alike and say the same about it.

Each case was written anew after a public report; docs/files.md lists what each one gives.
"""

import json
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from mtdemo.cli.main import main
from mtdemo.cli.options import validation_sets
from mtdemo.data.hub_datasets import labelled_from, tagged_from
from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.errors import DataFileError
from mtdemo.evaluation.task_tests import TASK_TESTS
from mtdemo.laboratory.dataset import read_dataset

TESTS = {test.task.name: test for test in TASK_TESTS}
N_ROWS = 9


def rows(make: Callable[[int], str], end: str = "\n") -> str:
    return "".join(make(n) + end for n in range(N_ROWS))


def conll(columns: str) -> str:
    """Sentences `Ada N slept .`, each line by a format of number, token and tag."""
    words = (("Ada", "B-PER"), ("{n}", "I-PER"), ("slept", "O"), (".", "O"))
    return rows(
        lambda n: rows_of([(i + 1, token.format(n=n), tag) for i, (token, tag) in enumerate(words)], columns), end="\n"
    )


def rows_of(words: list[tuple[int, str, str]], columns: str) -> str:
    return "".join(columns.format(i=i, token=token, tag=tag) + "\n" for i, token, tag in words)


def table(delimiter: str, header: str = "text{d}label", line: str = '"A day, {n}; fine"{d}positive') -> str:
    return header.format(d=delimiter) + "\r\n" + rows(lambda n: line.format(d=delimiter, n=n), end="\r\n")


NER = [TaggedSentence(("Ada", str(n), "slept", "."), ("B-PER", "I-PER", "O", "O")) for n in range(N_ROWS)]
CLASSES = [LabelledSentence(f"A day, {n}; fine", "positive") for n in range(N_ROWS)]
THREE = [
    TaggedSentence((*row.tokens[:3], "Ada", "M", "N", "O"), (*row.tags[:3], "B-LOC", "B-LOC", "I-LOC", "I-LOC"))
    for row in NER
]
ONE_WORD = [TaggedSentence((f"Ada{n}",), ("B-PER",)) for n in range(N_ROWS)]
JSON_ROWS = [{"text": row.text, "label": row.label} for row in CLASSES]
LINES = "".join(json.dumps(row) + "\n" for row in JSON_ROWS)
BIOES = {"B-PER": "B-PER", "I-PER": "E-PER", "O": "O"}
ONTONOTES = "doc 0 {i} {token} NN * - - - Ann {tag} -"

READ = [
    ("ner", "spaces.conll", conll("{token} NN {tag}"), NER),
    ("ner", "tabs.tsv", conll("{token}\t{tag}"), NER),
    ("ner", "docstart.txt", "-DOCSTART-\n\n" + conll("{token} {tag}"), NER),
    ("ner", "docstart.conll", "-DOCSTART- -X- O\n\n" + conll("{token} NN {tag}"), NER),
    ("ner", "counted.conll", "# sent_id = 7\n# text = Ada O\n" + conll("{i}\t{token}\tNN\t{tag}"), NER),
    ("ner", "germeval.tsv", "#\thttp://x.org [2009]\n" + conll("{i}\t{token}\t{tag}\tO"), NER),
    ("ner", "chunks.conll", conll("{i}\t{token}\tB-NP\t{tag}"), NER),
    ("ner", "misc.conllu", conll("{i}\t{token}\t_\tX\t_\t_\t0\tdep\t_\tNER={tag}|SpaceAfter=No"), NER),
    ("ner", "contraction.conllu", conll("{i}\t{token}\t{tag}").replace("3\tsl", "3-4\tdu\t_\n3\tsl"), NER),
    ("ner", "one_word.conllu", "\n".join(f"1\t{row.tokens[0]}{n}\tB-PER\n" for n, row in enumerate(NER)), ONE_WORD),
    ("ner", "iob1.conll", conll("{token} {tag}").replace("B-PER", "I-PER"), None),
    ("ner", "bioes.conll", conll("{token} {tag}").replace("I-PER", "E-PER"), NER),
    ("ner", "bilou.conll", conll("{token} {tag}").replace("I-PER", "L-PER"), NER),
    ("ner", "small_o.conll", conll("{token} {tag}").replace("slept O", "slept o"), NER),
    ("ner", "second_of_three.conll", conll("{token} {tag} NN"), NER),
    ("ner", "second_of_four.conll", conll("{token} {tag} NN B-NP"), NER),
    ("ner", "header.tsv", "Word\tPOS\tTag\n" + conll("{token}\tNN\t{tag}"), NER),
    ("ner", "header.txt", "token tag\n" + conll("{token} {tag}"), NER),
    ("ner", "docstart_space.conll", " -DOCSTART- O\n\n" + conll("{token} {tag}"), NER),
    ("ner", "bmewo.conll", conll("{token} {tag}").replace(". O", "Ada W-LOC\nM B-LOC\nN M-LOC\nO E-LOC"), THREE),
    (
        "ner",
        "ontonotes.conll",
        "#begin document (doc); part 000\n"
        + conll(ONTONOTES).replace("B-PER", "(PER*").replace("I-PER", "*)").replace("Ann O", "Ann *")
        + "#end document\n",
        NER,
    ),
    ("ner", "mac.conll", conll("{token} {tag}").replace("\n", "\r"), NER),
    ("ner", "windows.conll", conll("{token} {tag}").replace("\n", "\r\n"), NER),
    ("classification", "comma.csv", table(","), CLASSES),
    ("classification", "semicolon.csv", table(";"), CLASSES),
    ("classification", "tab.csv", table("\t"), CLASSES),
    ("classification", "tab.tsv", table("\t"), CLASSES),
    ("classification", "tab.txt", table("\t"), CLASSES),
    ("classification", "comma.txt", table(","), CLASSES),
    ("classification", "comma", table(","), CLASSES),
    ("classification", "second_mark.csv", "\ufeff\ufeff" + table(","), CLASSES),
    ("classification", "unseen_header.csv", table(",", "\u200btext{d}\u00a0label"), CLASSES),
    (
        "classification",
        "nan_source.csv",
        table(",", "text{d}label{d}source", '"A day, {n}; fine"{d}positive{d}nan'),
        CLASSES,
    ),
    ("classification", "names.jsonl", LINES.replace('"text"', '" Text"').replace('"label"', '"LABEL "'), CLASSES),
    ("classification", "excel.csv", "sep=;\r\n" + table(";"), CLASSES),
    ("classification", "header_space.csv", table(",", "Text , label"), CLASSES),
    ("classification", "label_space.csv", table(",", line='"A day, {n}; fine"{d} positive '), CLASSES),
    ("classification", "label_space.jsonl", LINES.replace('"positive"', '" positive\\u200b"'), CLASSES),
    ("classification", "lines.jsonl", LINES, CLASSES),
    ("classification", "lines.txt", LINES, CLASSES),
    ("classification", "array.json", json.dumps(JSON_ROWS, indent=2), CLASSES),
    ("classification", "one_line_array.json", json.dumps(JSON_ROWS), CLASSES),
    ("classification", "spread.json", "\n".join(json.dumps(row, indent=2) for row in JSON_ROWS), CLASSES),
]
MARKED = [case for case in READ if case[1] in ("tabs.tsv", "comma.csv", "lines.jsonl", "array.json")]
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-be-mark", "utf-32"]

REFUSED = [
    ("ner", "spaces_in_token.conll", "Ada O\nNew York B-LOC\n", "line 2: 3 columns where the first line has 2"),
    ("ner", "no_tab.conll", "Ada\tO\nNew York B-LOC\n", "line 2: 'New York B-LOC' stands alone"),
    ("ner", "tab_and_space.conll", "Ada\tO\nOslo\tNNP B-LOC\n", "line 2: the tag 'NNP B-LOC' has a space"),
    ("ner", "no_tag.conll", "Ada\tNN\tO\nslept\tVB\t\n", "line 2: 2 columns where the first line has 3"),
    ("ner", "no_entities.conllu", conll("{i}\t{token}\t_\tX\t_\t_\t0\tdep\t_\t_"), "line 1: none of the ten columns"),
    ("ner", "pos_only.conll", conll("{token} {token} NN"), "line 1: the last column holds no entity tag"),
    ("ner", "document.conll", conll("doc {token} {tag}"), "line 1: the first column is 'doc' throughout"),
    ("ner", "blank_token.jsonl", '{"tokens": ["Ada", " "], "tags": ["O", "PER"]}\n', "line 1: token 2 is blank"),
    ("ner", "blank_tag.jsonl", '{"tokens": ["Ada"], "tags": [" "]}\n', "line 1: the tag of 'Ada' is missing"),
    ("ner", "bare_prefix.conll", "Ada O\nBob B-\n", "line 2: the tag 'B-' of 'Bob' names no type"),
    (
        "ner",
        "underscore.conll",
        "Ada B_PER\nslept O\n",
        "line 1: the tag 'B_PER' of 'Ada' is written otherwise here: B-PER",
    ),
    ("ner", "lower.jsonl", '{"tokens": ["Ada"], "tags": ["b-per"]}\n', "line 1: the tag 'b-per' of 'Ada' is written"),
    ("ner", "bare.conll", "Ada B\nslept O\n", "line 1: the tag 'B' of 'Ada' names no type"),
    ("ner", "zero.conll", "Ada B-PER\nslept 0\n", "line 2: the tag '0' of 'slept' names no type"),
    ("ner", "no_value.conll", "Ada B-PER\nslept _\n", "line 2: the tag '_' of 'slept' names no type"),
    ("ner", "tag_first.conll", "B-PER Ada\nO slept\n", "line 1: the last column holds no entity tag"),
    (
        "ner",
        "named.tsv",
        "Sentence #\tWord\tTag\nS 1\tAda\tB-PER\n",
        "line 2: tokens are read from column 1, but the names",
    ),
    ("ner", "texts.conll", "Ada slept\nIt rained\n", "line 1: the last column holds no entity tag"),
    ("ner", "gap.conll", "1\tAda\tB-PER\n3\tslept\tO\n", "line 1: the first column holds nothing but numbers such as '1'"),
    (
        "ner",
        "ordinals.conll",
        "1. Ada B-PER\n2. slept O\n",
        "line 1: the first column holds nothing but numbers such as '1.'",
    ),
    ("classification", "nan_text.csv", "text,label\nnan,positive\n", "line 2: the text is missing (nan)"),
    ("classification", "filler.csv", "text,label\n\u3164\u2800,positive\n", "line 2: the text is blank"),
    (
        "classification",
        "two_labels.jsonl",
        '{"text": "a", "label": "x", "label": "y"}\n',
        "line 1: an object names 'label' twice",
    ),
    (
        "classification",
        "two_names.jsonl",
        '{"text": "a", "Text": "b", "label": "y"}\n',
        "line 1: an object names 'text' twice",
    ),
    ("classification", "quote.csv", 'text,label\n"a "b" c",positive\n', "a quotation mark within quotes is written twice"),
    (
        "classification",
        "cyrillic.csv",
        ("text,label\n" + "город" * 99 + ",positive\n").encode("utf-16-le"),
        "UTF-16 without",
    ),
    ("classification", "blank_text.csv", "text,label\nfine,positive\n ,neutral\n", "line 3: the text is blank"),
    ("classification", "blank_row.csv", "text,label\nfine,positive\n,\n", "line 3: the text is blank"),
    ("classification", "blank_text.jsonl", '{"text": "\\u00a0", "label": "neutral"}\n', "line 1: the text is blank"),
    ("classification", "blank_label.csv", "text,label\nfine,\n", "line 2: the label is missing"),
    ("classification", "nan_label.csv", "text,label\nfine,NaN\n", "line 2: the label is missing (NaN)"),
    ("classification", "null_label.jsonl", '{"text": "fine", "label": null}\n', "line 1: text and label must be strings"),
    ("classification", "broken_array.json", '[\n{"text": "a", "label": "b"}\n{', "line 2: this is no JSON (a comma or ]"),
    ("classification", "open_array.json", '[\n{"text": "a", "label": "positive"}\n', "this is no JSON (a comma or ]"),
    ("classification", "open_quote.csv", 'text,label\nx,positive\n"a,positive\nb,neutral\n', "line 3: unexpected end"),
    (
        "classification",
        "twice.csv",
        "text,label,Text\na,positive,b\n",
        "line 1: the first line names the column text twice",
    ),
    ("classification", "ansi.csv", "text,label\nfine,positive\nschön,positive\n".encode("cp1252"), "file, line 3: "),
    ("classification", "ansi_mac.csv", b"text,label\rfine,positive\rsch\xf6n,positive\r", "file, line 3: "),
    ("classification", "no_mark.csv", "text,label\nfine,positive\n".encode("utf-16-le"), "like UTF-16 without a mark"),
    ("classification", "nul.csv", b"text,label\nfine,positive\nno\0 text,positive\n", "line 3: it holds a NUL"),
    ("classification", "sheet.csv", b"PK\x03\x04" + b"x" * 99, "is no text file, but a workbook"),
    ("classification", "nested.json", "[" * 100_000, "line 1"),
    ("similarity", "blank.tsv", "5\ta\tb\n1\t \tb\n", "line 2: the first sentence is blank"),
    ("similarity", "underscore.tsv", "5\ta\tb\n1_0\ta\tb\n", "line 2: the score must be a number, not '1_0'"),
    ("similarity", "score.tsv", "5\ta\tb\n4,5\ta\tb\n", "line 2: the score must be a number, not '4,5'"),
]


def write(directory: Path, name: str, content: str | bytes) -> Path:
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def options(task: str, path: Path) -> SimpleNamespace:
    given = {f"dev_{name}": path if name == task else None for name in TESTS}
    return SimpleNamespace(**given, dev_limit=1000)


def read_everywhere(task: str, path: Path) -> list[list[object]]:
    """The rows that each surface reads: evaluate and card, training, what is measured in training, the laboratory."""
    known = SimpleNamespace(info=SimpleNamespace(class_labels=("positive",), entity_types=("PER", "LOC")))
    sets = validation_sets(options(task, path), known)  # type: ignore[arg-type]
    assert sets is not None
    dataset = read_dataset(path)
    if task == "ner":
        learned, held_out, heldout = tagged_from(str(path)), sets.tagged, (*dataset.tagged, *dataset.tagged_heldout)
    else:
        learned, held_out, heldout = labelled_from(str(path)), sets.labelled, (*dataset.labelled, *dataset.labelled_heldout)
    order = {row: number for number, row in enumerate(learned)}
    return [list(TESTS[task].read(path)), list(learned), list(held_out), sorted(heldout, key=order.__getitem__)]


@pytest.mark.parametrize(("task", "name", "content", "expected"), READ, ids=[case[1] for case in READ])
def test_every_surface_reads_the_same_rows(
    tmp_path: Path, task: str, name: str, content: str, expected: list[object] | None
) -> None:
    found = read_everywhere(task, write(tmp_path, name, content))
    assert all(surface == found[0] for surface in found)
    assert found[0] == (expected or [TaggedSentence(row.tokens, ("I-PER", "I-PER", "O", "O")) for row in NER])


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(("task", "name", "content", "expected"), MARKED)
def test_a_mark_says_the_encoding(
    tmp_path: Path, task: str, name: str, content: str, expected: list[object], encoding: str
) -> None:
    encoded = ("\ufeff" + content).encode("utf-16-be") if encoding == "utf-16-be-mark" else content.encode(encoding)
    assert all(surface == expected for surface in read_everywhere(task, write(tmp_path, name, encoded)))


@pytest.fixture(scope="module")
def arguments(tiny_files: Path) -> Callable[[str, str, Path], list[str]]:
    """The arguments of a command that reads a file of a task; other files that it needs are good."""
    good = {
        "ner": write(tiny_files, "good.conll", "john B-PER\n"),
        "classification": write(tiny_files, "good.csv", "text,label\nthe cat,positive\n"),
        "similarity": write(tiny_files, "good.tsv", "5\ta\tb\n1\tb\tc\n"),
    }

    def make(command: str, task: str, path: Path) -> list[str]:
        checkpoint, output = str(tiny_files / "tiny"), str(tiny_files / "out")
        files = {name: str(path if name == task else other) for name, other in good.items()}
        named = [part for name, file in files.items() for part in (f"--{name}", file)]
        return {
            "evaluate": ["evaluate", "--task", task, "--data", str(path), "--checkpoint", checkpoint],
            "card": ["card", "--checkpoint", checkpoint, *named],
            "calibrate": ["calibrate", "--checkpoint", checkpoint, "--output", output, f"--{task}", str(path)],
            "train": ["train", "--base", checkpoint, "--output", output, *named[:4]],
            "train --dev": ["train", "--base", checkpoint, "--output", output, "--steps", "1", *_dev(good, task, path)],
        }[command]

    return make


def _dev(good: dict[str, Path], task: str, path: Path) -> list[str]:
    return ["--ner", str(good["ner"]), "--classification", str(good["classification"]), f"--dev-{task}", str(path)]


@pytest.fixture(scope="module")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mtdemo.models.multitask import MultiTaskModel
    from tests.conftest import make_tokenizer, tiny_config

    directory = tmp_path_factory.mktemp("cases")
    MultiTaskModel(tiny_config(trained_heads=["classification_head", "ner_head"])).save_pretrained(directory / "tiny")
    make_tokenizer().save_pretrained(directory / "tiny")
    return directory


@pytest.mark.parametrize(("task", "name", "content", "words"), REFUSED, ids=[case[1] for case in REFUSED])
def test_every_surface_refuses_with_the_same_words(
    tmp_path: Path,
    task: str,
    name: str,
    content: str | bytes,
    words: str,
    arguments: Callable[[str, str, Path], list[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write(tmp_path, name, content)
    commands = ["evaluate", "card", *([] if task == "similarity" else ["calibrate", "train"]), "train --dev"]
    told = []
    for command in commands:
        assert main(arguments(command, task, path)) == 2
        told.append(capsys.readouterr().err.strip().splitlines()[-1].partition(": ")[2].replace(f"{path}", name))
    if task != "similarity":
        with pytest.raises(DataFileError) as caught:
            read_dataset(path)
        told.append(str(caught.value))
    assert set(told) == {told[0]}
    assert words in told[0] and told[0].startswith(name)


def test_repeated_rows_are_told_everywhere(
    tmp_path: Path, arguments: Callable[[str, str, Path], list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path, "same.jsonl", '{"text": "the cat", "label": "positive"}\n' * 8)
    told = f"Note: {path}: 7 of 8 rows repeat an earlier one."
    for command in ("evaluate", "card", "calibrate"):
        caplog.clear()
        assert main(arguments(command, "classification", path)) == 0
        assert told in caplog.messages, command
    caplog.clear()
    labelled_from(str(path))
    assert caplog.messages == [told]
    phrase = read_dataset(path).phrase
    assert "7 of 8 rows repeat an earlier one; 2 of those kept aside are learned from, too" in phrase


def test_sentences_that_are_learned_and_measured_on_are_told(
    tmp_path: Path, arguments: Callable[[str, str, Path], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, "dev.csv", "text,label\nthe cat,positive\na mat,negative\n")
    assert main(arguments("train --dev", "classification", path)) == 0
    assert "Note: 1 of 2 sentences to measure on are learned from, too" in capsys.readouterr().err


def test_composed_and_decomposed_marked_text_has_the_same_words_and_labels(tmp_path: Path) -> None:
    lines = "[train]\n" + "früh | [Jürgen](PER) zog nach [Zürich](LOC).\n" * 4
    text = lines + lines.replace("train", "test")
    found = []
    for form in ("NFC", "NFD"):
        dataset = read_dataset(write(tmp_path, "marked.txt", unicodedata.normalize(form, text)))
        assert {row.label for row in dataset.labelled} == {"früh"}
        found.append([(unicodedata.normalize("NFC", row.text), row.tags) for row in dataset.tagged])
    assert found[0] == found[1]


@pytest.mark.parametrize("mark", ["\N{SOFT HYPHEN}", "\N{WORD JOINER}", "\N{ZERO WIDTH JOINER}", "\u0301", "\u0940"])
def test_what_belongs_to_a_letter_tears_no_name(tmp_path: Path, mark: str) -> None:
    lines = f"neutral | [A{mark}da](PER) left [Par{mark}is](LOC).\n" * 4
    dataset = read_dataset(write(tmp_path, "marked.txt", f"[train]\n{lines}[test]\n{lines}"))
    assert dataset.tagged[0].tags == ("B-PER", "O", "B-LOC", "O")


@pytest.mark.parametrize(
    ("marked", "tokens", "tags"),
    [
        ('["Paris".](LOC)', ('"', "Paris", '"', "."), "O B-LOC O O"),
        ("[Ada's](PER) cat", ("Ada", "'", "s", "cat"), "B-PER O O O"),
        ("[U.S.](LOC) law", ("U", ".", "S", ".", "law"), "B-LOC I-LOC I-LOC I-LOC O"),
        ("[Ada](PER)\u0301 left", ("Ada\u0301", "left"), "B-PER O"),
        ("[Ber\u00adlin](LOC)\u00ad x", ("Ber\u00adlin\u00ad", "x"), "B-LOC O"),
        ("\u200f[דן](PER)\u200f גר", ("\u200fדן\u200f", "גר"), "B-PER O"),
    ],
)
def test_a_mark_is_narrowed_to_the_name_that_an_answer_would_have(
    tmp_path: Path, marked: str, tokens: tuple[str, ...], tags: str
) -> None:
    lines = f"neutral | {marked}\n" * 4
    row = read_dataset(write(tmp_path, "marked.txt", f"[train]\n{lines}[ Test ]\n{lines}")).tagged[0]
    assert (row.tokens, row.tags) == (tokens, tuple(tags.split()))


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        ("[@john](PER)", "'@john' is no name"),
        ("[john@x.org](PER)", "is no name"),
        ("[...](PER)", "'...' is no name"),
        ("[\u1112\u1161](LOC)\u11ab", "ends within a letter"),
        ("[Ada](O)", "'O' is no type of a name"),
        ("[Ada](B-PER)", "'B-PER' is no type of a name"),
        ("[here](https://x.org)", "is no type of a name"),
        ("\\[Ada\\](PER)", "this line has a bracket left"),
    ],
)
def test_a_mark_that_no_answer_could_equal_is_refused_with_its_line(tmp_path: Path, marked: str, words: str) -> None:
    with pytest.raises(DataFileError, match="line 2") as caught:
        read_dataset(write(tmp_path, "marked.txt", f"[train]\nneutral | {marked}\n[test]\nneutral | x\n"))
    assert words in str(caught.value)


def test_what_a_person_should_know_of_scores_and_labels_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    TESTS["similarity"].read(write(tmp_path, "scores.tsv", "5\ta\tb\n45\tb\tc\n"))
    assert "1 of 2 scores are beyond 0 to 5, such as 45" in caplog.text
    labelled_from(str(write(tmp_path, "forms.csv", "text,label\nZürich,positive\nZu\u0308rich,neutral\n")))
    assert "1 sentences stand there with different labels" in caplog.text
