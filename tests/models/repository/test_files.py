from mtdemo.models.repository.files import describe_others, needed_files

BESIDE = ["README.md", "train_data.json", "modeling.py", "pytorch_model.bin", "onnx/model.onnx", "model.fp16.safetensors"]


def test_named_files_alone_are_fetched_and_weights_come_last() -> None:
    ours = ["config.json", "model.safetensors", "1_Pooling/config.json", "2_Dense/model.safetensors", "vocab.txt"]
    assert needed_files([*BESIDE, *ours]) == [
        *("1_Pooling/config.json", "config.json", "vocab.txt", "2_Dense/model.safetensors", "model.safetensors")
    ]


def test_shards_are_fetched_where_the_weights_are_not_one_file() -> None:
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    index = "model.safetensors.index.json"
    assert needed_files([*shards, index]) == [index, *shards]
    assert needed_files([*shards, "model.safetensors"]) == ["model.safetensors"]


def test_what_else_is_there_is_said() -> None:
    assert describe_others(["README.md"]) == ""
    assert "GGUF" in describe_others(["model-Q4.gguf"])
    assert describe_others(["onnx/model.onnx", "pytorch_model.bin"]) == (
        " It holds an ONNX export, and pickled weights, which can run code and are never loaded."
    )
