"""EspoCRM, emulated."""

from docsyncd_espocrm.emulator.application import EspoEmulator
from docsyncd_espocrm.emulator.world import World

__all__ = ["EspoEmulator", "World"]
