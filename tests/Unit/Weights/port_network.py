"""The network whose state_dict a `.pth` holds, in PyTorch, with the port's names and torch.nn.utils.weight_norm.

Each line of the input asks for one, in words with tabs between them, and is answered with a line when all is written:

    load|save FILE.pth CHANNELS FILTERS BLOCKS MIXTURES SIZE LOGITS

`load` takes FILE.pth as a careful user does, weights_only and strict; `save` draws weights and saves them as a DataParallel trainer does.
Both write the float32 logits of two images, which are a function of their positions, to LOGITS.
"""
import sys

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import weight_norm


def concat_elu(x):
    return F.elu(torch.cat([x, -x], 1))


def down(x):
    return F.pad(x, (0, 0, 1, 0))[:, :, :-1]


def right(x):
    return F.pad(x, (1, 0, 0, 0))[:, :, :, :-1]


class Shifted(nn.Module):
    """Convolution that sees no row below and, unless `sideways`, no column to the right."""

    def __init__(self, inputs, outputs, height, width, sideways, stride=1):
        super().__init__()
        self.conv = weight_norm(nn.Conv2d(inputs, outputs, (height, width), stride))
        left = (width - 1) // 2 if sideways else width - 1
        self.pad = (left, width - 1 - left, height - 1, 0)

    def forward(self, x):
        return self.conv(F.pad(x, self.pad))


class Upsampling(nn.Module):
    def __init__(self, filters, width):
        super().__init__()
        self.deconv = weight_norm(nn.ConvTranspose2d(filters, filters, (2, width), 2))
        self.crop = (width - 1) // 2

    def forward(self, x):
        height, width = 2 * x.shape[2], 2 * x.shape[3]
        return self.deconv(x)[:, :, :height, self.crop:self.crop + width]


class Pointwise(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.lin_a = weight_norm(nn.Linear(inputs, outputs))

    def forward(self, x):
        return self.lin_a(x.movedim(1, -1)).movedim(-1, 1)


class Gated(nn.Module):
    def __init__(self, filters, width, shortcut):
        super().__init__()
        self.conv_input = Shifted(2 * filters, filters, 2, width, width == 3)
        if shortcut:
            self.nin_skip = Pointwise(2 * shortcut, filters)
        self.conv_out = Shifted(2 * filters, 2 * filters, 2, width, width == 3)

    def forward(self, x, shortcut=None):
        hidden = self.conv_input(concat_elu(x))
        if shortcut is not None:
            hidden = hidden + self.nin_skip(concat_elu(shortcut))
        a, b = self.conv_out(concat_elu(hidden)).chunk(2, 1)
        return x + a * torch.sigmoid(b)


class Stage(nn.Module):
    def __init__(self, filters, blocks, shortcut):
        super().__init__()
        self.u_stream = nn.ModuleList(Gated(filters, 3, shortcut) for _ in range(blocks))
        self.ul_stream = nn.ModuleList(Gated(filters, 2, shortcut + filters) for _ in range(blocks))


class Network(nn.Module):
    def __init__(self, channels, filters, blocks, mixtures):
        super().__init__()
        self.u_init = Shifted(channels + 1, filters, 2, 3, True)
        self.ul_init = nn.ModuleList([Shifted(channels + 1, filters, 1, 3, True), Shifted(channels + 1, filters, 2, 1, False)])
        self.up_layers = nn.ModuleList(Stage(filters, blocks, 0) for _ in range(3))
        self.downsize_u_stream = nn.ModuleList(Shifted(filters, filters, 2, 3, True, 2) for _ in range(2))
        self.downsize_ul_stream = nn.ModuleList(Shifted(filters, filters, 2, 2, False, 2) for _ in range(2))
        self.down_layers = nn.ModuleList(Stage(filters, blocks + (i > 0), filters) for i in range(3))
        self.upsize_u_stream = nn.ModuleList(Upsampling(filters, 3) for _ in range(2))
        self.upsize_ul_stream = nn.ModuleList(Upsampling(filters, 2) for _ in range(2))
        self.nin_out = Pointwise(filters, (3 if channels == 1 else 10) * mixtures)

    def forward(self, images):
        x = torch.cat([images, torch.ones_like(images[:, :1])], 1)
        us, uls = [down(self.u_init(x))], [down(self.ul_init[0](x)) + right(self.ul_init[1](x))]
        for i, stage in enumerate(self.up_layers):
            if i > 0:
                us.append(self.downsize_u_stream[i - 1](us[-1]))
                uls.append(self.downsize_ul_stream[i - 1](uls[-1]))
            for block_u, block_ul in zip(stage.u_stream, stage.ul_stream):
                us.append(block_u(us[-1]))
                uls.append(block_ul(uls[-1], us[-1]))
        u, ul = us.pop(), uls.pop()
        for i, stage in enumerate(self.down_layers):
            if i > 0:
                u, ul = self.upsize_u_stream[i - 1](u), self.upsize_ul_stream[i - 1](ul)
            for block_u, block_ul in zip(stage.u_stream, stage.ul_stream):
                u = block_u(u, us.pop())
                ul = block_ul(ul, torch.cat([u, uls.pop()], 1))
        return self.nin_out(F.elu(ul))


def main(action, path, channels, filters, blocks, mixtures, size, logits):
    torch.manual_seed(1)
    channels, size = int(channels), int(size)
    network = Network(channels, int(filters), int(blocks), int(mixtures)).eval()
    if action == "load":
        network.load_state_dict(torch.load(path, weights_only=True), strict=True)
    else:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
        torch.save({"epoch": 3, "state_dict": nn.DataParallel(network).state_dict()}, path)
    bytes_ = torch.arange(2 * channels * size * size).view(2, channels, size, size) * 37 % 256
    with torch.no_grad():
        network((bytes_ - 127.5) / 127.5).numpy().tofile(logits)


for line in sys.stdin:
    main(*line.rstrip("\n").split("\t"))
    print("done", flush=True)
