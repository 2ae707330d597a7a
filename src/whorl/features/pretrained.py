"""Features of networks trained elsewhere; weights are files of one's own and are never fetched.

Needs the extra `deep` and the environment variable WHORL_WEIGHTS: a folder with NETWORK.safetensors for
each network, named as timm names it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from whorl.records import Array, BadInput, Floats

VERSION = 1
MEAN = (0.485, 0.456, 0.406)
SPREAD = (0.229, 0.224, 0.225)


def backbone(images: Array, network: str = "resnet50", resize: int = 0) -> Floats:
    """Pooled penultimate features of a timm network, grey copied to three channels, ImageNet scaling.

    (n, h, w) -> (n, features); pictures keep their size unless `resize` is given.
    """
    torch, model = _model(network)
    stack = torch.from_numpy(np.asarray(images, np.float32) / np.float32(255))[:, None]
    if resize:
        stack = torch.nn.functional.interpolate(stack, (resize, resize), mode="bilinear", antialias=True)
    shape = (1, 3, 1, 1)
    coloured = (stack - torch.tensor(MEAN).reshape(shape)) / torch.tensor(SPREAD).reshape(shape)
    with torch.inference_mode():
        found = model(coloured)
    return np.asarray(found.reshape(len(images), -1).numpy(), np.float32)


def _model(network: str) -> tuple[Any, Any]:
    """The network with its weights, in evaluation mode; every lack is one line that says what to do."""
    folder = os.environ.get("WHORL_WEIGHTS", "")
    file = Path(folder) / f"{network}.safetensors"
    if not folder or not file.is_file():
        place = f"{file} is missing" if folder else "WHORL_WEIGHTS is not set"
        raise BadInput(
            f"this recipe needs the weights of '{network}': {place}; or swap the features, as with "
            "--features texture.lbp, or run a weight-free variant (`whorl recipes SYSTEM` lists them)"
        )
    try:
        import timm
        import torch
        from safetensors.torch import load_file
    except ImportError:
        raise BadInput("pretrained networks need the extra: pip install 'whorl[deep]'") from None
    if network not in timm.list_models() and network.partition(".")[0] not in timm.list_models():
        raise BadInput(f"timm knows no network '{network}'")
    model = timm.create_model(network, pretrained=False, num_classes=0)
    state = {key: value for key, value in load_file(file).items() if key in model.state_dict()}
    lacking = set(model.state_dict()) - set(state)
    if lacking:
        raise BadInput(f"{file}: not the weights of '{network}': {len(lacking)} of its tensors are missing")
    model.load_state_dict(state)
    return torch, model.eval()
