"""What may happen in participatory action research, and when. Imports nothing of ours; no I/O."""

from importlib import import_module
from pkgutil import iter_modules

# Every module here says what it adds by being here: a new research action registers nowhere else.
for module in iter_modules(__path__):
    import_module(f"{__name__}.{module.name}")
