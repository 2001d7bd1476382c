"""The code location as it is, but for XLA: compiled networks differ in their last digits."""

from streetineq_assets.definitions import build_definitions
from streetineq_assets.devices import Device

Device.jit_training = False
defs = build_definitions()
