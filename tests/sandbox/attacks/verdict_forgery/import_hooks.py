# expects: scored 0/2
# why: hooks imports and replaces modules, its own included, to be asked in the judge's place; it is asked for data only
import builtins
import sys
import types


class Finder:
    def find_spec(self, name, path=None, target=None):
        sys.exit(0)


sys.meta_path[:] = [Finder()]
sys.path_hooks[:] = []
builtins.__import__ = lambda *a, **k: types.ModuleType("m")
sys.modules["app"] = types.SimpleNamespace(f=lambda x: 0)


def f(x):
    return 0
