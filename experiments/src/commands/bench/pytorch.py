"""The PyTorch side of `tridot bench training`: the same network, steps on request.

The first line of standard input describes the network and the training; every later line asks for one
step. Each gets one line of JSON. The network is built layer by layer from the description, eagerly, in
`channels_last`. Weights and pictures follow from the formula `noise`, as on the other side, so that both
must come to the same losses.
"""

import json
import sys
import time


def noise(torch, first, n):
    """n numbers of 32 bits; the other side has the same formula."""
    v = torch.arange(first, first + n, dtype=torch.int64) * 2654435761 & 0xFFFFFFFF
    v = (v ^ v >> 15) * 1540483477 & 0xFFFFFFFF
    return v ^ v >> 13


def build(torch, network):
    """A module of the described network: u8 pictures, NHWC, to logits."""
    nn, f = torch.nn, torch.nn.functional

    class Dot(nn.Module):
        """Convolution, depthwise convolution or linear layer, then batch norm, then an activation."""

        def __init__(self, layer, index, input_shape):
            super().__init__()
            out, (kh, kw) = layer["shape"][2], layer["kernel"]
            self.linear = layer["op"] == "linear"
            self.groups = input_shape[2] if layer["op"] == "depthwise" else 1
            channels = 1 if self.groups > 1 or layer["op"] == "depthwise" else input_shape[2]
            if self.linear:
                channels, kh, kw = input_shape[0] * input_shape[1] * input_shape[2], 1, 1
            fan_in = channels * kh * kw
            values = (noise(torch, index << 24, out * fan_in) >> 8).float() / 8388608 - 1
            values = values * torch.tensor(6 / fan_in).sqrt()
            weight = values.reshape(out, kh, kw, channels).permute(0, 3, 1, 2)
            weight = weight.reshape(out, channels) if self.linear else weight
            self.weight = nn.Parameter(weight.contiguous())
            self.bias = nn.Parameter(torch.zeros(out)) if layer["bias"] else None
            self.norm = nn.BatchNorm2d(out, eps=layer["epsilon"]) if layer["epsilon"] else None
            self.stride, (top, left, bottom, right) = layer["stride"], layer["pads"]
            symmetric = (top, left) == (bottom, right)
            self.pads = (top, left) if symmetric else (0, 0)
            self.before = None if symmetric else (left, right, top, bottom)
            self.activation = layer["activation"]
            self.macs = layer["shape"][0] * layer["shape"][1] * out * fan_in

        def forward(self, x):
            if self.linear:
                x = x.permute(0, 2, 3, 1).flatten(1)
                x = f.linear(x, self.weight, self.bias)[:, :, None, None]
            else:
                x = x if self.before is None else f.pad(x, self.before)
                x = f.conv2d(x, self.weight, self.bias, self.stride, self.pads, 1, self.groups)
            x = x if self.norm is None else self.norm(x)
            return activated(x, self.activation)

    def activated(x, activation):
        if activation == "relu":
            return f.relu_(x)
        return f.relu6(x, inplace=True) if activation == "relu6" else x

    def combined(layer, inputs):
        """What a layer without weights makes of its inputs."""
        op, x = layer["op"], inputs[0]
        if op == "add":
            return activated(inputs[0] + inputs[1], layer["activation"])
        if op == "average_pool":
            if layer["shape"][:2] == [1, 1]:
                return f.adaptive_avg_pool2d(x, 1)
            return f.avg_pool2d(x, layer["kernel"], layer["stride"])
        if op == "max_pool":
            top, left, bottom, right = layer["pads"]
            if (top, left) == (bottom, right):
                return f.max_pool2d(x, layer["kernel"], layer["stride"], (top, left))
            x = f.pad(x, (left, right, top, bottom), value=float("-inf"))
            return f.max_pool2d(x, layer["kernel"], layer["stride"])
        if op == "split":
            return x[:, layer["first"] : layer["first"] + layer["shape"][2]]
        if op == "concat":
            return torch.cat(inputs, 1)
        if op == "shuffle":
            return torch.channel_shuffle(x, layer["groups"])
        if op == "subsample":
            return x[:, :, :: layer["stride"][0], :: layer["stride"][1]]
        if op == "channel_pad":
            return f.pad(x, (0, 0, 0, 0, layer["before"], layer["after"]))
        raise ValueError(f"no operator `{op}`")

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            shapes = [network["input"]] + [layer["shape"] for layer in network["layers"]]
            self.dots = nn.ModuleDict()
            for index, layer in enumerate(network["layers"]):
                if "kernel" in layer and "bias" in layer:
                    self.dots[str(index)] = Dot(layer, index, shapes[layer["inputs"][0]])
            scale = torch.tensor([255 * std for std in network["std"]]).view(1, -1, 1, 1)
            shift = [mean / std for mean, std in zip(network["mean"], network["std"])]
            self.register_buffer("scale", 1 / scale)
            self.register_buffer("shift", -torch.tensor(shift).view(1, -1, 1, 1))
            # The last layer that reads each tensor: after it, only autograd may keep the tensor.
            self.last = {i: k for k, layer in enumerate(network["layers"]) for i in layer["inputs"]}

        def forward(self, pixels):
            x = pixels.permute(0, 3, 1, 2)
            tensors = {0: torch.addcmul(self.shift, x.float(), self.scale)}
            for index, layer in enumerate(network["layers"]):
                inputs = [tensors[i] for i in layer["inputs"]]
                dot = self.dots[str(index)] if str(index) in self.dots else None
                tensors[index + 1] = combined(layer, inputs) if dot is None else dot(inputs[0])
                del inputs
                for i in layer["inputs"]:
                    if self.last[i] == index:
                        tensors.pop(i, None)
            return tensors.popitem()[1].flatten(1)

    return Network()


def say(**answer):
    print(json.dumps(answer), flush=True)


def main():
    task = json.loads(sys.stdin.readline())
    import torch

    torch.set_num_threads(task["threads"])
    torch.set_num_interop_threads(1)
    model = build(torch, task["network"]).to(memory_format=torch.channels_last).train()
    parameters = list(model.parameters())
    weights = [dot.weight for dot in model.dots.values()]
    is_weight = {id(weight) for weight in weights}
    others = [parameter for parameter in parameters if id(parameter) not in is_weight]
    sgd = torch.optim.SGD(
        [{"params": weights, "weight_decay": task["weight_decay"]}, {"params": others}],
        lr=task["learning_rate"],
        momentum=task["momentum"],
        nesterov=True,
        fused=True,
    )
    batch, shape = task["batch"], task["network"]["input"]
    n = batch * shape[0] * shape[1] * shape[2]
    pixels = (noise(torch, 1 << 40, n) & 255).to(torch.uint8).view(batch, *shape)
    labels = torch.arange(batch) % task["network"]["classes"]
    say(
        version=torch.__version__,
        parameters=sum(parameter.numel() for parameter in parameters),
        macs=sum(dot.macs for dot in model.dots.values()),
    )
    for _ in sys.stdin:
        start = time.perf_counter()
        sgd.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(model(pixels), labels)
        loss.backward()
        sgd.step()
        loss = loss.item()
        say(seconds=time.perf_counter() - start, loss=loss)


main()
