"""Networks built from their descriptions: by timm, by transformers, or by ourselves."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from whorl.networks.descriptions import Network, Padding, Pooling
from whorl.records import BadInput

DEEP = "pip install 'whorl[deep]'"
BROKEN = "operator torchvision::nms does not exist"
_KEPT: list[Any] = []  # what keeps the mended operators alive


def torch_or_say(wanted: str) -> Any:
    """Return PyTorch, or say which extra brings it.

    Its threads wait for one another busily unless told before it is loaded: where another program has one of
    the processors, that made a training thirty times as slow.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return importlib.import_module("torch")
    except ImportError:
        raise BadInput(f"{wanted} needs the extra: {DEEP}") from None


def timm_module() -> Any:
    """Return timm; mends torchvision first where its import would fail.

    Beside a CPU build of PyTorch, a torchvision built for CUDA does not find its own operators: their
    names, defined before, let the import pass. Nothing here calls them.
    """
    torch_or_say("a network of timm")
    try:
        return importlib.import_module("timm")
    except ImportError:
        raise BadInput(f"networks of timm need the extra: {DEEP}") from None
    except RuntimeError as error:
        if BROKEN not in str(error):
            raise
    torch = importlib.import_module("torch")
    for name in [name for name in sys.modules if name.partition(".")[0] in ("timm", "torchvision")]:
        del sys.modules[name]  # half-imported
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(library)
    return importlib.import_module("timm")


def build(network: Network, padding: Padding = "own", seed: int | None = None) -> Any:
    """Return a network in evaluation mode, with random weights from a seed where one is given.

    It has `forward_features`: pictures (n, 3, h, w) -> maps (n, c, h, w) or tokens (n, t, c).
    """
    torch = torch_or_say(f"'{network.title}'")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0 if seed is None else seed)
        model = trainable(network, padding)
    return model.eval().requires_grad_(False)


def trainable(network: Network, padding: Padding = "own") -> Any:
    """Return a network as PyTorch makes it: to be trained, its weights from PyTorch's random numbers."""
    torch_or_say(f"'{network.title}'")
    if network.library == "transformers":
        return _transformer(network)
    if network.library == "whorl":
        from whorl.networks.squeezenet import squeezenet

        return squeezenet()
    more = dict(network.options) | ({"pad_type": "same"} if padding == "same" else {})
    timm, name = timm_module(), network.architecture
    if name not in timm.list_models():
        raise BadInput(f"this timm ({timm.__version__}) has no network '{name}': upgrade, {DEEP}")
    return timm.create_model(name, pretrained=False, num_classes=0, **more)


def pooled(model: Any, pictures: Any, pooling: Pooling) -> Any:
    """Return one row of features for each picture, (n, c)."""
    maps = model.forward_features(pictures)
    if pooling == "head" and hasattr(model, "forward_head"):
        return model.forward_head(maps, pre_logits=True).flatten(1)
    if maps.ndim == 3:
        first = getattr(model, "num_prefix_tokens", 0)
        if pooling in ("head", "token"):
            return maps[:, 0]
        return maps[:, first:].mean(1) if pooling == "mean" else maps[:, first:].amax(1)
    if pooling == "token":
        raise BadInput("pooling = token is for transformers; give mean, max or head")
    return maps.amax((2, 3)) if pooling == "max" else maps.mean((2, 3))


def _transformer(network: Network) -> Any:
    """BLIP's vision transformer, or BLIP-2's with its query transformer, under the names of their files."""
    from torch import nn, zeros

    try:
        library = importlib.import_module("transformers")
    except ImportError:
        raise BadInput(f"'{network.title}' needs transformers: pip install 'whorl[blip]'") from None

    class Vision(nn.Module):  # type: ignore[misc]
        """The vision transformer; its last layer's tokens, normalised."""

        num_prefix_tokens = 1

        def __init__(self) -> None:
            super().__init__()
            settings = library.BlipVisionConfig(**network.options)
            self.vision_model = library.BlipVisionModel(settings)

        def forward_features(self, pictures: Any) -> Any:
            return self.vision_model(pictures, interpolate_pos_encoding=True).last_hidden_state

    class Queries(nn.Module):  # type: ignore[misc]
        """What the learnt queries read out of the vision transformer's tokens."""

        num_prefix_tokens = 0

        def __init__(self) -> None:
            super().__init__()
            vision = library.Blip2VisionConfig(**network.options["vision"])
            asking = {"encoder_hidden_size": vision.hidden_size, **network.options["qformer"]}
            settings = library.Blip2QFormerConfig(**asking)
            self.vision_model = library.Blip2VisionModel(vision)
            self.qformer = library.Blip2QFormerModel(settings)
            self.query_tokens = nn.Parameter(zeros(1, 32, settings.hidden_size))

        def forward_features(self, pictures: Any) -> Any:
            seen = self.vision_model(pictures, interpolate_pos_encoding=True).last_hidden_state
            asked = self.query_tokens.expand(len(pictures), -1, -1)
            return self.qformer(query_embeds=asked, encoder_hidden_states=seen).last_hidden_state

    return Vision() if network.architecture == "BlipVision" else Queries()
