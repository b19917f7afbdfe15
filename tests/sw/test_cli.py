# SPDX-License-Identifier: Apache-2.0
"""The command line as its users meet it: files in, tables or JSON out, one sentence on errors."""

import json
import zipfile

import numpy as np
import pytest
from click.testing import CliRunner
from trained import blobs, trained

from spikewright.cli import main
from spikewright.learn.training import checkpoint
from spikewright.network import Network
from spikewright.network_file import write_arrays
from spikewright.quantize import quantize
from spikewright.sim.program_file import load_program, save_program


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Data, a network and its program in files."""
    folder = tmp_path_factory.mktemp("cli")
    data = blobs()
    np.savez(
        folder / "data.npz",
        x_train=data.x_train,
        y_train=data.y_train,
        x_test=data.x_test[:40],
        y_test=data.y_test[:40],
    )
    trained("relu").save(folder / "net.npz")
    save_program(quantize(trained("relu"), calibrate=data.x_train), folder / "net.spk")
    return folder


def run(*arguments, code=0):
    """Standard output and standard error of a command with this exit code."""
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


def refused(*arguments):
    """The one sentence of a command that fails."""
    out, err = run(*arguments, code=2)
    assert out == ""
    (line,) = err.strip().splitlines()
    return line.removeprefix("spikewright: ")


def test_train_quantize_run_from_files(folder, tmp_path):
    net, spk = tmp_path / "net.npz", tmp_path / "net.spk"
    data = folder / "data.npz"
    out, _ = run(
        *("train", "--network", "12-9-4", "--neuron", "lif", "--data", data, "--rule", "backprop"),
        *("--epochs", 2, "--seed", 3, "--steps", 6, "--encoding", "rate", "--tau-ms", 10),
        *("--dt-ms", 1, "--threshold", 1, "--reset", "zero", "--readout", "count"),
        *("-o", net, "--json"),
    )
    facts = json.loads(out)
    assert (facts["epochs"], facts["steps"], facts["tau"]) == (2, 6, 0.01)
    out, _ = run("quantize", net, "--data", data, "--weight-bits", 8, "-o", spk, "--json")
    facts = json.loads(out)
    assert facts["frames"] == 40
    assert {"float_accuracy", "integer_accuracy", "layers", "lif1_tau_ms"} <= set(facts)
    out, _ = run("run", spk, "--data", data, "--on", "emulator", "--samples", 10, "--json")
    facts = json.loads(out)
    assert facts["frames"] == 10
    assert facts["agreement"] == 1.0
    assert {"accuracy", "cycles_per_frame", "core_seconds", "transfer_seconds"} <= set(facts)
    assert "end_to_end_seconds" in facts


TOML = """
[network]
steps = 5
readout = "count"

[[layer]]
kind = "Dense"
n_in = 12
n_out = 9

[[layer]]
kind = "Lif"
tau = 0.01

[[layer]]
kind = "Dense"
n_out = 4

