"""What the tests of families share: golden PyTorch pickles with something changed."""

import pytest
from torch_files import dumps, plain, written

from dnnlib.containers import safe_pickle
from dnnlib.families.recognise import ALLOWED


@pytest.fixture
def edited_modules(tmp_path, data):
    """edited_modules(name, edit, protocol): a copy of a golden pickle whose G_ema has gone through
    edit(find).

    find("synthesis.b4") is the module of that name, find("") the generator.
    """

    def make(name, edit=lambda find: None, protocol=4):
        with open(data / f"{name}.pkl", "rb") as file:
            content = plain(safe_pickle.unpickle(file, ALLOWED))

        def find(name):
            module = content["G_ema"]
            for part in name.split(".") if name else ():
                module = module.state["_modules"][part]
            return module

        edit(find)
        return written(tmp_path / f"edited_{name}.pkl", dumps(content, protocol))

    return make
