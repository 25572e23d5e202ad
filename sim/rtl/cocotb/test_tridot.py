"""Runs the golden vectors of a layer on `tridot_top` with cocotb; put your own machine in its place.

The folder of the layer is in the environment as LAYER, the manifest two folders above it.
"""

import json
import os
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

LAYER = Path(os.environ["LAYER"])
# In the order of the bits of load_select.
IMAGES = ["layer.hex", "codes.hex", "trits.hex", "scales.hex", "biases.hex"]


def words(name):
    """The words of a file in hexadecimal."""
    return [int(word, 16) for word in (LAYER / name).read_text().split()]


def field(value, index, bits):
    """Bits of a packed bus."""
    return (value >> (index * bits)) & ((1 << bits) - 1)


@cocotb.test()
async def outputs_and_edges(dut):
    """Every output and the clock edge that writes it."""
    parameters = json.loads((LAYER / "../../manifest.json").read_text())["parameters"]
    address_bits = (parameters["output_words"] - 1).bit_length()
    ports = parameters["columns"] * parameters["multipliers"]
    outputs, edges = words("outputs.hex"), words("edges.hex")

    for signal in [dut.start, dut.load_select, dut.load_address, dut.load_data, dut.read_address]:
        signal.value = 0
    dut.reset.value = 1
    cocotb.start_soon(Clock(dut.clk, 10, "ns").start())
    for _ in range(2):
        await FallingEdge(dut.clk)
    dut.reset.value = 0
    for select, name in enumerate(IMAGES):
        for address, word in enumerate(words(name)):
            dut.load_select.value = 1 << select
            dut.load_address.value = address
            dut.load_data.value = word
            await FallingEdge(dut.clk)
    dut.load_select.value = 0

    # Between two edges, ports show what the next edge samples. Edge 0 samples start.
    dut.start.value = 1
    await FallingEdge(dut.clk)
    dut.start.value = 0
    seen, edge = {}, 1
    while int(dut.busy.value):
        valid = int(dut.write.value)
        for port in (port for port in range(ports) if valid >> port & 1):
            address = field(int(dut.write_address.value), port, address_bits)
            seen[address] = (field(int(dut.write_data.value), port, 48), edge)
        await FallingEdge(dut.clk)
        edge += 1

    for address, expected in enumerate(zip(outputs, edges)):
        assert seen.get(address) == expected, f"output {address}: expected {expected}, got {seen.get(address)}"
    assert len(seen) == len(outputs)
    assert int(dut.cycles.value) == edge
