"""SqueezeNet 1.0 up to its last maps, under the names of torchvision's state dict."""

from __future__ import annotations

from typing import Any

# Fire modules: maps squeezed to, maps of each of the two expansions; None is a pooling.
FIRES = ((16, 64), (16, 64), (32, 128), None, (32, 128), (48, 192), (48, 192), (64, 256), None, (64, 256))


def squeezenet() -> Any:
    """Return the network of Iandola and others (2016), weights as PyTorch starts them.

    Pictures (n, 3, h, w) -> maps (n, 512, h / 16, w / 16).
    """
    from torch import cat, nn

    class Fire(nn.Module):  # type: ignore[misc]
        """One by one to few maps, then one by one and three by three to many, side by side."""

        def __init__(self, given: int, squeezed: int, expanded: int) -> None:
            super().__init__()
            self.squeeze = nn.Conv2d(given, squeezed, 1)
            self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
            self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

        def forward(self, maps: Any) -> Any:
            few = nn.functional.relu(self.squeeze(maps), inplace=True)
            sides = [nn.functional.relu(part(few)) for part in (self.expand1x1, self.expand3x3)]
            return cat(sides, 1)

    class SqueezeNet(nn.Module):  # type: ignore[misc]
        """The layers before the classifier."""

        def __init__(self) -> None:
            super().__init__()
            pool = {"kernel_size": 3, "stride": 2, "ceil_mode": True}
            layers = [nn.Conv2d(3, 96, 7, stride=2), nn.ReLU(inplace=True), nn.MaxPool2d(**pool)]
            given = 96
            for fire in FIRES:
                layers.append(nn.MaxPool2d(**pool) if fire is None else Fire(given, *fire))
                given = given if fire is None else 2 * fire[1]
            self.features = nn.Sequential(*layers)

        def forward_features(self, pictures: Any) -> Any:
            return self.features(pictures)

    return SqueezeNet()