[[layer]]
kind = "Lif"
"""


def test_train_a_network_of_a_toml_file(folder, tmp_path):
    net, toml = tmp_path / "net.npz", tmp_path / "net.toml"
    toml.write_text(TOML)
    train = ("train", "--data", folder / "data.npz", "-o", net, "--epochs", 2, "--network", toml)
    facts = json.loads(run(*train, "--seed", 3, "--json")[0])
    assert (facts["network"], facts["steps"], facts["readout"]) == (str(toml), 5, "count")
    network = Network.load(net)
    assert [layer.n_out for layer in network.layers] == [9, 9, 4, 4]
    assert (network.layers[1].tau, network.seed) == (0.01, 3)
    assert refused(*train, "--tau-ms", 20) == (
        f"Option --tau-ms is for layer sizes: write it into {toml}"
    )
    toml.write_text(TOML.replace('"Dense"', '"dense"'))
    assert refused(*train) == "Layer 0 has the unknown kind 'dense': did you mean Dense?"
    toml.write_text(TOML.replace("]]", "]"))
    assert refused(*train).startswith(f"{toml} is not TOML: ")
    toml.unlink()
    assert refused(*train) == f"There is no file {toml}: check its name"


def test_training_goes_on_from_a_checkpoint(folder, tmp_path, monkeypatch):
    def train(name, *more):
        return (
            *("train", "--network", "12-9-4", "--data", folder / "data.npz", "--epochs", 4),
            *("--optimiser", "rmsprop", "--loss", "hinge", "--decay", "linear", "--l2", 0.01),
            *("-o", tmp_path / name, *more),
        )

    path = tmp_path / "c.npz"
    run(*train("whole.npz"))
    # Only the first is written, as if the run had been cut after it.
    monkeypatch.setattr(
        checkpoint, "write_arrays", lambda path, **a: path.exists() or write_arrays(path, **a)
    )
    run(*train("cut.npz", "--checkpoint", path, "--checkpoint-every", 2))
    assert json.loads(str(np.load(path)["head"]))["standing"]["epochs"] == 2
    run(*train("resumed.npz", "--resume", path))
    for a, b in zip(
        *(Network.load(tmp_path / f"{name}.npz").parameters() for name in ("whole", "resumed")),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    assert refused(*train("no.npz", "--resume", path, "--batch", 7)) == (
        f"Checkpoint {path} was made with batch 64, not 7: go on with the same network, "
        "data and options"
    )
    assert refused(*train("no.npz", "--resume", tmp_path / "d.npz")) == (
        f"There is no checkpoint {tmp_path / 'd.npz'}: check its name"
    )
    assert not (tmp_path / "no.npz").exists()


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("optimiser", "Optimiser must be adam, sgd, nesterov, adagrad, rmsprop or rprop, not 'x'"),
        ("decay", "Decay must be cosine, none, step, exponential or linear, not 'x'"),
        ("loss", "Loss must be cross-entropy, mse, bernoulli, hinge or l1, not 'x'"),
    ],
)
def test_unknown_names_are_refused_with_those_known(folder, tmp_path, option, sentence):
    out = tmp_path / "net.npz"
    arguments = ("train", "--network", "12-4", "--data", folder / "data.npz", "-o", out)
    assert refused(*arguments, f"--{option}", "x") == sentence
    assert option in run("train", "--help")[0]


def test_kickback_tells_two_classes_by_one_output(folder, tmp_path):
    """Trained, quantized and run: the class is whether the only output is above 0."""
    data = blobs()
    kept = {
        name: getattr(data, name)[getattr(data, f"y_{name[2:]}") < 2]
        for name in ("x_train", "y_train", "x_test", "y_test")
    }
    np.savez(tmp_path / "two.npz", **kept)
    files = ("--data", tmp_path / "two.npz")
    net, spk = tmp_path / "net.npz", tmp_path / "net.spk"
    run(
        *("train", "--network", "12-8-1", "--rule", "kickback", "--loss", "bernoulli", *files),
        *("--epochs", 100, "--batch", 16, "--seed", 1, "-o", net),
    )
    out, _ = run("quantize", net, *files, "-o", spk, "--json")
    facts = json.loads(out)
    assert facts["float_accuracy"] > 0.9
    assert facts["integer_accuracy"] > 0.9
    out, _ = run("run", spk, *files, "--on", "emulator", "--json")
    assert json.loads(out)["accuracy"] == facts["integer_accuracy"]


def test_files_to_write_are_refused_before_training(folder, tmp_path):
    data = folder / "data.npz"
    before = data.read_bytes()
    train = ("train", "--network", "12-9-4", "--data", data, "--epochs", 1)
    sentence = "Options --data, --output and --checkpoint must name different files"
    assert refused(*train, "-o", data) == sentence
    assert refused(*train, "-o", tmp_path / "n.npz", "--checkpoint", tmp_path / "n.npz") == sentence
    assert refused(*train, "-o", tmp_path) == (
        f"File to write must have a name, and {tmp_path} is a folder: add one"
    )
    assert refused(*train, "-o", tmp_path / "n.npz", "--checkpoint", tmp_path) == (
        f"Checkpoint must be a file, and {tmp_path} is a folder: name a file"
    )
    assert data.read_bytes() == before
    assert not list(tmp_path.iterdir())


def test_a_network_beyond_memory(folder, tmp_path):
    data = folder / "data.npz"
    sentence = refused(
        "train", "--network", "12-999999999999-4", "--data", data, "-o", tmp_path / "n.npz"
    )
    assert sentence.startswith("Not enough memory: ")


def test_run_and_verify_on_rtl(folder):
    data, spk = folder / "data.npz", folder / "net.spk"
    out, _ = run("run", spk, "--data", data, "--on", "rtl", "--samples", 5, "--json")
    facts = json.loads(out)
    assert facts["agreement"] == 1.0
    assert facts["cycles_per_frame"] > 12
    out, _ = run("verify", spk, "--data", data, "--samples", 5, "--json")
    facts = json.loads(out)
    assert (facts["frames"], facts["mismatches"], facts["first"]) == (5, 0, None)


def test_tables_are_for_people(folder):
    out, _ = run("run", folder / "net.spk", "--data", folder / "data.npz", "--on", "emulator")
    assert "accuracy" in out
    assert "cycles per frame" in out
    out, _ = run("boards")
    assert "ulx3s" in out
    assert "pynq-z2" in out


def test_generate_writes_a_build_that_verifies(folder, tmp_path):
    build = tmp_path / "build"
    out, _ = run(
        "generate", folder / "net.spk", "--board", "ulx3s", "--lanes", "4", "-o", build, "--json"
    )
    assert json.loads(out)["board"] == "ulx3s"
    assert (build / "spikewright.v").is_file()
    out, _ = run("verify", build, "--data", folder / "data.npz", "--samples", 3, "--json")
    assert json.loads(out)["lanes"]["fc1"] == 3


def test_an_unknown_board_names_those_known(folder, tmp_path):
    sentence = refused(
        *("generate", folder / "net.spk", "--board", "arty", "-o", tmp_path / "build")
    )
    assert "ulx3s" in sentence
    assert "pynq-z2" in sentence
    assert not (tmp_path / "build").exists()


def test_an_interrupted_build_is_said_to_be_one(folder, tmp_path):
    build = tmp_path / "build"
    run("generate", folder / "net.spk", "--board", "ulx3s", "-o", build)
    (build / "spikewright.v").unlink()
    assert "generate" in refused("verify", build, "--data", folder / "data.npz")
    (build / "build.json").unlink()
    assert "generate" in refused("synthesize", build)


def test_a_missing_data_file(folder, tmp_path):
    missing = tmp_path / "nothing.npz"
    assert refused("run", folder / "net.spk", "--data", missing) == (
        f"There is no file {missing}: check its name"
    )


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"x_test": np.full((3, 12), np.nan)}, "x_test must be finite"),
        ({"y_test": np.array([0, 1, 9])}, "must hold labels from 0 to 3"),
        ({"x_train": np.zeros((3, 5)), "x_test": np.zeros((3, 5))}, "must have 12 features"),
    ],
)
def test_data_that_does_not_fit(folder, tmp_path, change, sentence):
    arrays = {
        "x_train": np.random.default_rng(0).random((3, 12)),
        "y_train": np.array([0, 1, 2]),
        "x_test": np.zeros((3, 12)),
        "y_test": np.array([0, 1, 2]),
    }
    np.savez(tmp_path / "data.npz", **{**arrays, **change})
    out = tmp_path / "net.spk"
    assert sentence in refused(
        "quantize", folder / "net.npz", "--data", tmp_path / "data.npz", "-o", out
    )
    assert not out.exists()


@pytest.mark.parametrize("bits", [0, 40])
def test_weight_bits_out_of_range(folder, tmp_path, bits):
    out = tmp_path / "net.spk"
    assert (
        refused(
            *("quantize", folder / "net.npz", "--data", folder / "data.npz"),
            *("--weight-bits", bits, "-o", out),
        )
        == f"Weight width must be between 2 and 16 bits, not {bits}"
    )
    assert not out.exists()


def test_a_damaged_program(folder, tmp_path):
    data = folder / "data.npz"
    whole = (folder / "net.spk").read_bytes()
    cut = tmp_path / "cut.spk"
    cut.write_bytes(whole[: len(whole) // 2])
    assert "truncated" in refused("run", cut, "--data", data, "--on", "emulator")
    altered = tmp_path / "altered.spk"
    with zipfile.ZipFile(folder / "net.spk") as old, zipfile.ZipFile(altered, "w") as new:
        for name in old.namelist():
            content = bytearray(old.read(name))
            if name == "tensors/fc1.bias.npy":
                content[-8] ^= 1
            new.writestr(name, bytes(content))
    assert "altered" in refused("run", altered, "--data", data, "--on", "emulator")
    newer = tmp_path / "newer.spk"
    with zipfile.ZipFile(folder / "net.spk") as old, zipfile.ZipFile(newer, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "program.json":
                head = json.loads(content)
                head["format_version"] += 1
                content = json.dumps(head).encode()
            new.writestr(name, content)
    assert "version 2" in refused("verify", newer, "--data", data)


def test_a_network_too_large_for_the_board(tmp_path):
    program = load_program(_large(tmp_path))
    assert program.content_hash
    sentence = refused("generate", tmp_path / "large.spk", "--board", "ulx3s", "-o", tmp_path / "b")
    assert "block RAM" in sentence
    assert not (tmp_path / "b").exists()


def _large(folder):
    network = Network.from_spec("784-1024-10")
    x = np.random.default_rng(0).random((8, 784)).astype(np.float32)
    return save_program(quantize(network, calibrate=x), folder / "large.spk")


def test_an_output_folder_that_does_not_exist(folder, tmp_path):
    out = tmp_path / "no" / "net.spk"
    assert "does not exist" in refused(
        "quantize", folder / "net.npz", "--data", folder / "data.npz", "-o", out
    )


def test_lanes_that_cannot_be(folder):
    data, spk = folder / "data.npz", folder / "net.spk"
    assert refused("verify", spk, "--data", data, "--lanes", "0") == (
        "Lanes must be a positive integer, not 0"
    )
    assert refused("verify", spk, "--data", data, "--lanes", "fc1=10") == (
        "Lanes of fc1 must be between 1 and its 9 rows, not 10"
    )
