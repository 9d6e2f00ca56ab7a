import pytest

from mtdemo.models.repository.ids import HubId, read_hub_id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bert-base", HubId("bert-base")),
        ("  owner/name \n", HubId("owner/name")),
        ("owner/name@v2", HubId("owner/name", "v2")),
        ("https://huggingface.co/owner/name", HubId("owner/name")),
        ("https://huggingface.co/owner/name/tree/v2/sub?x#y", HubId("owner/name", "v2")),
        ("https://elsewhere.example/owner/name", None),
        ("https://huggingface.co.evil.example/owner/name", None),
        ("a/b/c", None),
        ("../etc", None),
        ("a b", None),
        ("", None),
        ("owner/name@../../x y", None),
    ],
)
def test_ids_are_read_as_people_write_and_paste_them(text: str, expected: HubId | None) -> None:
    assert read_hub_id(text) == expected
